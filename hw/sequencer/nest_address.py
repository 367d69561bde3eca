"""Addresses and origins that follow nested counters."""

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class NestAddress(wiring.Component):
    """Address of the current iteration of a `LoopNest`: one adder, one register per moving level.

    Parameters
    ----------
    moves : tuple[bool, ...]
        For each level, innermost first, whether it has a stride; one without leaves the address
        where the loop around it put it.
    bits : int
        Width; arithmetic is modulo ``2**bits``.

    Members
    -------
    i_base : ``In(bits)``
        Taken with ``i_restart``.
    i_restart : ``In(1)``
        With the step to the first iteration.
    i_step, i_ends, i_level
        As the nest's; behind its last iteration there is a restart.
    i_strides : ``In(ArrayLayout(bits, levels))``
        Of the moving levels; the others' are ignored.
    o_address : ``Out(bits)``
    """

    i_base: Signal
    i_restart: Signal
    i_step: Signal
    i_ends: Signal
    i_level: Signal
    i_strides: data.View
    o_address: Signal

    def __init__(self, moves: tuple[bool, ...], bits: int) -> None:
        self.moves = moves
        self.bits = bits
        super().__init__(
            {
                "i_base": In(bits),
                "i_restart": In(1),
                "i_step": In(1),
                "i_ends": In(len(moves)),
                "i_level": In(len(moves)),
                "i_strides": In(data.ArrayLayout(bits, len(moves))),
                "o_address": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers and the adder."""
        m = Module()

        # starts[l]: the address at which the current iteration of loop l began.
        base = Signal(self.bits)
        starts = [
            Signal(self.bits, name=f"start_{level}") if moves else None
            for level, moves in enumerate(self.moves)
        ]
        outer: Value = base
        chosen_start: Value = Const(0, self.bits)
        chosen_stride: Value = Const(0, self.bits)
        for level in reversed(range(len(self.moves))):
            start = starts[level]
            outer = outer if start is None else start
            stride = 0 if start is None else self.i_strides[level]
            moves = self.i_level[level].replicate(self.bits)
            chosen_start |= outer & moves
            chosen_stride |= stride & moves
        address = Signal(self.bits)
        m.d.comb += address.eq(chosen_start + chosen_stride)

        for level, start in enumerate(starts):
            if start is None:
                continue
            with m.If(self.i_step & (self.i_ends[level - 1] if level else 1)):
                m.d.sync += start.eq(address)
            with m.If(self.i_restart):
                m.d.sync += start.eq(self.i_base)
        with m.If(self.i_restart):
            m.d.sync += base.eq(self.i_base)
        m.d.comb += self.o_address.eq(outer)

        return m


def tile_origin(
    m: Module, name: str, step: Signal, moved: Signal, restart: Signal, *, part: int, tile: int,
    bits: int, part_step: Value, tile_step: Value, origin: Value,
) -> Signal:  # fmt: skip
    """Walk to the first row or element of a window tile, which follows that of the pixel tile.

    Parameters
    ----------
    m : Module
        Where the registers go.
    name : str
        Of the signals.
    step, moved, restart : Signal
        The nest's step, levels and restart.
    part, tile : int
        Levels of the window's part and of the pixel tile.
    bits : int
        Width of the origin.
    part_step, tile_step, origin : Value
        From the descriptor.
    """
    here, start, next_start = (
        Signal(signed(bits + 1), name=name + suffix) for suffix in ("0", "_start", "_next")
    )
    m.d.comb += next_start.eq(start + tile_step)
    with m.If(step):
        with m.If(moved[part]):
            m.d.sync += here.eq(here + part_step)
        with m.Elif(moved[tile]):
            m.d.sync += [start.eq(next_start), here.eq(next_start)]
        with m.Elif(moved[tile:].any()):
            m.d.sync += [start.eq(origin), here.eq(origin)]
        with m.Elif(moved[part:].any()):
            m.d.sync += here.eq(start)
    with m.If(restart):
        m.d.sync += [start.eq(origin), here.eq(origin)]
    return here

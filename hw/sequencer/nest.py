"""Nested counters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.layer_port import Layer

_Level = TypeVar("_Level", bound=enum.IntEnum)


class TileLevel(enum.IntEnum):
    """Tile loops of the compute side, innermost first; loops of its own lie within."""

    MB = 0
    S = 1  # window tiles
    R = 2
    C = 3
    M_INNER = 4
    F = 5
    E = 6
    N = 7
    M_OUTER = 8
    G = 9


@dataclass(frozen=True)
class Choice:
    """A count that depends on the loops around.

    Parameters
    ----------
    when : Value
        Made of the flags ``o_coming`` of outer loops.
    then, otherwise : Choice | Value | int
        Counts.
    """

    when: Value
    then: "Count"
    otherwise: "Count"


Count = Choice | Value | int


class LoopNest(wiring.Component):
    """Counters of nested loops; level 0 is the innermost.

    ``i_step`` goes to the next iteration: ``o_level`` says beforehand which loop will move (one
    bit; none: all loops end, and begin anew). So the first step after a reset or ``i_restart``
    goes to the first iteration. A loop takes its count when it begins; that may change with the
    flags of outer loops at the iteration that comes, ``o_coming``. All else comes from registers:
    steps may follow each other every cycle, and what moves is known at once. See `drive_counts`.

    Parameters
    ----------
    levels : int
        Loops.
    bits : int
        Width of a count.

    Members
    -------
    i_counts : ``In(ArrayLayout(bits, levels))``
        Iterations, at least 1, of loops that begin with this cycle's step.
    i_single : ``In(levels)``
        The count is 1.
    i_step : ``In(1)``
    i_restart : ``In(1)``
        All loops end, unless there is a step.
    o_first, o_last, o_level : ``Out(levels)``
        Bit per loop.
    o_ends : ``Out(levels)``
        A step ends the loop, and so all within it.
    o_coming : ``Out(levels)``
        What ``o_last`` will be after a step.
    o_done : ``Out(1)``
        This is the last iteration of all.
    """

    i_counts: data.View
    i_single: Signal
    i_restart: Signal
    i_step: Signal
    o_first: Signal
    o_last: Signal
    o_level: Signal
    o_ends: Signal
    o_coming: Signal
    o_done: Signal

    def __init__(self, levels: int, bits: int) -> None:
        self.levels = levels
        self.bits = bits
        super().__init__(
            {
                "i_counts": In(data.ArrayLayout(bits, levels)),
                "i_single": In(levels),
                "i_restart": In(1),
                "i_step": In(1),
                "o_first": Out(levels),
                "o_last": Out(levels),
                "o_level": Out(levels),
                "o_ends": Out(levels),
                "o_coming": Out(levels),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counters, which count down, and the flags of the iteration that comes."""
        m = Module()

        ends = Signal(self.levels, init=-1)
        moves = Signal(self.levels)
        coming = [self.o_coming[level] for level in range(self.levels)]
        m.d.comb += [
            self.o_ends.eq(ends),
            self.o_level.eq(moves),
            self.o_done.eq(ends[-1]),
        ]
        with m.If(self.i_restart):
            m.d.sync += [ends.eq(-1), moves.eq(0)]
        for level in range(self.levels):
            # Iterations that are left, less three: negative if no other follows the next one.
            left = Signal(signed(self.bits + 1), name=f"left_{level}")
            inner_ends = ends[level - 1] if level else 1
            m.d.comb += coming[level].eq(
                Mux(
                    ends[level],
                    self.i_single[level],
                    Mux(inner_ends, left[-1], self.o_last[level]),
                )
            )
            with m.If(self.i_step):
                m.d.sync += [
                    self.o_last[level].eq(coming[level]),
                    ends[level].eq(Cat(coming[: level + 1]).all()),
                    moves[level].eq(Cat(coming[:level]).all() & ~coming[level]),
                ]
                with m.If(inner_ends):
                    m.d.sync += self.o_first[level].eq(ends[level])
                    m.d.sync += left.eq(
                        Mux(ends[level], self.i_counts[level], left)
                        + Mux(ends[level], Const(-3, signed(3)), Const(-1, signed(3)))
                    )

        return m


def drive_counts(m: Module, nest: LoopNest, counts: Mapping[Any, Count], *, settled: bool) -> None:
    """Give a nest its counts.

    Parameters
    ----------
    m : Module
        Where the logic goes.
    nest : LoopNest
        The nest.
    counts : Mapping[int, Count]
        One for each level.
    settled : bool
        The values stay from two cycles before the first step on: whether they are 1 comes from
        registers.
    """

    def single(count: Count) -> Value:
        if isinstance(count, Choice):
            return Mux(count.when, single(count.then), single(count.otherwise))
        if isinstance(count, int) or not settled:
            return Value.cast(count) == 1
        known = Signal(name="single", reset_less=True)
        m.d.sync += known.eq(count == 1)
        return known

    for level, count in counts.items():
        m.d.comb += [
            nest.i_counts[level].eq(_chosen(count)),
            nest.i_single[level].eq(single(count)),
        ]


def _chosen(count: Count) -> Value:
    if isinstance(count, Choice):
        return Mux(count.when, _chosen(count.then), _chosen(count.otherwise))
    return Value.cast(count)


def loop_counts(levels: type[_Level], layer: Layer, coming: Signal) -> dict[int, Count]:
    """Count the iterations of a walker's loops, for those that have a name all walkers share.

    Parameters
    ----------
    levels : type
        The walker's loops.
    layer : View
        Descriptor of the layer.
    coming : Signal
        Flags of the iteration that comes, from the walker's nest.
    """
    last_m = coming[levels["M_INNER"]] & coming[levels["M_OUTER"]]
    counts: dict[str, Count] = {
        "MB": Choice(last_m, layer.mb_count_last, layer.mb_count),  # filter blocks
        "S": layer.s_count,  # window tiles
        "R": layer.r_count,
        "C": layer.c_count,
        "M_INNER": Mux(layer.m_outer, 1, layer.m_count),
        "F": layer.f_count,
        "E": layer.e_count,
        "N": layer.n_count,
        "M_OUTER": Mux(layer.m_outer, layer.m_count, 1),
        "G": layer.g_count,
    }
    return {level: counts[level.name] for level in levels if level.name in counts}

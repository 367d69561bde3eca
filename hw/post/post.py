"""Post-processing: requantises complete psums, a few lanes at a time."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.requantize import SHIFT_BITS, SIGNIFICAND_BITS, RequantLane
from stillflow.hw.post.requantize_serial import SerialRequantLane
from stillflow.hw.signals import signals
from stillflow.hw.timing import requant_tail
from stillflow.hw.unit import unit

SCALE_BITS = SIGNIFICAND_BITS + SHIFT_BITS


class PostProcessor(wiring.Component):
    """``requant_lanes`` lanes over the vector of psums, ``pace`` cycles a vector.

    Takes a vector every ``pace`` cycles (``i_psums`` must hold that long) and gives its words
    together, a fixed latency later. Never stalls: the store buffer has reserved the room.

    Parameters
    ----------
    config : AcceleratorConfig
        Lanes, columns, widths.

    Members
    -------
    i_valid, i_psums
        A complete vector.
    i_scale_shift, i_line
        A slice of every column's scale, lowest first: 24 bits significand, 8 bits shift.
    i_scale_swap : ``In(1)``
        Take the scales that were shifted in, from the next cycle on.
    i_scale : ``In(32)``
        Row stationary, instead of these: the scale of all columns, beside ``i_psums``.
    i_zero_point, i_min, i_max
        Of the layer; constant while vectors pass.
    o_valid, o_words
        The ofmap words.
    """

    i_valid: Signal
    i_psums: data.View
    i_scale_shift: Signal
    i_line: data.View
    i_scale_swap: Signal
    i_scale: Signal
    i_zero_point: Signal
    i_min: Signal
    i_max: Signal
    o_valid: Signal
    o_words: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        act = signed(config.act_bits)
        columns = config.m_block
        if config.has_pe_sets:
            scales = {"i_scale": In(SCALE_BITS)}
        else:
            scales = {
                "i_scale_shift": In(1),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), columns)),
                "i_scale_swap": In(1),
            }
        super().__init__(
            scales
            | {
                "i_valid": In(1),
                "i_psums": In(data.ArrayLayout(signed(config.acc_bits), columns)),
                "i_zero_point": In(act),
                "i_min": In(act),
                "i_max": In(act),
                "o_valid": Out(1),
                "o_words": Out(data.ArrayLayout(act, columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lanes and what spreads a vector over them."""
        m = Module()
        config = self.config
        lanes, groups = config.requant_lanes, config.requant_groups

        # Group g of a vector is the lanes' g times `requant_cycles` after it arrives.
        group = Signal(range(groups))
        start, again, moves, done = signals("start again moves done")
        m.d.comb += [
            start.eq(self.i_valid | again),
            done.eq(moves & (group == groups - 1)),
        ]
        m.d.sync += again.eq(moves & ~done)
        with m.If(moves):
            m.d.sync += group.eq(Mux(done, 0, group + 1))
        count = self._count(m, start, moves)
        scales = self._scales(m)

        words = []
        for lane in range(lanes):
            requant = SerialRequantLane(config) if config.requant_serial else RequantLane(config)
            m.submodules[f"lane_{lane}"] = unit(platform, requant)
            psums = Cat(self.i_psums[lane + g * lanes] for g in range(groups))
            own_scales = scales[lane::lanes]
            scale = Signal(SCALE_BITS, name=f"lane_{lane}_scale")
            only = len(own_scales) == 1
            m.d.comb += [
                scale.eq(own_scales[0] if only else Cat(own_scales).word_select(group, SCALE_BITS)),
                requant.i_psum.eq(psums.word_select(group, config.acc_bits)),
                requant.i_significand.eq(scale[:SIGNIFICAND_BITS]),
                requant.i_shift.eq(scale[SIGNIFICAND_BITS:]),
                requant.i_zero_point.eq(self.i_zero_point),
                requant.i_min.eq(self.i_min),
                requant.i_max.eq(self.i_max),
            ]
            if isinstance(requant, SerialRequantLane):
                m.d.comb += [
                    requant.i_start.eq(start),
                    requant.i_last.eq(moves),
                    requant.i_count.eq(count),
                ]
            words.append(requant.o_value)

        tail = requant_tail(config)
        moved, ended = signals("moved ended", tail + 1)
        m.d.comb += [moved[0].eq(moves), ended[0].eq(done)]
        m.d.sync += [moved[1:].eq(moved[:-1]), ended[1:].eq(ended[:-1])]
        earlier = Signal((groups - 1) * lanes * config.act_bits, reset_less=True)
        vector = Cat(earlier, *words)
        if groups > 1:
            with m.If(moved[tail]):
                m.d.sync += earlier.eq(vector[lanes * config.act_bits :])
        m.d.comb += [self.o_valid.eq(ended[tail]), self.o_words.as_value().eq(vector)]

        return m

    def _count(self, m: Module, start: Signal, moves: Signal) -> Signal:
        """Count the cycles of a group, for serial lanes; ``moves`` is its last."""
        first = SerialRequantLane.first_count(self.config)
        last = first + self.config.requant_cycles - 1
        busy = Signal()
        count = Signal(range(last + 1), reset_less=True)
        if not self.config.requant_serial:
            m.d.comb += moves.eq(start)
            return count
        m.d.comb += moves.eq(busy & (count == last))
        m.d.sync += [busy.eq(busy & ~moves), count.eq(count + 1)]
        with m.If(start):
            m.d.sync += [busy.eq(1), count.eq(first + 1)]
        return count

    def _scales(self, m: Module) -> list[Signal]:
        """Scale of each column's psums; the next ones' slices wait."""
        config = self.config
        if config.has_pe_sets:
            return [self.i_scale] * config.requant_lanes
        scales = []
        for col in range(config.m_block):
            scale = Signal(SCALE_BITS, name=f"scale_{col}", reset_less=True)
            shadow = Signal(SCALE_BITS, name=f"scale_shadow_{col}", reset_less=True)
            with m.If(self.i_scale_shift):
                m.d.sync += shadow.eq(Cat(shadow[config.weight_bits :], self.i_line[col]))
            with m.If(self.i_scale_swap):
                m.d.sync += scale.eq(shadow)
            scales.append(scale)
        return scales

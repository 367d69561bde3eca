"""Post-processing: requantises complete psums, a few lanes at a time."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.requantize import RequantLane
from stillflow.hw.signals import signals
from stillflow.hw.unit import unit


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
        self.latency = RequantLane.LATENCY + config.pace - 1
        act = signed(config.act_bits)
        columns = config.m_block
        if config.has_pe_sets:
            scales = {"i_scale": In(32)}
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
        lanes, pace = config.requant_lanes, config.pace

        columns = config.m_block
        scales = [self.i_scale] * columns if config.has_pe_sets else self._own_scales(m)

        # Group g of a vector passes the lanes g cycles after it arrives.
        group = Signal(range(pace + 1))
        busy = Signal()
        active = Signal()
        m.d.comb += active.eq(self.i_valid | busy)
        last_group = (group == pace - 1) if pace > 1 else self.i_valid
        with m.If(active):
            m.d.sync += [group.eq(Mux(last_group, 0, group + 1)), busy.eq(~last_group)]

        done = last_group & active
        words = []
        for lane in range(lanes):
            requant = RequantLane(config)
            m.submodules[f"lane_{lane}"] = unit(platform, requant)
            psums = Array(self.i_psums[lane + g * lanes] for g in range(pace))
            params = Array(scales[lane + g * lanes] for g in range(pace))
            scale = Signal(32, name=f"lane_scale_{lane}")
            m.d.comb += [
                requant.i_psum.eq(psums[group]),
                scale.eq(params[group]),
                requant.i_significand.eq(scale[:24]),
                requant.i_shift.eq(scale[24:]),
                requant.i_zero_point.eq(self.i_zero_point),
                requant.i_min.eq(self.i_min),
                requant.i_max.eq(self.i_max),
            ]
            words.append(requant.o_value)

        latency = RequantLane.LATENCY
        moves, ends = signals("moves ends", latency + 1)
        m.d.comb += [moves[0].eq(active), ends[0].eq(done)]
        m.d.sync += [moves[1:].eq(moves[:-1]), ends[1:].eq(ends[:-1])]
        earlier = Signal((pace - 1) * lanes * config.act_bits, reset_less=True)
        vector = Cat(earlier, *words)
        if pace > 1:
            with m.If(moves[latency]):
                m.d.sync += earlier.eq(vector[lanes * config.act_bits :])
        m.d.comb += [self.o_valid.eq(ends[latency]), self.o_words.as_value().eq(vector)]

        return m

    def _own_scales(self, m: Module) -> list[Signal]:
        """Scales of the columns' filters, and the next ones' slices."""
        scales = []
        for col in range(self.config.m_block):
            shadow = Signal(32, name=f"scale_shadow_{col}", reset_less=True)
            scale = Signal(32, name=f"scale_{col}", reset_less=True)
            with m.If(self.i_scale_shift):
                m.d.sync += shadow.eq(Cat(shadow[self.config.weight_bits :], self.i_line[col]))
            with m.If(self.i_scale_swap):
                m.d.sync += scale.eq(shadow)
            scales.append(scale)
        return scales

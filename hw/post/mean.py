"""Means of windows from the sums of their words."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import POOL_BITS
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.post.requantize import RequantLane
from stillflow.hw.signals import delayed
from stillflow.hw.timing import REQUANT_STAGES
from stillflow.hw.unit import unit


def sum_bits(config: AcceleratorConfig) -> int:
    """Bits of the sum of a window's words."""
    return config.act_bits + 2 * POOL_BITS


class Mean(wiring.Component):
    """A requantiser lane that takes a vector of sums column by column.

    Windows are few where they are large, so one lane does. Takes a vector every ``m_block`` cycles
    at most, and gives its means `stillflow.hw.timing.mean_latency` cycles later. Never stalls.

    Parameters
    ----------
    config : AcceleratorConfig
        Columns, widths.

    Members
    -------
    i_layer : ``In(LayerDescriptor)``
        Constant while vectors pass.
    i_valid, i_sums
        Sums of a window's words.
    o_valid, o_words
        Their means: ``f32-rne`` of sum and offset, with the layer's scale, as
        `stillflow.hw.post.requantize.RequantLane` gives it.
    """

    i_layer: Layer
    i_valid: Signal
    i_sums: data.View
    o_valid: Signal
    o_words: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_layer": In(LayerDescriptor(config)),
                "i_valid": In(1),
                "i_sums": In(data.ArrayLayout(signed(sum_bits(config)), config.m_block)),
                "o_valid": Out(1),
                "o_words": Out(config.m_block * config.act_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lane, and the vectors in front of it and behind it."""
        m = Module()
        config, layer, bits = self.config, self.i_layer, sum_bits(self.config)

        # A column a cycle leaves `left`, and its mean comes into `means` from the other end.
        left = Signal(config.m_block * bits, reset_less=True)
        means = Signal(config.m_block * config.act_bits, reset_less=True)
        m.d.sync += left.eq(Mux(self.i_valid, self.i_sums.as_value(), left >> bits))

        lane = RequantLane(config)
        m.submodules.lane = unit(platform, lane)
        m.d.comb += [
            lane.i_psum.eq(left[:bits].as_signed() + layer.pool_offset),
            lane.i_significand.eq(layer.pool_significand),
            lane.i_shift.eq(layer.pool_shift),
            lane.i_zero_point.eq(layer.pool_zero_point),
            lane.i_min.eq(layer.pool_min),
            lane.i_max.eq(layer.pool_max),
        ]
        m.d.sync += means.eq(Cat(means[config.act_bits :], lane.o_value))
        m.d.comb += [
            self.o_valid.eq(delayed(m, self.i_valid, 1 + REQUANT_STAGES + config.m_block, "valid")),
            self.o_words.eq(means),
        ]

        return m

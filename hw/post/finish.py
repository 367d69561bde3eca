"""What follows the requantiser in some layers: a table, and joining with a second tensor."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.post.finish_lane import FinishLane
from stillflow.hw.signals import delayed
from stillflow.hw.unit import unit


class Finisher(wiring.Component):
    """``requant_lanes`` lanes over a vector of words, ``requant_groups`` cycles a vector.

    Takes a vector every ``pace`` cycles at most, its residuals in the next cycle (they must hold
    until the vector that follows), and gives the ofmap words `finish_latency` cycles after the
    vector. Never stalls. A layer without table and join passes by at once.

    Parameters
    ----------
    config : AcceleratorConfig
        Lanes, columns, widths.

    Members
    -------
    i_layer : ``In(LayerDescriptor)``
        Constant while vectors pass.
    i_fill, i_fill_line, i_fill_data
        A beat of the table.
    i_valid, i_words
        A vector.
    i_residuals : what it is joined with, a cycle later
    o_words : ofmap words
    """

    i_layer: Layer
    i_fill: Signal
    i_fill_line: Signal
    i_fill_data: Signal
    i_valid: Signal
    i_words: data.View
    i_residuals: data.View
    o_words: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        vector = data.ArrayLayout(signed(config.act_bits), config.m_block)
        super().__init__(
            {
                "i_layer": In(LayerDescriptor(config)),
                "i_fill": In(1),
                "i_fill_line": In(FinishLane.line_bits(config)),
                "i_fill_data": In(config.axi_data_bits),
                "i_valid": In(1),
                "i_words": In(vector),
                "i_residuals": In(vector),
                "o_words": Out(vector),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the lanes and what spreads a vector over them."""
        m = Module()
        config, layer = self.config, self.i_layer
        lanes, groups = config.requant_lanes, config.requant_groups

        held = Signal(self.i_words.shape(), reset_less=True)
        group = Signal(range(groups + 1))  # of the vector: passes the lanes so many cycles later
        starts = delayed(m, self.i_valid, 1, "valid")
        m.d.sync += group.eq(Mux(starts, 1, group + (group < groups)))
        now = Signal.like(group)
        m.d.comb += now.eq(Mux(starts, 0, group))
        with m.If(self.i_valid):
            m.d.sync += held.eq(self.i_words)

        words = []
        for number in range(lanes):
            lane = FinishLane(config)
            m.submodules[f"lane_{number}"] = unit(platform, lane)
            own = Array(held[number + g * lanes] for g in range(groups))
            residuals = Array(self.i_residuals[number + g * lanes] for g in range(groups))
            m.d.comb += [
                lane.i_fill.eq(self.i_fill),
                lane.i_fill_line.eq(self.i_fill_line),
                lane.i_fill_data.eq(self.i_fill_data),
                lane.i_word.eq(own[now]),
                lane.i_residual.eq(residuals[now]),
                lane.i_table.eq(layer.table),
                lane.i_join.eq(layer.join),
                lane.i_shift.eq(layer.join_shift),
                lane.i_own_scale.eq(layer.own_scale),
                lane.i_residual_scale.eq(layer.residual_scale),
                lane.i_own_zero_point.eq(layer.own_zero_point),
                lane.i_residual_zero_point.eq(layer.residual_zero_point),
                lane.i_zero_point.eq(layer.join_zero_point),
                lane.i_min.eq(layer.join_min),
                lane.i_max.eq(layer.join_max),
            ]
            words.append(lane.o_word)
        earlier = Signal((groups - 1) * lanes * config.act_bits, reset_less=True)
        vector = Cat(earlier, *words)
        if groups > 1:
            m.d.sync += earlier.eq(vector[lanes * config.act_bits :])
        passes = (layer.join == 0) & ~layer.table
        m.d.comb += self.o_words.as_value().eq(Mux(passes, self.i_words.as_value(), vector))

        return m

"""Which lines of a depthwise weight block hold a tap, and which are zero."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor


class FirLines(wiring.Component):
    """Counts zeros, then taps and gaps in turn: ``tap_lead``, then ``tap_run``, ``tap_gap``, ....

    Parameters
    ----------
    config : AcceleratorConfig
        Rows.

    Members
    -------
    i_layer : ``In(LayerDescriptor)``
    i_restart, i_step : ``In(1)``
        Go to the first line of a block, to the next line; a restart wins.
    o_zero : ``Out(1)``
        The line is zero.
    """

    i_layer: Layer
    i_restart: Signal
    i_step: Signal
    o_zero: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_layer": In(LayerDescriptor(config)),
                "i_restart": In(1),
                "i_step": In(1),
                "o_zero": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counter of lines until the next change."""
        m = Module()
        layer = self.i_layer

        left = Signal(ceil_log2(self.config.rows + 1))  # lines of this kind behind this one
        in_gap = Signal()
        # Before the first line `left` may not hold the lead yet: it comes with the restart.
        m.d.comb += self.o_zero.eq(in_gap)
        ends = left == 0
        with m.If(self.i_step):
            m.d.sync += left.eq(left - 1)
            with m.If(ends):
                m.d.sync += [
                    in_gap.eq(~in_gap & (layer.tap_gap != 0)),
                    left.eq(Mux(~in_gap & (layer.tap_gap != 0), layer.tap_gap, layer.tap_run) - 1),
                ]
        with m.If(self.i_restart):
            has_lead = layer.tap_lead != 0
            m.d.sync += [
                in_gap.eq(has_lead),
                left.eq(Mux(has_lead, layer.tap_lead, layer.tap_run) - 1),
            ]

        return m

"""Sets up the rows of a row-stationary array, and the lanes of their ifmap vectors."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.row_stationary import RowRole
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.signals import signals
from stillflow.hw.words import LaneShift


class RoleWalker(wiring.Component):
    """One row and one lane a cycle, ``rows`` cycles from the one after ``i_begin`` on.

    Rows are the channels side by side for one filter row after the other. Filter rows that are
    less than a stride apart meet different ifmap rows: these are the lanes of a vector. The next
    ones meet the same a column later.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    o_role : ``Out(RowRole)``
        Of the next row, with a valid lane.
    o_lane : ``Out(LaneShift)``
    o_swap : ``Out(1)``
        All lanes are set up.
    o_done : ``Out(1)``
    """

    i_begin: Signal
    i_layer: Layer
    o_role: data.View
    o_lane: data.View
    o_swap: Signal
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "o_role": Out(RowRole(config)),
                "o_lane": Out(LaneShift(config)),
                "o_swap": Out(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counters."""
        m = Module()
        config, layer, role = self.config, self.i_layer, self.o_role
        bits = ceil_log2(config.ifmap_elements)

        row = Signal(range(config.rows + 2))
        source, channel, shift = signals("source channel shift", 8)
        offset, row_offset = signals("offset row_offset", bits)
        walks = row < config.rows
        source_last = source + 1 == layer.set_sources
        channel_last = channel + 1 == layer.set_channels
        m.d.comb += [
            self.o_lane.valid.eq(walks),
            self.o_lane.used.eq(row < layer.set_sources),
            self.o_lane.offset.eq(
                Mux(self.o_lane.used, (offset - row) >> ceil_log2(config.ifmap_banks), 0)
            ),
            role.active.eq(row < layer.set_rows),
            role.source.eq(source),
            role.channel.eq(channel),
            role.shift.eq(shift),
            self.o_swap.eq(row == config.rows),
            self.o_done.eq(row == config.rows + 1),
        ]
        with m.If(~self.o_done):
            m.d.sync += [
                row.eq(row + 1),
                source.eq(Mux(source_last, 0, source + 1)),
                shift.eq(shift + source_last),
                channel.eq(Mux(channel_last, 0, channel + 1)),
                offset.eq(
                    Mux(
                        channel_last,
                        row_offset + layer.buffer_stride_h,
                        offset + layer.buffer_stride_plane,
                    )
                ),
                row_offset.eq(row_offset + Mux(channel_last, layer.buffer_stride_h, 0)),
            ]
        with m.If(self.i_begin):
            m.d.sync += [r.eq(0) for r in (row, source, channel, shift, offset, row_offset)]

        return m

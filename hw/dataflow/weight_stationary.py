"""Weight stationary: weights stay in the PEs while a tile's pixels pass them."""

from amaranth.hdl import Module, Mux, ResetInserter

from stillflow.hw.dataflow.ports import DataflowComponent
from stillflow.hw.datapath import Datapath
from stillflow.hw.sequencer.block_walker import BlockWalker
from stillflow.hw.sequencer.streamer import Streamer
from stillflow.hw.timing import step_guard
from stillflow.hw.words import LineKind


class WeightStationary(DataflowComponent):
    """Block walker, streamer and datapath of the weight-stationary array.

    Parameters and members are those of `DataflowComponent`.

    References
    ----------
    Survey, section V-B, figure 22a.
    """

    def elaborate(self, platform: object) -> Module:
        """Connect walker, streamer and datapath."""
        m = Module()
        config, layer = self.config, self.i_layer

        blocks = BlockWalker(config, guard=step_guard(config))
        streamer = Streamer(config)
        m.submodules.datapath = datapath = Datapath(config)
        m.submodules.blocks = ResetInserter(self.i_reset)(blocks)
        m.submodules.streamer = ResetInserter(self.i_reset)(streamer)

        for walker in (blocks, streamer):
            walker.i_layer = layer
            m.d.comb += walker.i_begin.eq(self.i_begin)
        m.d.comb += [
            blocks.i_loaded.eq(datapath.o_loaded),
            blocks.i_loads.eq(datapath.o_loads),
            blocks.i_start.eq(streamer.o_start),
            blocks.i_streaming.eq(streamer.o_streaming),
            streamer.i_full.eq(blocks.o_full),
            streamer.i_block.eq(blocks.o_block),
            streamer.i_group.eq(self.i_group),
            streamer.i_entry_freed.eq(self.i_entry_freed),
            streamer.i_residual.eq(self.i_residual),
            datapath.i_clear.eq(self.i_begin),
            datapath.i_beat.eq(self.i_beat),
            datapath.i_kind.eq(self.i_kind),
            datapath.i_data.eq(self.i_data),
            datapath.i_element.eq(self.i_element),
            datapath.i_mask.eq(self.i_mask),
            datapath.i_command.eq(blocks.o_command),
            datapath.i_start.eq(streamer.o_start),
            datapath.i_vector.eq(streamer.o_vector),
            datapath.i_depthwise.eq(layer.depthwise),
            datapath.i_pad_value.eq(layer.pad_value),
            datapath.i_zero_point.eq(layer.zero_point),
            datapath.i_min.eq(layer.act_min),
            datapath.i_max.eq(layer.act_max),
            self.o_filter_freed.eq(Mux(streamer.o_start, blocks.o_block.freed, 0)),
            self.o_tile_freed.eq(streamer.o_tile_freed),
            self.o_done.eq(blocks.o_done & streamer.o_idle),
            self.o_valid.eq(datapath.o_valid),
            self.o_words.eq(datapath.o_words),
            self.o_column_last.eq(datapath.o_column_last),
            self.o_strip_last.eq(datapath.o_strip_last),
        ]
        command, events = blocks.o_command, self.o_events
        m.d.comb += [
            events.lines.eq(command.valid & ~command.zero),
            events.shift.eq(command.valid & (command.kind == LineKind.WEIGHT)),
            events.step.eq(streamer.o_start),
            events.vector.eq(streamer.o_vector.valid),
            events.mac.eq(streamer.o_vector.valid),
            events.lanes.eq(streamer.o_lanes),
            events.weights.eq(streamer.o_weights),
            events.psum_read.eq(datapath.o_psum_read),
            events.psum_write.eq(datapath.o_psum_write),
            events.progress.eq(command.valid | streamer.o_vector.valid),
        ]

        return m

"""Output stationary: psums stay in the PEs while a group of pixels meets the whole reduction."""

from amaranth.hdl import Module, ResetInserter

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.array.output_stationary import OutputStationaryArray
from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.dataflow.ports import DataflowComponent, connect_fill
from stillflow.hw.descriptor import Op
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.sequencer.chunk_walker import ChunkWalker
from stillflow.hw.sequencer.drain import DrainSequencer
from stillflow.hw.sequencer.group_streamer import GroupStreamer
from stillflow.hw.signals import delayed
from stillflow.hw.words import Drain, LineKind, PlayedLine

LINE_DELAY = 2  # a line is read so long after its command, to meet the vector of the same cycle


class OutputStationary(DataflowComponent):
    """Chunk walker, streamer, array, drain and post-processing.

    With a step's start in cycle ``s``, the vector for row ``i`` is addressed in ``s + 1 + i`` and
    reaches the row in ``s + 4 + i``; the line commanded in ``w`` is read in ``w + 2``, enters row 0
    in ``w + 3`` and row ``i`` ``i`` cycles later. So vectors and lines of a step begin together.
    With a group's last line commanded in ``w``, its first psum leaves the array in ``w + 6``. With
    ``operand_registers`` vectors and lines enter a cycle later, psums leave two cycles later.

    Parameters and members are those of `DataflowComponent`.

    References
    ----------
    Survey, section V-B, figure 22b.
    """

    def elaborate(self, platform: object) -> Module:
        """Connect the stages with the delays of the contract."""
        m = Module()
        config, layer = self.config, self.i_layer

        chunks, streamer = ChunkWalker(config), GroupStreamer(config)
        m.submodules.chunks = ResetInserter(self.i_reset)(chunks)
        m.submodules.streamer = ResetInserter(self.i_reset)(streamer)
        m.submodules.ifmap = ifmap = IfmapBuffer(config)
        m.submodules.filters = filters = FilterBuffer(config)
        m.submodules.array = array = OutputStationaryArray(config)
        to_line = LINE_DELAY + filters.latency
        m.submodules.drain = drain = DrainSequencer(config, delay=to_line + array.last_delay)
        m.submodules.accumulator = accumulator = Accumulator(config)
        m.submodules.post = post = PostProcessor(config)

        connect_fill(
            m, ifmap, filters, beat=self.i_beat, kind=self.i_kind, words=self.i_data,
            element=self.i_element, mask=self.i_mask, pad_value=layer.pad_value,
        )  # fmt: skip
        for walker in (chunks, streamer):
            walker.i_layer = layer
            m.d.comb += walker.i_begin.eq(self.i_begin)
        m.d.comb += [
            filters.i_clear.eq(self.i_begin),
            drain.i_clear.eq(self.i_begin),
            chunks.i_loaded.eq(filters.o_loaded),
            chunks.i_start.eq(streamer.o_start),
            streamer.i_full.eq(chunks.o_full),
            streamer.i_chunk.eq(chunks.o_chunk),
            streamer.i_group.eq(self.i_group),
            streamer.i_entry_freed.eq(self.i_entry_freed),
            streamer.i_residual.eq(self.i_residual),
            self.o_filter_freed.eq(streamer.o_filter_freed),
            self.o_tile_freed.eq(streamer.o_tile_freed),
            self.o_done.eq(chunks.o_done & streamer.o_idle),
        ]

        # Vectors and lines.
        read = PlayedLine(config)(
            delayed(m, streamer.o_line.as_value(), LINE_DELAY, "line_command")
        )
        line = PlayedLine(config)(delayed(m, read.as_value(), filters.latency, "line"))
        drains = delayed(m, streamer.o_drain.valid, to_line, "drains")
        m.d.comb += [
            ifmap.i_lane_shift.eq(chunks.o_lane.valid),
            ifmap.i_lane_offset.eq(chunks.o_lane.offset),
            ifmap.i_lane_used.eq(chunks.o_lane.used),
            ifmap.i_lane_swap.eq(streamer.o_start),
            ifmap.i_read_en.eq(streamer.o_valid),
            ifmap.i_read_address.eq(streamer.o_address),
            filters.i_read_en.eq(read.valid),
            filters.i_read_line.eq(read.line),
            array.i_vector.eq(delayed(m, streamer.o_valid, ifmap.latency, "vector")),
            array.i_vector_first.eq(delayed(m, streamer.o_first, ifmap.latency, "row0")),
            array.i_acts.eq(ifmap.o_acts),
            array.i_line.eq(filters.o_line),
            array.i_line_valid.eq(line.valid & (line.kind == LineKind.WEIGHT)),
            array.i_opens.eq(line.opens),
            array.i_ends.eq(line.ends),
            array.i_drains.eq(drains),
            accumulator.i_bias_shift.eq(line.valid & (line.kind == LineKind.BIAS)),
            post.i_scale_shift.eq(line.valid & (line.kind == LineKind.SCALE)),
            accumulator.i_line.eq(filters.o_line),
            post.i_line.eq(filters.o_line),
        ]

        # Psums.
        row = Drain(config)(delayed(m, drain.o_row.as_value(), array.drain_latency - 1, "row"))
        scale_swap = row.valid & row.swap_scale
        m.d.comb += [
            drain.i_drain.eq(streamer.o_drain),
            drain.i_active.eq(array.o_active),
            array.i_leaves.eq(drain.o_leaves),
            streamer.i_bias_swap.eq(row.valid & row.swap_bias),
            streamer.i_scale_swap.eq(scale_swap),
            accumulator.i_valid.eq(row.valid),
            accumulator.i_address.eq(row.psum),
            accumulator.i_first.eq(row.first),
            accumulator.i_final.eq(row.final),
            accumulator.i_maximum.eq(layer.op == Op.MAXIMUM),
            accumulator.i_bias_swap.eq(row.valid & row.swap_bias),
            accumulator.i_sums.eq(array.o_sums),
            post.i_scale_swap.eq(delayed(m, scale_swap, accumulator.latency - 1, "scale_swap")),
            post.i_valid.eq(accumulator.o_valid),
            post.i_psums.eq(accumulator.o_psums),
            post.i_zero_point.eq(layer.zero_point),
            post.i_min.eq(layer.act_min),
            post.i_max.eq(layer.act_max),
            self.o_valid.eq(post.o_valid),
            self.o_words.eq(post.o_words),
            self.o_strip_last.eq(1),
        ]
        command, events = streamer.o_line, self.o_events
        m.d.comb += [
            events.lines.eq(command.valid),
            events.shift.eq(command.valid & (command.kind == LineKind.WEIGHT)),
            events.step.eq(streamer.o_start),
            events.vector.eq(streamer.o_valid),
            events.mac.eq(streamer.o_valid),
            events.lanes.eq(streamer.o_lanes),
            events.weights.eq(streamer.o_lanes),
            events.psum_read.eq(accumulator.o_read),
            events.psum_write.eq(accumulator.o_write),
            events.progress.eq(command.valid | streamer.o_valid | chunks.o_lane.valid),
        ]

        return m

"""No local reuse: every multiplier takes an activation and a weight from the buffers each cycle."""

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.array.no_local_reuse import NoLocalReuseArray
from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.buffer.rotate import rotate_right
from stillflow.hw.dataflow.ports import DataflowComponent, connect_fill, connect_psums
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.sequencer.block_walker import BlockWalker
from stillflow.hw.sequencer.streamer import Streamer
from stillflow.hw.signals import delayed
from stillflow.hw.timing import step_guard
from stillflow.hw.words import FilterPlace, LineKind, Vector

LINE_DELAY = 2  # from a vector, or a bias or scale line, to the read of the filter buffer


class NoLocalReuse(DataflowComponent):
    """Buffers, multipliers with adder trees, accumulator and post-processing, with their sequencer.

    A vector of cycle ``t`` has its activations in ``t + 3`` and rotated to the banks of its weights
    in ``t + 4``; these are read for it with ``LINE_DELAY`` and come in ``t + 4``, too; with
    ``operand_registers`` both a cycle later. Biases and
    scales take the same way, while no vector does: the block walker waits for that. So a filter
    line stays in the buffer until its step's last vector has read it.

    Parameters and members are those of `DataflowComponent`.

    References
    ----------
    Survey, section V-B, figure 22c.
    """

    def elaborate(self, platform: object) -> Module:
        """Connect the stages with the delays of the contract."""
        m = Module()
        config, layer = self.config, self.i_layer

        blocks, streamer = BlockWalker(config, guard=step_guard(config)), Streamer(config)
        m.submodules.blocks = ResetInserter(self.i_reset)(blocks)
        m.submodules.streamer = ResetInserter(self.i_reset)(streamer)
        m.submodules.ifmap = ifmap = IfmapBuffer(config)
        m.submodules.filters = filters = FilterBanks(config)
        m.submodules.array = array = NoLocalReuseArray(config)
        m.submodules.accumulator = accumulator = Accumulator(config)
        m.submodules.post = post = PostProcessor(config)

        connect_fill(
            m, ifmap, filters, beat=self.i_beat, kind=self.i_kind, words=self.i_data,
            element=self.i_element, mask=self.i_mask, pad_value=layer.pad_value,
        )  # fmt: skip
        for walker in (blocks, streamer):
            walker.i_layer = layer
            m.d.comb += walker.i_begin.eq(self.i_begin)
        command, vector = blocks.o_command, streamer.o_vector
        m.d.comb += [
            filters.i_clear.eq(self.i_begin),
            blocks.i_loaded.eq(filters.o_loaded),
            blocks.i_loads.eq(filters.o_loads),
            blocks.i_start.eq(streamer.o_start),
            blocks.i_streaming.eq(streamer.o_streaming),
            streamer.i_full.eq(blocks.o_full),
            streamer.i_block.eq(blocks.o_block),
            streamer.i_group.eq(self.i_group),
            streamer.i_entry_freed.eq(self.i_entry_freed),
            streamer.i_residual.eq(self.i_residual),
            self.o_filter_freed.eq(streamer.o_filter_freed),
            self.o_tile_freed.eq(streamer.o_tile_freed),
            self.o_done.eq(blocks.o_done & streamer.o_idle),
            ifmap.i_lane_shift.eq(command.valid & (command.kind == LineKind.WEIGHT)),
            ifmap.i_lane_offset.eq(command.lane_offset),
            ifmap.i_lane_used.eq(command.lane_used),
            ifmap.i_lane_swap.eq(streamer.o_start),
            ifmap.i_read_en.eq(vector.valid),
            ifmap.i_read_address.eq(vector.address),
        ]

        # Lines: those of a vector, or one that carries biases or scales.
        parameter = command.valid & (command.kind != LineKind.WEIGHT)
        count = Signal.like(filters.i_count)
        place = Signal(FilterPlace(config))
        m.d.comb += [
            count.eq(Mux(vector.valid, streamer.o_weights, parameter)),
            place.eq(Mux(vector.valid, streamer.o_place.as_value(), command.place.as_value())),
            filters.i_count.eq(delayed(m, count, LINE_DELAY, "count")),
        ]
        asked = FilterPlace(config)(delayed(m, place.as_value(), LINE_DELAY, "place"))
        shown = FilterPlace(config)(delayed(m, asked.as_value(), filters.latency, "place_shown"))
        to_line = LINE_DELAY + filters.latency
        bias = command.valid & (command.kind == LineKind.BIAS)
        scale = command.valid & (command.kind == LineKind.SCALE)
        line = filters.o_lines[0].as_value()
        if config.filter_banks > 1:
            line = Array(bank.as_value() for bank in filters.o_lines)[shown.bank]
        m.d.comb += [
            filters.i_place.eq(asked),
            accumulator.i_bias_shift.eq(delayed(m, bias, to_line, "bias")),
            post.i_scale_shift.eq(delayed(m, scale, to_line, "scale")),
            accumulator.i_line.eq(line),
            post.i_line.eq(line),
        ]

        # Activations meet the weights in the banks where these lie.
        first = delayed(m, asked.as_value(), filters.latency - 1, "place_ahead")
        first = FilterPlace(config)(first).bank if config.filter_banks > 1 else Signal()
        acts = [ifmap.o_acts[row] for row in range(config.rows)]
        for row, act in enumerate(rotate_right(m, acts, first, "acts")):
            m.d.sync += array.i_acts[row].eq(act)
        m.d.comb += [
            *(row.eq(bank) for row, bank in zip(array.i_lines, filters.o_lines, strict=True)),
            array.i_used.eq(filters.o_read),
            accumulator.i_sums.eq(array.o_sums),
        ]

        # Psums.
        to_psum = ifmap.latency + array.latency
        summed = Vector(config)(delayed(m, vector.as_value(), to_psum, "vector"))
        marks = connect_psums(m, summed, accumulator, post)
        m.d.comb += [
            post.i_zero_point.eq(layer.zero_point),
            post.i_min.eq(layer.act_min),
            post.i_max.eq(layer.act_max),
            self.o_valid.eq(post.o_valid),
            self.o_words.eq(post.o_words),
            Cat(self.o_column_last, self.o_strip_last).eq(marks),
        ]

        events = self.o_events
        m.d.comb += [
            events.lines.eq(count),
            events.step.eq(streamer.o_start),
            events.vector.eq(vector.valid),
            events.mac.eq(vector.valid),
            events.lanes.eq(streamer.o_lanes),
            events.weights.eq(streamer.o_weights),
            events.psum_read.eq(accumulator.o_read),
            events.psum_write.eq(accumulator.o_write),
            events.progress.eq(command.valid | vector.valid),
        ]

        return m

"""Row stationary: filter rows and ifmap windows stay in the PEs, psums move down the columns."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.array.row_stationary import RowStationaryArray
from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.buffer.parameters import ParameterTable
from stillflow.hw.dataflow.ports import DataflowComponent, beside_words, connect_fill
from stillflow.hw.descriptor import Op
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.sequencer.pass_streamer import PassStreamer
from stillflow.hw.sequencer.pass_walker import PassWalker
from stillflow.hw.sequencer.pe_pass import PassLine, PsumVector
from stillflow.hw.sequencer.role_walker import RoleWalker
from stillflow.hw.sequencer.window_feeder import WindowFeeder
from stillflow.hw.signals import delayed
from stillflow.hw.words import LineKind


class RowStationary(DataflowComponent):
    """Walkers, feeder, streamer, array, accumulator and post-processing.

    Psums that leave with the beat of cycle ``t`` meet the accumulator in ``t + rows + 2``, with
    ``operand_registers`` a cycle later; their sums follow, as its contract says.

    Parameters and members are those of `DataflowComponent`.

    References
    ----------
    Survey, section V-B, figure 23; Chen, Emer, Sze: Eyeriss (ISCA 2016).
    """

    def elaborate(self, platform: object) -> Module:
        """Connect the stages with the delays of the contract."""
        m = Module()
        config, layer = self.config, self.i_layer

        passes, streamer = PassWalker(config), PassStreamer(config)
        feeder, roles = WindowFeeder(config), RoleWalker(config)
        for name, walker in {
            "passes": passes, "streamer": streamer, "feeder": feeder, "roles": roles,
        }.items():  # fmt: skip
            m.submodules[name] = ResetInserter(self.i_reset)(walker)
            walker.i_layer = layer
            m.d.comb += walker.i_begin.eq(self.i_begin)
        m.submodules.ifmap = ifmap = IfmapBuffer(config)
        m.submodules.filters = filters = FilterBuffer(config)
        m.submodules.array = array = RowStationaryArray(config)
        m.submodules.accumulator = accumulator = Accumulator(config)
        m.submodules.post = post = PostProcessor(config)
        m.submodules.biases = biases = ParameterTable(
            config, width=config.acc_bits, lines=config.bias_lines
        )
        m.submodules.scales = scales = ParameterTable(config, width=32, lines=config.scale_lines)
        connect_fill(
            m, ifmap, filters, beat=self.i_beat, kind=self.i_kind, words=self.i_data,
            element=self.i_element, mask=self.i_mask, pad_value=layer.pad_value,
        )  # fmt: skip

        m.d.comb += [
            passes.i_loaded.eq(filters.o_loaded),
            passes.i_start.eq(streamer.o_start),
            passes.i_weight_freed.eq(streamer.o_weight_freed),
            streamer.i_full.eq(passes.o_full),
            streamer.i_pass.eq(passes.o_pass),
            streamer.i_fed.eq(feeder.o_fed),
            streamer.i_entry_freed.eq(self.i_entry_freed),
            streamer.i_residual.eq(self.i_residual),
            streamer.i_loaded.eq(feeder.o_loaded),
            feeder.i_ready.eq(roles.o_done),
            feeder.i_group.eq(self.i_group),
            feeder.i_opens.eq(passes.o_opens),
            feeder.i_pass.eq(passes.o_pass),
            feeder.i_released.eq(streamer.o_released),
            self.o_filter_freed.eq(Mux(streamer.o_start, passes.o_pass.freed, 0)),
            self.o_tile_freed.eq(streamer.o_tile_freed),
            self.o_done.eq(passes.o_done & streamer.o_idle),
        ]

        # Filter lines, to the PEs or the tables.
        line = PassLine(config)(delayed(m, passes.o_line.as_value(), filters.latency, "line"))
        m.d.comb += [
            filters.i_clear.eq(self.i_begin),
            filters.i_read_en.eq(passes.o_line.valid),
            filters.i_read_line.eq(passes.o_place),
            array.i_line.eq(filters.o_line),
            array.i_line_addr.eq(line.place),
            array.i_line_valid.eq(line.valid & (line.kind == LineKind.WEIGHT)),
        ]
        for table, kind, begins in (
            (biases, LineKind.BIAS, passes.o_bias_next),
            (scales, LineKind.SCALE, passes.o_scale_next),
        ):
            m.d.comb += [
                table.i_clear.eq(self.i_begin),
                table.i_valid.eq(line.valid & (line.kind == kind)),
                table.i_line.eq(filters.o_line),
                table.i_next.eq(begins),
            ]

        # Ifmap words.
        m.d.comb += [
            ifmap.i_lane_shift.eq(roles.o_lane.valid),
            ifmap.i_lane_offset.eq(roles.o_lane.offset),
            ifmap.i_lane_used.eq(roles.o_lane.used),
            ifmap.i_lane_swap.eq(roles.o_swap),
            array.i_role_shift.eq(roles.o_lane.valid),
            array.i_role.eq(roles.o_role),
            ifmap.i_read_en.eq(feeder.o_valid),
            ifmap.i_read_address.eq(feeder.o_address),
            array.i_word.eq(feeder.o_word),
            array.i_acts.eq(ifmap.o_acts),
            array.i_beat.eq(streamer.o_beat),
        ]

        # Psums.
        to_psum = array.sum_delay + config.rows - 1
        vector = PsumVector(config)(delayed(m, streamer.o_vector.as_value(), to_psum, "vector"))
        completes = delayed(m, vector.valid & vector.final, 1, "completes")
        m.d.comb += [
            accumulator.i_valid.eq(vector.valid),
            accumulator.i_address.eq(vector.psum),
            accumulator.i_first.eq(vector.first),
            accumulator.i_final.eq(vector.final),
            accumulator.i_maximum.eq(layer.op == Op.MAXIMUM),
            accumulator.i_sums.eq(array.o_sums),
            biases.i_read_en.eq(vector.valid & vector.first),
            biases.i_read_half.eq(vector.bias_half),
            biases.i_read_filter.eq(vector.filter),
            accumulator.i_bias.eq(biases.o_word),
            scales.i_read_en.eq(completes),
            scales.i_read_half.eq(delayed(m, vector.scale_half, 1, "scale_half")),
            scales.i_read_filter.eq(delayed(m, vector.filter, 1, "scale_filter")),
            post.i_scale.eq(scales.o_word),
            post.i_valid.eq(accumulator.o_valid),
            post.i_psums.eq(accumulator.o_psums),
            post.i_zero_point.eq(layer.zero_point),
            post.i_min.eq(layer.act_min),
            post.i_max.eq(layer.act_max),
            self.o_valid.eq(post.o_valid),
            self.o_words.eq(post.o_words),
        ]
        marks = Cat(vector.column_last, vector.strip_last, vector.last_columns)
        m.d.comb += Cat(self.o_column_last, self.o_strip_last, self.o_last_columns).eq(
            beside_words(m, marks, accumulator, post)
        )

        events = self.o_events
        m.d.comb += [
            events.lines.eq(passes.o_line.valid),
            events.shift.eq(Mux(array.i_line_valid, layer.set_rows, 0)),
            events.step.eq(feeder.o_fills),
            events.vector.eq(feeder.o_valid),
            events.lanes.eq(layer.set_sources),
            events.mac.eq(streamer.o_beat.mac),
            events.weights.eq(streamer.o_pes),
            events.psum_read.eq(accumulator.o_read),
            events.psum_write.eq(accumulator.o_write),
            events.progress.eq(
                passes.o_line.valid | feeder.o_valid | streamer.o_beat.mac | streamer.o_vector.valid
            ),
        ]

        return m

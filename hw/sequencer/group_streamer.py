"""Streams a pixel group's vectors and a chunk's weight lines past each other: one step."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.chunk import Chunk
from stillflow.hw.sequencer.group_count import GroupCount
from stillflow.hw.sequencer.ofmap_room import OfmapRoom
from stillflow.hw.sequencer.pixel_walk import PixelWalk
from stillflow.hw.signals import signals
from stillflow.hw.timing import FREE_DELAY, least_period
from stillflow.hw.words import Drain, LineKind, PlayedLine


class GroupStreamer(wiring.Component):
    """Runs steps of ``least_period`` cycles back to back, longer by the parameters it plays.

    A step issues a vector for each row that has a pixel, one a cycle, and the chunk's lines, one a
    cycle: parameters first, then weights. It never stalls. It starts when its chunk is set up, its
    plane groups are loaded and, where it completes psums,

    * the psums of the group before have time to leave the array,
    * the ofmap buffer has room for a group, and the filter block's residuals are there.

    Parameters wait until those that were played before them are in use. ``o_start`` comes one cycle
    before the first vector and line; there is no bubble between steps.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows, widths and pace.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_full, i_chunk
        The chunk that waits.
    i_group : ``In(1)``
        A plane group was loaded.
    i_entry_freed : ``In(1)``
        An entry of the ofmap buffer is free again.
    i_residual : ``In(1)``
        The residuals of a filter block were loaded.
    i_bias_swap, i_scale_swap : ``In(1)``
        Parameters that were played are in use.
    o_start : ``Out(1)``
        The chunk's step starts.
    o_valid, o_first, o_address
        A vector; it is for row 0; its ifmap buffer element.
    o_line : ``Out(PlayedLine)``
    o_drain : ``Out(Drain)``
        With the last line of a group.
    o_lanes : elements of each of the step's vectors
    o_filter_freed : lines of the filter buffer that are free from the next cycle on
    o_tile_freed : ``Out(1)``
        The slot of the tile is free again.
    o_idle : ``Out(1)``
    """

    i_begin: Signal
    i_layer: Layer
    i_full: Signal
    i_chunk: data.View
    i_group: Signal
    i_entry_freed: Signal
    i_residual: Signal
    i_bias_swap: Signal
    i_scale_swap: Signal
    o_start: Signal
    o_valid: Signal
    o_first: Signal
    o_address: Signal
    o_line: data.View
    o_drain: data.View
    o_lanes: Signal
    o_filter_freed: Signal
    o_tile_freed: Signal
    o_idle: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_full": In(1),
                "i_chunk": In(Chunk(config)),
                "i_group": In(1),
                "i_entry_freed": In(1),
                "i_residual": In(1),
                "i_bias_swap": In(1),
                "i_scale_swap": In(1),
                "o_start": Out(1),
                "o_valid": Out(1),
                "o_first": Out(1),
                "o_address": Out(ceil_log2(config.ifmap_elements)),
                "o_line": Out(PlayedLine(config)),
                "o_drain": Out(Drain(config)),
                "o_lanes": Out(ceil_log2(config.rows + 1)),
                "o_filter_freed": Out(ceil_log2(config.filter_lines + 1)),
                "o_tile_freed": Out(1),
                "o_idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the step's three counters and its start."""
        m = Module()
        config, chunk = self.config, self.i_chunk

        starts, begin = signals("starts begin")  # a step starts; its first cycle
        step = Signal(Chunk(config))
        longest = least_period(config) + config.bias_lines + config.scale_lines
        left = Signal(range(longest + 1))  # cycles of the step
        parameters = Signal(range(config.bias_lines + config.scale_lines + 1))
        m.d.comb += parameters.eq(
            Mux(chunk.bias, config.bias_lines, 0) + Mux(chunk.scale, config.scale_lines, 0)
        )
        m.d.sync += begin.eq(starts)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(starts):
            m.d.sync += [step.eq(chunk), left.eq(least_period(config) + parameters)]

        self._vectors(m, starts, step)
        self._lines(m, starts, begin, step)
        m.d.comb += [
            starts.eq(self._may_start(m, starts, left, parameters)),
            self.o_start.eq(starts),
            self.o_lanes.eq(step.lanes),
        ]

        freed = Signal(FREE_DELAY)
        m.d.sync += freed.eq((freed << 1) | ((left == 1) & step.tile_last))
        m.d.comb += [
            self.o_tile_freed.eq(freed[-1]),
            self.o_idle.eq((left == 0) & (freed == 0)),
        ]

        return m

    def _vectors(self, m: Module, starts: Signal, step: data.View) -> None:
        """Issue the group's pixels to the rows."""
        m.submodules.walk = walk = PixelWalk(self.config)
        issuing = Signal()
        row = Signal(range(self.config.rows))
        walk.i_layer = self.i_layer
        m.d.comb += [
            walk.i_images.eq(step.images),
            walk.i_rows.eq(step.rows),
            walk.i_columns.eq(step.columns),
            walk.i_step.eq(issuing),
            walk.i_mark.eq(starts),
            walk.i_restart.eq(starts & self.i_chunk.restarts),
            walk.i_rewind.eq(starts & self.i_chunk.rewinds),
            self.o_valid.eq(issuing),
            self.o_first.eq(row == 0),
            self.o_address.eq(step.element + walk.o_offset),
        ]
        with m.If(issuing):
            m.d.sync += row.eq(row + 1)
            with m.If((row == self.config.rows - 1) | walk.o_last):
                m.d.sync += issuing.eq(0)
        with m.If(starts):
            m.d.sync += [issuing.eq(1), row.eq(0)]

    def _lines(self, m: Module, starts: Signal, begin: Signal, step: data.View) -> None:
        """Play biases, scales and weights, in the order of the filter stream."""
        config, chunk, line = self.config, self.i_chunk, self.o_line
        walk_index = m.submodules.walk.o_index
        index = Signal(config.count_bits)
        biases = Signal(range(config.bias_lines + 1))
        scales = Signal(range(config.scale_lines + 1))
        weights = Signal(range(config.rows + 1))
        place = Signal.like(line.line)
        group_psum = Signal(config.count_bits)
        m.d.comb += [
            line.valid.eq((biases != 0) | (scales != 0) | (weights != 0)),
            line.kind.eq(
                Mux(biases != 0, LineKind.BIAS, Mux(scales != 0, LineKind.SCALE, LineKind.WEIGHT))
            ),
            line.line.eq(place),
            line.opens.eq(step.opens & (weights == step.lanes)),
            line.ends.eq((biases == 0) & (scales == 0) & (weights == 1)),
            # Where the reduction is not tiled, groups use the same entries in turn.
            group_psum.eq(Mux(begin, walk_index, index)),
            self.o_drain.valid.eq(line.ends & step.drains),
            self.o_drain.psum.eq(step.psum + Mux(self.i_layer.psum_stride != 0, group_psum, 0)),
            self.o_drain.first.eq(step.first),
            self.o_drain.final.eq(step.final),
            self.o_drain.swap_bias.eq(step.first & step.new_filters),
            self.o_drain.swap_scale.eq(step.final & step.new_filters),
            self.o_filter_freed.eq(Mux(line.ends & ~step.keeps, step.parameters + step.lanes, 0)),
        ]
        with m.If(begin):
            m.d.sync += index.eq(walk_index)
        with m.If(line.valid):
            m.d.sync += place.eq(Mux(place == config.filter_lines - 1, 0, place + 1))
        with m.If(biases != 0):
            m.d.sync += biases.eq(biases - 1)
        with m.Elif(scales != 0):
            m.d.sync += scales.eq(scales - 1)
        with m.Elif(weights != 0):
            m.d.sync += weights.eq(weights - 1)
        with m.If(starts):
            m.d.sync += [
                place.eq(chunk.line),
                biases.eq(Mux(chunk.bias, config.bias_lines, 0)),
                scales.eq(Mux(chunk.scale, config.scale_lines, 0)),
                weights.eq(chunk.lanes),
            ]

    def _may_start(self, m: Module, starts: Signal, left: Signal, parameters: Signal) -> Signal:
        """Everything that a step may wait for."""
        config, chunk = self.config, self.i_chunk

        m.submodules.count = count = GroupCount(config)
        m.d.comb += [
            count.i_begin.eq(self.i_begin),
            count.i_group.eq(self.i_group),
            count.i_needed.eq(chunk.groups),
        ]

        # Cycles until the psums of the latest group have left, or would with a next last line now.
        drain_cycles = config.rows * config.pace
        draining = Signal(range(config.bias_lines + config.scale_lines + 2 * drain_cycles + 1))
        clear = Signal()
        m.d.comb += clear.eq(draining <= parameters + chunk.lanes)
        with m.If(draining != 0):
            m.d.sync += draining.eq(draining - 1)
        with m.If(starts & chunk.drains):
            m.d.sync += draining.eq(
                parameters + chunk.lanes + Mux(chunk.final, drain_cycles, config.rows) - 1
            )

        # Room for a group in the ofmap buffer, residuals with a filter block's first group.
        m.submodules.room = room = OfmapRoom(config)
        walk = m.submodules.walk
        final, brings = signals("final brings")
        with m.If(starts):
            m.d.sync += final.eq(chunk.final)
        room.i_layer = self.i_layer
        m.d.comb += [
            brings.eq(chunk.final & chunk.new_filters),
            room.i_begin.eq(self.i_begin),
            room.i_completes.eq(self.o_valid & final),
            room.i_column_last.eq(walk.o_column_last),
            room.i_row_last.eq(walk.o_row_last),
            room.i_entry_freed.eq(self.i_entry_freed),
            room.i_residual.eq(self.i_residual),
            room.i_take.eq(starts & brings),
            room.i_need.eq(config.rows),
        ]

        # Parameters on their way.
        bias_waits, scale_waits, free = signals("bias_waits scale_waits free")
        m.d.comb += free.eq(~(bias_waits | scale_waits) | (parameters == 0))
        with m.If(self.i_bias_swap):
            m.d.sync += bias_waits.eq(0)
        with m.If(self.i_scale_swap):
            m.d.sync += scale_waits.eq(0)
        with m.If(starts):
            with m.If(chunk.bias):
                m.d.sync += bias_waits.eq(1)
            with m.If(chunk.scale):
                m.d.sync += scale_waits.eq(1)
        with m.If(self.i_begin):
            m.d.sync += [draining.eq(0), bias_waits.eq(0), scale_waits.eq(0)]

        may_start = Signal()
        m.d.comb += may_start.eq(
            self.i_full
            & count.o_loaded
            & (left <= 1)
            & (~chunk.drains | clear)
            & (~chunk.final | room.o_fits)
            & (~brings | room.o_present)
            & free
        )
        return may_start

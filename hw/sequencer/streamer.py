"""Streams a tile's pixels past a weight block: one step."""

from amaranth.hdl import Const, Module, Mux, Signal, ValueLike
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import Op
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.block import Block
from stillflow.hw.sequencer.fir_walk import FirWalk
from stillflow.hw.sequencer.group_count import GroupCount
from stillflow.hw.sequencer.nest import Choice, LoopNest, drive_counts
from stillflow.hw.sequencer.ofmap_room import OfmapRoom
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import FREE_DELAY, hazard
from stillflow.hw.words import FilterPlace, Vector


class Level(enum.IntEnum):
    """Loops of a step, innermost first."""

    CYCLE = 0
    COLUMN = 1
    ROW = 2
    IMAGE = 3


class Streamer(wiring.Component):
    """Runs steps back to back: a vector a cycle, ``pace`` cycles each where psums are complete.

    A step starts when its block is full, its plane groups are loaded and, where it completes
    psums, the ofmap buffer has room for the largest tile and the block's residuals are there; then
    it never stalls. It takes the pixels times the pace, at least `stillflow.hw.timing.hazard`
    cycles. ``o_start`` comes one cycle before the first ``o_vector``; there is no bubble between
    steps.

    A depthwise step is walked by `FirWalk`: strip by strip, each when there is room for it.

    Where every vector reads its weights, a block's lines are free when its tile would be.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths and pace.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_full, i_block
        The block that waits.
    i_group : ``In(1)``
        A plane group was loaded.
    i_entry_freed : ``In(1)``
        An entry of the ofmap buffer is free again.
    i_residual : ``In(1)``
        The residuals of a filter block were loaded.
    o_start : ``Out(1)``
        The block's step starts.
    o_vector : ``Out(Vector)``
    o_lanes, o_weights : elements of this vector, rows that hold a weight for it
    o_place, o_filter_freed
        Only where every vector reads its weights: the first of its lines; lines of the filter
        buffer that are free from the next cycle on.
    o_streaming : ``Out(1)``
        A step goes on.
    o_tile_freed : ``Out(1)``
        The slot of the tile is free again.
    o_idle : ``Out(1)``
    """

    i_begin: Signal
    i_layer: Layer
    i_full: Signal
    i_block: data.View
    i_group: Signal
    i_entry_freed: Signal
    i_residual: Signal
    o_start: Signal
    o_vector: data.View
    o_lanes: Signal
    o_weights: Signal
    o_place: data.View
    o_filter_freed: Signal
    o_streaming: Signal
    o_tile_freed: Signal
    o_idle: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        lines = {
            "o_place": Out(FilterPlace(config)),
            "o_filter_freed": Out(ceil_log2(config.filter_lines + 1)),
        }
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_full": In(1),
                "i_block": In(Block(config)),
                "i_group": In(1),
                "i_entry_freed": In(1),
                "i_residual": In(1),
                "o_start": Out(1),
                "o_vector": Out(Vector(config)),
                "o_lanes": Out(ceil_log2(config.rows + 1)),
                "o_weights": Out(ceil_log2(config.rows + 1)),
                "o_streaming": Out(1),
                "o_tile_freed": Out(1),
                "o_idle": Out(1),
            }
            | (lines if config.reads_weights else {})
        )

    def elaborate(self, platform: object) -> Module:
        """Build the start condition and the pixel loops."""
        m = Module()
        config, layer, block = self.config, self.i_layer, self.i_block
        element_bits = ceil_log2(config.ifmap_elements)

        depthwise = layer.depthwise if config.has_chains else Const(0, 1)
        fir_active, fir_finishing, fir_completes = signals("fir_active fir_finishing fir_completes")
        active, starts, last, finishing = signals("active starts last finishing")
        step = Signal(Block(config))
        hold = Signal(range(hazard(config)))
        rested = Signal(init=1)  # `hold` is zero
        address, row_start, image_start = (
            Signal(element_bits, name=n) for n in ("address", "row_start", "image_start")
        )
        psum = Signal.like(step.psum)
        begin = Signal()

        # Pixel loops; where psums are complete a pixel takes ``pace`` cycles.
        bits = max(config.count_bits, ceil_log2(config.pace + 1))
        m.submodules.nest = nest = LoopNest(len(Level), bits)
        counts = {
            Level.CYCLE: Choice(
                starts, Mux(block.final, config.pace, 1), Mux(step.final, config.pace, 1)
            ),
            Level.COLUMN: Choice(starts, block.columns, step.columns),
            Level.ROW: Choice(starts, block.rows, step.rows),
            Level.IMAGE: Choice(starts, block.images, step.images),
        }
        drive_counts(m, nest, counts, settled=False)
        moved = nest.o_level
        m.d.comb += [
            nest.i_step.eq((starts & ~depthwise) | (active & ~nest.o_done)),
            last.eq(active & nest.o_done),
            finishing.eq(last | fir_finishing),
        ]

        # Start condition. A depthwise block is full when no step goes on any more.
        pixel = active & nest.o_first[Level.CYCLE]
        m.submodules.count = count = GroupCount(config)
        m.submodules.room = room = OfmapRoom(config)
        room.i_layer = layer
        m.d.comb += [
            count.i_begin.eq(self.i_begin),
            count.i_group.eq(self.i_group),
            count.i_needed.eq(block.groups),
            room.i_begin.eq(self.i_begin),
            room.i_completes.eq(pixel & step.final),
            room.i_completes_within.eq(fir_completes),
            room.i_column_last.eq(nest.o_last[Level.COLUMN]),
            room.i_row_last.eq(nest.o_last[Level.ROW]),
            room.i_entry_freed.eq(self.i_entry_freed),
            room.i_residual.eq(self.i_residual),
            room.i_take.eq(starts & block.final),
            room.i_need.eq(layer.tile_pixels),
            starts.eq(
                self.i_full
                & count.o_loaded
                & (~block.final | (room.o_fits & room.o_present))
                & (~self.o_streaming | last)
                & rested
            ),
            self.o_start.eq(starts),
            self.o_streaming.eq(active | fir_active),
        ]
        m.d.sync += rested.eq(~starts & (hold <= 1))
        with m.If(hold != 0):
            m.d.sync += hold.eq(hold - 1)

        next_row, next_image = row_start + layer.stride_e, image_start + layer.stride_n
        with m.If(active):
            m.d.sync += begin.eq(0)
            with m.If(moved[Level.COLUMN]):
                m.d.sync += address.eq(address + layer.stride_f)
            with m.Elif(moved[Level.ROW]):
                m.d.sync += [address.eq(next_row), row_start.eq(next_row)]
            with m.Elif(moved[Level.IMAGE]):
                m.d.sync += [
                    address.eq(next_image),
                    row_start.eq(next_image),
                    image_start.eq(next_image),
                ]
            with m.If(~moved[Level.CYCLE]):
                m.d.sync += psum.eq(psum + 1)
            with m.If(nest.o_done):
                m.d.sync += active.eq(0)
        with m.If(starts):
            m.d.sync += [
                step.eq(block),
                active.eq(~depthwise),
                begin.eq(1),
                hold.eq(hazard(config) - 1),
                address.eq(block.element),
                row_start.eq(block.element),
                image_start.eq(block.element),
                psum.eq(block.psum),
            ]

        vector: dict[str, ValueLike] = {
            "valid": pixel,
            "address": address,
            "emits": pixel,
            "column_last": 0,
            "strip_last": 1,
            "psum": psum,
            "start": begin & pixel,
        }
        if config.has_chains:
            m.submodules.fir = fir = FirWalk(config)
            fir.i_layer = layer
            m.d.comb += [
                fir.i_start.eq(starts & depthwise),
                fir.i_block.eq(block),
                fir.i_room.eq(room.o_room),
                fir_active.eq(fir.o_active),
                fir_finishing.eq(fir.o_finishing),
                fir_completes.eq(fir.o_emits & step.final),
            ]
            vector |= {
                "valid": pixel | fir.o_valid,
                "address": Mux(depthwise, fir.o_address, address),
                "emits": pixel | fir.o_emits,
                "column_last": depthwise & fir.o_column_last,
                "strip_last": ~depthwise | fir.o_strip_last,
                "psum": Mux(depthwise, fir.o_psum, psum),
                "start": Mux(depthwise, fir.o_first & fir.o_valid, begin & pixel),
            }
        m.d.comb += [self.o_vector[name].eq(value) for name, value in vector.items()]
        m.d.comb += [
            self.o_vector.first.eq(step.first),
            self.o_vector.final.eq(step.final),
            self.o_vector.maximum.eq(layer.op == Op.MAXIMUM),
            self.o_lanes.eq(step.lanes),
            self.o_weights.eq(step.weights),
        ]

        # What a step gives back.
        freed = Signal(FREE_DELAY)
        m.d.sync += freed.eq((freed << 1) | (finishing & step.tile_last))
        m.d.comb += [
            self.o_tile_freed.eq(freed[-1]),
            self.o_idle.eq(~self.o_streaming & (freed == 0) & rested),
        ]
        if config.reads_weights:
            lines = Mux(finishing, step.freed, 0)
            m.d.comb += [
                self.o_place.eq(step.place),
                self.o_filter_freed.eq(delayed(m, lines, FREE_DELAY, "lines_freed")),
            ]

        return m

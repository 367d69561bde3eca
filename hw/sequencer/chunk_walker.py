"""Compute side of the nest where psums stay: chunks of the reduction, and their pixel groups."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import Op
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.chunk import Chunk
from stillflow.hw.sequencer.filter_position import FilterPosition
from stillflow.hw.sequencer.k_walk import KWalk
from stillflow.hw.sequencer.nest import Choice, Count, LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.tile_place import TilePlace
from stillflow.hw.signals import signals
from stillflow.hw.words import LaneShift


class Level(enum.IntEnum):
    """Loops around the K walk, innermost first."""

    PIXELS = 0  # pixel groups of the tile
    MB = 1
    S = 2  # window tiles
    R = 3
    C = 4
    M_INNER = 5
    F = 6
    E = 7
    N = 8
    M_OUTER = 9
    G = 10


class Phase(enum.Enum):
    """What the walker does."""

    IDLE = 0
    PARAMETERS = 1  # passes the biases and scales in the filter stream
    LANES = 2
    MOVE = 3  # of the position in the filter stream
    FULL = 4


class ChunkWalker(wiring.Component):
    """Sets up one chunk ahead of the step that computes with another.

    That takes ``rows`` cycles, one lane each, and one more before the first chunk of a filter
    block. A lane waits until its weight line is in the filter buffer. The first lane of the next
    chunk may go out in the cycle of ``i_start``.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_loaded : lines that the filter buffer got since then
    o_lane : ``Out(LaneShift)``
    o_full, o_chunk
        A chunk is set up.
    i_start : ``In(1)``
        Its step starts: only with ``o_full``.
    o_done : ``Out(1)``
        No chunk is left.
    """

    i_begin: Signal
    i_layer: Layer
    i_loaded: Signal
    o_lane: data.View
    o_full: Signal
    o_chunk: data.View
    i_start: Signal
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_loaded": In(filter_position_bits(config)),
                "o_lane": Out(LaneShift(config)),
                "o_full": Out(1),
                "o_chunk": Out(Chunk(config)),
                "i_start": In(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build both nests and the phases of a chunk."""
        m = Module()
        config, layer = self.config, self.i_layer
        element_bits = ceil_log2(config.ifmap_elements)
        position_bits = filter_position_bits(config)

        tile_step, k_step = signals("tile_step k_step")
        m.submodules.nest = nest = LoopNest(len(Level), self.config.count_bits)
        m.submodules.k = k = KWalk(config)
        first, last, moved = nest.o_first, nest.o_last, nest.o_level
        drive_counts(m, nest, self._counts(nest.o_coming), settled=True)
        k.i_layer = layer
        m.d.comb += [
            nest.i_restart.eq(self.o_done),
            nest.i_step.eq(self.i_begin | tile_step),
            k.i_rests.eq(self.o_done),
            k.i_begin.eq(self.i_begin),
            k.i_last_tile.eq(last[Level.C]),
            k.i_coming_last_tile.eq(nest.o_coming[Level.C]),
            k.i_step.eq(k_step),
        ]

        phase = Signal(Phase)
        count = Signal(range(config.rows + 1))
        # The layer's last chunk; no element is left in the chunk.
        finished, ended = signals("finished ended")
        fresh, lanes, over, available = signals("fresh lanes over available")
        passes = Signal()  # the parameters are there
        first_tile, last_tile = (flags[Level.S : Level.C + 1].all() for flags in (first, last))
        begins, closes = first_tile & k.o_first, last_tile & k.o_first
        new_filters = first[Level.PIXELS]
        has_parameters = Signal()
        m.d.comb += [
            has_parameters.eq((begins | closes) & new_filters),
            fresh.eq((phase == Phase.FULL) & self.i_start & ~finished & ~has_parameters),
            lanes.eq((phase == Phase.LANES) | fresh),
            over.eq(ended & ~fresh),
        ]

        m.submodules.stream = stream = FilterPosition(config)
        m.submodules.tile = tile = TilePlace(config)
        here = stream.o_here
        parameters = Signal.like(stream.i_lines)
        ahead = Signal(position_bits)
        held = Signal(Chunk(config))
        start_line = Signal.like(self.o_chunk.line)
        has_start_line, wants_move, new_group = signals("has_start_line wants_move new_group")
        m.d.comb += [
            parameters.eq(
                Mux(first_tile, config.bias_lines, 0) + Mux(last_tile, config.scale_lines, 0)
            ),
            ahead.eq(self.i_loaded - here.position),
            available.eq(ahead != 0),
        ]

        offset = k.o_offset
        linear = Signal(element_bits)
        base = Signal(element_bits)
        lane = self.o_lane
        m.d.comb += [
            base.eq(Mux(count == 0, offset, linear)),
            lane.offset.eq((offset - base) >> ceil_log2(config.ifmap_banks)),
            lane.valid.eq(lanes & (over | available)),
            lane.used.eq(~over),
            k_step.eq(lane.valid & ~over),
            tile_step.eq(k_step & k.o_done),
        ]
        next_phase = Signal(Phase)
        m.d.comb += next_phase.eq(
            Mux(wants_move | (tile_step & moved[Level.F :].any()), Phase.MOVE, Phase.FULL)
        )
        with m.If(self.i_start):
            m.d.sync += ended.eq(0)
            with m.If(finished):
                m.d.sync += phase.eq(Phase.IDLE)
            with m.Else():
                m.d.sync += phase.eq(Mux(has_parameters, Phase.PARAMETERS, Phase.LANES))
        with m.If(lane.valid):
            m.d.sync += [count.eq(count + 1), linear.eq(base + 1)]
            with m.If(count == config.rows - 1):
                m.d.sync += [count.eq(0), phase.eq(next_phase), has_start_line.eq(0)]
            with m.If(count == 0):
                self._open(m, held, nest, k, tile)
                m.d.sync += [
                    held.element.eq(tile.o_element + offset),
                    held.line.eq(Mux(has_start_line, start_line, here.place.line)),
                    held.bias.eq(begins & new_filters),
                    held.scale.eq(closes & new_filters),
                    held.restarts.eq(k.o_first & new_filters),
                    held.rewinds.eq(~k.o_first),
                    held.opens.eq(k.o_first | (layer.op == Op.MAXIMUM)),
                    held.parameters.eq(Mux(k.o_first, parameters, 0)),
                ]
            with m.If(~over):
                m.d.sync += [
                    ended.eq(k.o_breaks | k.o_done),
                    held.lanes.eq(count + 1),
                    held.drains.eq(k.o_done | (layer.op == Op.MAXIMUM)),
                    held.final.eq(k.o_done & last_tile),
                    held.tile_last.eq(k.o_done & last[Level.PIXELS] & last[Level.MB]),
                    finished.eq(k.o_done & nest.o_done),
                ]
        with m.If(phase == Phase.PARAMETERS):
            with m.If(passes):
                m.d.sync += [
                    phase.eq(Phase.LANES),
                    start_line.eq(here.place.line),
                    has_start_line.eq(1),
                ]
        with m.If(phase == Phase.MOVE):
            m.d.sync += [phase.eq(Phase.FULL), wants_move.eq(0)]

        # The tile loops step with the last element of a reduction tile. Another pixel group needs
        # the same lines once more; at a new pixel tile, filters that stay are read again from where
        # their group begins.
        moves = phase == Phase.MOVE
        next_tile = ~(moved[Level.PIXELS] | moved[Level.MB])
        tile.i_layer = layer
        m.d.comb += [
            passes.eq((phase == Phase.PARAMETERS) & (ahead >= parameters)),
            stream.i_begin.eq(self.i_begin),
            stream.i_lines.eq(Mux(passes, parameters, k_step)),
            stream.i_mark_block.eq(k_step & k.o_first & new_filters),
            stream.i_to_block.eq(tile_step & moved[Level.PIXELS]),
            stream.i_mark_group.eq(moves & new_group),
            stream.i_to_group.eq(moves & ~new_group & layer.filter_resident),
            tile.i_begin.eq(self.i_begin),
            tile.i_next_block.eq(tile_step & moved[Level.MB]),
            tile.i_next_tile.eq(tile_step & next_tile),
            tile.i_groups.eq(k.o_groups),
        ]
        with m.If(tile_step):
            m.d.sync += [
                wants_move.eq(moved[Level.F :].any()),
                new_group.eq(moved[Level.M_OUTER :].any()),
            ]

        m.d.comb += [
            self.o_full.eq(phase == Phase.FULL),
            self.o_done.eq(phase == Phase.IDLE),
            self.o_chunk.eq(held),
        ]
        with m.If(self.i_begin):
            m.d.sync += phase.eq(Phase.PARAMETERS)
            m.d.sync += [
                register.eq(0) for register in (count, ended, finished, wants_move, has_start_line)
            ]

        return m

    def _counts(self, coming: Signal) -> dict[int, Count]:
        layer = self.i_layer
        in_last_image = Choice(
            coming[Level.E],
            Choice(coming[Level.F], layer.pixel_groups_ef, layer.pixel_groups_e),
            Choice(coming[Level.F], layer.pixel_groups_f, layer.pixel_groups),
        )
        whole_images = coming[Level.E] & coming[Level.F] & ~coming[Level.N]
        counts = loop_counts(Level, layer, coming)
        counts[Level.PIXELS] = Choice(whole_images, layer.pixel_groups_n, in_last_image)
        return counts

    def _open(self, m: Module, held: data.View, nest: LoopNest, k: KWalk, tile: TilePlace) -> None:
        """Note what a chunk's first element says."""
        layer, first, last = self.i_layer, nest.o_first, nest.o_last
        m.d.sync += [
            held.psum.eq(tile.o_psum),
            held.groups.eq(tile.o_groups + k.o_group + 1),
            held.images.eq(Mux(last[Level.N], layer.pn_last, layer.pn)),
            held.rows.eq(Mux(last[Level.E], layer.pe_last, layer.pe)),
            held.columns.eq(Mux(last[Level.F], layer.pf_last, layer.pf)),
            held.new_filters.eq(first[Level.PIXELS]),
            held.keeps.eq(
                ~last[Level.PIXELS]
                | (layer.filter_resident & ~(last[Level.F] & last[Level.E] & last[Level.N]))
            ),
            held.first.eq(
                first[Level.S : Level.C + 1].all() & (k.o_first | (layer.op != Op.MAXIMUM))
            ),
        ]

"""Compute side of the nest where psums stay: chunks of the reduction, and their pixel groups."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import Op
from stillflow.hw.sequencer.k_walk import KWalk
from stillflow.hw.sequencer.nest import LoopNest
from stillflow.hw.words import LaneShift, LayerDescriptor


class Level(enum.IntEnum):
    """Loops around the K walk, innermost first."""

    PIXELS = 0  # pixel groups of the tile
    MB = 1
    C = 2
    M_INNER = 3
    F = 4
    E = 5
    N = 6
    M_OUTER = 7
    G = 8


class Chunk(data.StructLayout):
    """A chunk of the reduction that is set up, and the step it is for.

    Members
    -------
    element : ifmap buffer element of lane 0 at the tile's first pixel
    psum : psum entry of the tile's first pixel
    line : of the filter buffer: the first of the chunk, parameters included
    bias, scale : those parameters come before its weights
    lanes : elements, and weight lines
    groups : plane groups that must be loaded, counted from the start of the layer
    images, rows, columns : pixels of the tile
    restarts, rewinds : the step's pixels are the tile's first ones, the same as the last step's
    opens, drains : it begins, completes psums in the array
    first, final : ... that begin, complete the reduction
    new_filters : ... and are the first of these filters
    tile_last : the last step that reads the ifmap tile
    freed : lines of the filter buffer that are not needed again
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        flags = (
            "bias", "scale", "restarts", "rewinds", "opens", "drains", "first", "final",
            "new_filters", "tile_last",
        )  # fmt: skip
        super().__init__(
            {
                "element": ceil_log2(config.ifmap_elements),
                "psum": max(1, ceil_log2(config.psum_depth)),
                "line": ceil_log2(config.filter_lines),
                "lanes": ceil_log2(config.rows + 1),
                "groups": 16,
                "images": 16,
                "rows": 16,
                "columns": 16,
                "freed": ceil_log2(config.filter_lines + 1),
            }
            | dict.fromkeys(flags, 1)
        )


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
    i_layer: data.View
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
                "i_layer": In(LayerDescriptor()),
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

        tile_step, k_step = Signal(), Signal()
        m.submodules.nest = nest = LoopNest(len(Level))
        m.submodules.k = k = KWalk(config)
        first, last, moved = nest.o_first, nest.o_last, nest.o_level
        m.d.comb += [nest.i_counts[i].eq(count) for i, count in self._counts(last).items()]
        m.d.comb += [
            nest.i_restart.eq(self.i_begin),
            nest.i_step.eq(tile_step),
            k.i_begin.eq(self.i_begin),
            k.i_layer.eq(layer),
            k.i_last_tile.eq(last[Level.C]),
            k.i_step.eq(k_step),
        ]

        phase = Signal(Phase)
        count = Signal(range(config.rows + 1))
        finished, ended = Signal(), Signal()  # the layer's last chunk; no element is left in it
        fresh, lanes, over, available = Signal(), Signal(), Signal(), Signal()
        begins, closes = first[Level.C] & k.o_first, last[Level.C] & k.o_first
        new_filters = first[Level.PIXELS]
        has_parameters = Signal()
        m.d.comb += [
            has_parameters.eq((begins | closes) & new_filters),
            fresh.eq((phase == Phase.FULL) & self.i_start & ~finished & ~has_parameters),
            lanes.eq((phase == Phase.LANES) | fresh),
            over.eq(ended & ~fresh),
        ]

        # Position in the filter stream, where the weights of these filters and of this group
        # of filter blocks begin.
        position = Signal(filter_position_bits(config))
        line = Signal(ceil_log2(config.filter_lines))
        again_position, again_line = Signal.like(position), Signal.like(line)
        group_position, group_line = Signal.like(position), Signal.like(line)
        parameters = Signal(range(config.bias_lines + config.scale_lines + 1))
        ahead = Signal.like(position)
        m.d.comb += [
            parameters.eq(
                Mux(first[Level.C], config.bias_lines, 0)
                + Mux(last[Level.C], config.scale_lines, 0)
            ),
            ahead.eq(self.i_loaded - position),
            available.eq(ahead != 0),
        ]

        def line_after(lines: Signal | int) -> Signal:
            total = Signal(range(2 * config.filter_lines))
            m.d.comb += total.eq(line + lines)
            wrapped = Signal.like(line)
            m.d.comb += wrapped.eq(
                Mux(total >= config.filter_lines, total - config.filter_lines, total)
            )
            return wrapped

        # Tile: slot of the ifmap buffer, psums, plane groups.
        slot, slot_base = Signal(8), Signal(element_bits)
        psum_base, tile_groups = Signal.like(self.o_chunk.psum), Signal(16)
        slot_wraps = slot == layer.slots - 1
        held, start_line = Signal(Chunk(config)), Signal.like(line)
        has_start_line, wants_move, new_group = Signal(), Signal(), Signal()

        offset, linear, base = k.o_offset, Signal(element_bits), Signal(element_bits)
        lane = self.o_lane
        m.d.comb += [
            base.eq(Mux(count == 0, offset, linear)),
            lane.offset.eq((offset - base) >> ceil_log2(config.ifmap_banks)),
            lane.valid.eq(lanes & (over | available)),
            lane.used.eq(~over),
            k_step.eq(lane.valid & ~over),
            tile_step.eq(k_step & k.o_done),
        ]
        next_line = line_after(1)
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
        opens_filters = k.o_first & new_filters
        with m.If(k_step & opens_filters):
            m.d.sync += [again_position.eq(position), again_line.eq(line)]
        with m.If(k_step):
            m.d.sync += [position.eq(position + 1), line.eq(next_line)]
        with m.If(lane.valid):
            m.d.sync += [count.eq(count + 1), linear.eq(base + 1)]
            with m.If(count == config.rows - 1):
                m.d.sync += [count.eq(0), phase.eq(next_phase), has_start_line.eq(0)]
            with m.If(count == 0):
                self._open(m, held, nest, k, tile_groups, slot_base + offset, psum_base)
                m.d.sync += [
                    held.line.eq(Mux(has_start_line, start_line, line)),
                    held.bias.eq(begins & new_filters),
                    held.scale.eq(closes & new_filters),
                    held.restarts.eq(k.o_first & new_filters),
                    held.rewinds.eq(~k.o_first),
                    held.opens.eq(k.o_first | (layer.op == Op.MAXIMUM)),
                    held.freed.eq(Mux(k.o_first, parameters, 0)),
                ]
            with m.If(~over):
                m.d.sync += [
                    ended.eq(k.o_breaks | k.o_done),
                    held.lanes.eq(count + 1),
                    held.drains.eq(k.o_done | (layer.op == Op.MAXIMUM)),
                    held.final.eq(k.o_done & last[Level.C]),
                    held.tile_last.eq(k.o_done & last[Level.PIXELS] & last[Level.MB]),
                    finished.eq(k.o_done & nest.o_done),
                ]
        with m.Switch(phase):
            with m.Case(Phase.PARAMETERS):
                with m.If(ahead >= parameters):
                    m.d.sync += [
                        phase.eq(Phase.LANES),
                        position.eq(position + parameters),
                        line.eq(line_after(parameters)),
                        start_line.eq(line),
                        has_start_line.eq(1),
                    ]
            with m.Case(Phase.MOVE):
                m.d.sync += [phase.eq(Phase.FULL), wants_move.eq(0)]
                with m.If(new_group):
                    m.d.sync += [group_position.eq(position), group_line.eq(line)]
                with m.Elif(layer.filter_resident):
                    m.d.sync += [position.eq(group_position), line.eq(group_line)]

        # The tile loops step with the last element of a reduction tile. Another pixel group needs
        # the same lines once more; at a new pixel tile, filters that stay are read again from where
        # their group begins.
        with m.If(tile_step):
            m.d.sync += [
                wants_move.eq(moved[Level.F :].any()),
                new_group.eq(moved[Level.M_OUTER :].any()),
            ]
            with m.If(moved[Level.PIXELS] & ~opens_filters):
                m.d.sync += [position.eq(again_position), line.eq(again_line)]
            with m.Elif(moved[Level.PIXELS]):  # a reduction of one element
                m.d.sync += [position.eq(position), line.eq(line)]
            with m.Elif(moved[Level.MB]):
                m.d.sync += psum_base.eq(psum_base + layer.psum_stride)
            with m.Else():
                m.d.sync += [
                    psum_base.eq(0),
                    tile_groups.eq(tile_groups + k.o_groups),
                    slot.eq(Mux(slot_wraps, 0, slot + 1)),
                    slot_base.eq(Mux(slot_wraps, 0, slot_base + layer.slot_size)),
                ]

        keeps = Signal()
        with m.If(lane.valid & (count == 0)):
            m.d.sync += keeps.eq(
                ~last[Level.PIXELS]
                | (layer.filter_resident & ~(last[Level.F] & last[Level.E] & last[Level.N]))
            )
        m.d.comb += [
            self.o_full.eq(phase == Phase.FULL),
            self.o_done.eq(phase == Phase.IDLE),
            self.o_chunk.eq(held),
            self.o_chunk.freed.eq(Mux(keeps, 0, held.freed + held.lanes)),
        ]
        with m.If(self.i_begin):
            m.d.sync += phase.eq(Phase.PARAMETERS)
            m.d.sync += [
                register.eq(0)
                for register in (
                    slot, slot_base, psum_base, tile_groups, position, line, group_position,
                    group_line, count, ended, finished, wants_move, has_start_line,
                )
            ]  # fmt: skip

        return m

    def _counts(self, last: Signal) -> dict[Level, Signal]:
        layer = self.i_layer
        in_last_image = Mux(
            last[Level.E],
            Mux(last[Level.F], layer.pixel_groups_ef, layer.pixel_groups_e),
            Mux(last[Level.F], layer.pixel_groups_f, layer.pixel_groups),
        )
        whole_images = last[Level.E] & last[Level.F] & ~last[Level.N]
        last_m = last[Level.M_INNER] & last[Level.M_OUTER]
        return {
            Level.PIXELS: Mux(whole_images, layer.pixel_groups_n, in_last_image),
            Level.MB: Mux(last_m, layer.mb_count_last, layer.mb_count),
            Level.C: layer.c_count,
            Level.M_INNER: Mux(layer.m_outer, 1, layer.m_count),
            Level.F: layer.f_count,
            Level.E: layer.e_count,
            Level.N: layer.n_count,
            Level.M_OUTER: Mux(layer.m_outer, layer.m_count, 1),
            Level.G: layer.g_count,
        }

    def _open(
        self, m: Module, held: data.View, nest: LoopNest, k: KWalk, tile_groups: Signal,
        element: Signal, psum: Signal,
    ) -> None:  # fmt: skip
        """Note what a chunk's first element says."""
        layer, first, last = self.i_layer, nest.o_first, nest.o_last
        m.d.sync += [
            held.element.eq(element),
            held.psum.eq(psum),
            held.groups.eq(tile_groups + k.o_group + 1),
            held.images.eq(Mux(last[Level.N], layer.pn_last, layer.pn)),
            held.rows.eq(Mux(last[Level.E], layer.pe_last, layer.pe)),
            held.columns.eq(Mux(last[Level.F], layer.pf_last, layer.pf)),
            held.new_filters.eq(first[Level.PIXELS]),
        ]
        with m.If(layer.op == Op.MAXIMUM):
            m.d.sync += held.first.eq(first[Level.C] & k.o_first)
        with m.Else():
            m.d.sync += held.first.eq(first[Level.C])

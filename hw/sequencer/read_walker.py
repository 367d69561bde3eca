"""Load side of the nest: what is read from DRAM, in the order of its first use."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.residual import TABLE_BYTES, Join
from stillflow.hw.sequencer.group_rows import GroupRows
from stillflow.hw.sequencer.nest import Choice, LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.nest_address import NestAddress, tile_origin
from stillflow.hw.sequencer.residual_walker import ResidualWalker
from stillflow.hw.signals import signals
from stillflow.hw.words import Segment, SegmentKind


class Level(enum.IntEnum):
    """Loops of the walk, innermost first."""

    GROUP = 0  # plane groups of a reduction tile
    MB = 1  # filter blocks
    S = 2  # window tiles
    R = 3
    C = 4
    M_INNER = 5
    F = 6
    E = 7
    N = 8
    M_OUTER = 9
    G = 10


class State(enum.Enum):
    """What the walker does next."""

    IDLE = 0
    GROUP = 1
    ROWS = 2
    SLAB = 3
    ADVANCE = 4
    TABLE = 5
    RESIDUAL = 6


class ReadWalker(wiring.Component):
    """Emits the read segments of a layer.

    A table, if the layer has one. For each plane group of each pass over a tile: the ifmap rows, if
    this is the first filter block to use them, then the filter lines, if they are not on chip.
    Behind the last plane group of a filter block, the residuals of its words, if they are joined
    with any. A tile waits for a free slot of the ifmap buffer. About one segment a cycle; a few
    cycles between plane groups.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_start : ``In(1)``
        Begin the layer of ``i_layer``, which stays until ``o_done``.
    i_layer : ``In(LayerDescriptor)``
    i_tile_freed : ``In(1)``
        A slot of the ifmap buffer is free again.
    i_entry_freed : ``In(1)``
        An entry of the residuals may be filled again.
    o_segment : ``Out(stream.Signature(Segment))``
    o_done : ``Out(1)``
        Nothing is left to emit.
    """

    i_start: Signal
    i_layer: Layer
    i_tile_freed: Signal
    i_entry_freed: Signal
    o_segment: stream.Interface
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_start": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_tile_freed": In(1),
                "i_entry_freed": In(1),
                "o_segment": Out(stream.Signature(Segment(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the nest, the row walk and the state machine."""
        m = Module()
        config, layer = self.config, self.i_layer
        element_bits = ceil_log2(config.ifmap_elements)

        step = Signal()
        m.submodules.nest = nest = LoopNest(len(Level), config.count_bits)
        last, first = nest.o_last, nest.o_first
        counts = loop_counts(Level, layer, nest.o_coming)
        counts[Level.GROUP] = Choice(nest.o_coming[Level.C], layer.k_groups_last, layer.k_groups)
        drive_counts(m, nest, counts, settled=True)
        m.d.comb += [nest.i_restart.eq(self.o_done), nest.i_step.eq(self.i_start | step)]

        # The tile's top left corner, padding included: DRAM address of the plane group, first row
        # and element in the ifmap plane.
        strides = {
            Level.GROUP: layer.ifmap_stride_group,
            Level.S: layer.ifmap_stride_st,
            Level.R: layer.ifmap_stride_rt,
            Level.C: layer.ifmap_stride_ct,
            Level.F: layer.ifmap_stride_ft,
            Level.E: layer.ifmap_stride_et,
            Level.N: layer.ifmap_stride_nt,
            Level.G: layer.ifmap_stride_g,
        }
        m.submodules.corner = corner = NestAddress(
            tuple(lv in strides for lv in Level), config.address_bits
        )
        m.d.comb += [
            corner.i_base.eq(layer.ifmap_address),
            corner.i_restart.eq(self.i_start),
            corner.i_step.eq(step),
            corner.i_ends.eq(nest.o_ends),
            corner.i_level.eq(nest.o_level),
        ]
        m.d.comb += [corner.i_strides[level].eq(stride) for level, stride in strides.items()]
        row0 = tile_origin(
            m, "row", step, nest.o_level, self.i_start, part=Level.R, tile=Level.E,
            bits=config.count_bits + 1, part_step=layer.h_step_rt, tile_step=layer.h_step,
            origin=layer.h_origin,
        )  # fmt: skip
        element0 = tile_origin(
            m, "element", step, nest.o_level, self.i_start, part=Level.S, tile=Level.F,
            bits=config.length_bits + 1, part_step=layer.w_step_st, tile_step=layer.w_step,
            origin=layer.w_origin,
        )  # fmt: skip

        # The slot it goes to.
        slot = Signal(8)
        slot_base = Signal(element_bits)
        group_base = Signal(element_bits)
        moved = nest.o_level
        new_tile = moved[Level.S :].any()
        slot_wraps = slot == layer.slots - 1
        next_base = Signal(element_bits)
        m.d.comb += next_base.eq(Mux(slot_wraps, 0, slot_base + layer.slot_size))
        with m.If(step):
            with m.If(moved[Level.GROUP]):
                m.d.sync += group_base.eq(group_base + layer.buffer_stride_group)
            with m.If(new_tile):
                m.d.sync += [
                    slot.eq(Mux(slot_wraps, 0, slot + 1)),
                    slot_base.eq(next_base),
                    group_base.eq(next_base),
                ]
        with m.If(self.i_start):
            m.d.sync += [slot.eq(0), slot_base.eq(0), group_base.eq(0)]

        # Slots in use: one is taken with a tile's first plane group.
        used = Signal(9)
        takes = Signal()
        m.d.sync += used.eq(used + takes - self.i_tile_freed)
        with m.If(self.i_start):
            m.d.sync += used.eq(0)

        # Rows of a plane group.
        m.submodules.rows = rows = GroupRows(config)
        last_group = last[Level.GROUP] & last[Level.C] & (~layer.depthwise | last[Level.G])
        rows.i_layer = layer
        m.d.comb += [
            rows.i_corner.address.eq(corner.o_address),
            rows.i_corner.target.eq(group_base),
            rows.i_corner.row0.eq(row0),
            rows.i_corner.element0.eq(element0),
            rows.i_corner.rows.eq(Mux(last[Level.E], layer.load_rows_last, layer.load_rows)),
            rows.i_corner.images.eq(Mux(last[Level.N], layer.pn_last, layer.pn)),
            rows.i_corner.planes.eq(Mux(last_group, layer.k_planes_last, layer.k_planes)),
            rows.i_corner.width.eq(Mux(last[Level.F], layer.load_width_last, layer.load_width)),
        ]

        # Filters of this plane group: lines, and whether they are on chip already.
        pixels_first = first[Level.F] & first[Level.E] & first[Level.N]
        needs_filters = pixels_first | ~layer.filter_resident
        lines, next_lines = signals("lines next_lines", config.length_bits)
        wants_lines = Signal()
        filters = layer.set_filters if config.has_pe_sets else 1
        biased = first[Level.GROUP] & first[Level.S : Level.C + 1].all()
        scaled = first[Level.GROUP] & last[Level.S : Level.C + 1].all()
        # What the loops say is known a cycle before the lines are asked for at least.
        m.d.sync += wants_lines.eq(needs_filters & (next_lines != 0))
        m.d.sync += lines.eq(next_lines)
        m.d.comb += next_lines.eq(
            Mux(last_group, layer.slab_lines_last, layer.slab_lines)
            + Mux(biased, config.bias_lines * filters, 0)
            + Mux(scaled, config.scale_lines * filters, 0)
        )
        line_beats = config.filter_line_bytes // config.axi_bytes
        beats = Signal(config.length_bits)
        m.d.comb += beats.eq(lines * line_beats)
        pointer, saved = signals("pointer saved", config.address_bits)

        state = Signal(State)
        segment = self.o_segment
        accepted = segment.valid & segment.ready
        completes, wants_residuals = signals("completes wants_residuals")
        m.d.comb += completes.eq(
            (layer.join != Join.NONE) & last[Level.GROUP] & last[Level.S : Level.C + 1].all()
        )
        with m.Switch(state):
            with m.Case(State.IDLE):
                m.d.comb += self.o_done.eq(1)
            with m.Case(State.GROUP):
                with m.If(~first[Level.MB]):
                    m.d.sync += state.eq(State.SLAB)
                with m.Elif(~first[Level.GROUP] | (used < layer.slots)):
                    m.d.comb += [rows.i_start.eq(1), takes.eq(first[Level.GROUP])]
                    m.d.sync += state.eq(State.ROWS)
            with m.Case(State.ROWS):
                m.d.comb += [
                    segment.valid.eq(rows.o_segment.valid),
                    segment.payload.eq(rows.o_segment.payload),
                    rows.o_segment.ready.eq(segment.ready),
                ]
                with m.If(rows.o_done):
                    m.d.sync += state.eq(State.SLAB)
            with m.Case(State.SLAB):
                m.d.comb += [
                    segment.valid.eq(wants_lines),
                    segment.p.kind.eq(SegmentKind.FILTER),
                    segment.p.address.eq(pointer),
                    segment.p.beats.eq(beats),
                ]
                with m.If(accepted | ~segment.valid):
                    m.d.sync += state.eq(State.ADVANCE)
                    if config.finisher:
                        m.d.comb += wants_residuals.eq(completes)
                        with m.If(completes):
                            m.d.sync += state.eq(State.RESIDUAL)
                with m.If(accepted):
                    m.d.sync += pointer.eq(pointer + (beats << ceil_log2(config.axi_bytes)))
            if config.finisher:
                self._finisher_states(m, state, wants_residuals)
            with m.Case(State.ADVANCE):
                m.d.comb += step.eq(1)
                m.d.sync += state.eq(Mux(nest.o_done, State.IDLE, State.GROUP))
                with m.If(moved[Level.F : Level.N + 1].any() & ~layer.filter_resident):
                    m.d.sync += pointer.eq(saved)
                with m.If(moved[Level.M_OUTER :].any()):
                    m.d.sync += saved.eq(pointer)
        with m.If(self.i_start):
            m.d.sync += [
                state.eq(Mux(layer.table, State.TABLE, State.GROUP)),
                pointer.eq(layer.filter_address),
                saved.eq(layer.filter_address),
            ]

        return m

    def _finisher_states(self, m: Module, state: Any, wants_residuals: Signal) -> None:
        """Load what the finisher needs: residuals of a filter block, a layer's table."""
        layer, segment = self.i_layer, self.o_segment
        m.submodules.residuals = residuals = ResidualWalker(self.config)
        residuals.i_layer = layer
        m.d.comb += [
            residuals.i_begin.eq(self.i_start),
            residuals.i_block.eq(wants_residuals),
            residuals.i_entry_freed.eq(self.i_entry_freed),
        ]
        with m.Case(State.RESIDUAL):
            m.d.comb += [
                segment.valid.eq(residuals.o_segment.valid),
                segment.payload.eq(residuals.o_segment.payload),
                residuals.o_segment.ready.eq(segment.ready),
            ]
            with m.If(residuals.o_done):
                m.d.sync += state.eq(State.ADVANCE)
        with m.Case(State.TABLE):
            m.d.comb += [
                segment.valid.eq(1),
                segment.p.kind.eq(SegmentKind.TABLE),
                segment.p.address.eq(layer.table_address),
                segment.p.beats.eq(TABLE_BYTES // self.config.axi_bytes),
            ]
            with m.If(segment.ready):
                m.d.sync += state.eq(State.GROUP)

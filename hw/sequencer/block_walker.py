"""Compute side of the nest: weight blocks, and where each one is used."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.sequencer.k_walk import KWalk
from stillflow.hw.sequencer.nest import LoopNest
from stillflow.hw.words import LayerDescriptor, LineCommand, LineKind


class Level(enum.IntEnum):
    """Loops around the K walk, innermost first."""

    MB = 0
    S = 1  # window tiles
    R = 2
    C = 3
    M_INNER = 4
    F = 5
    E = 6
    N = 7
    M_OUTER = 8
    G = 9


class Block(data.StructLayout):
    """A weight block that waits in the shadow registers, and the step it is for.

    Members
    -------
    element : ifmap buffer element of lane 0 at the tile's first pixel
    psum : psum entry of the first pixel
    groups : plane groups that must be loaded, counted from the start of the layer
    images, rows, columns : pixels of the tile
    lanes : rows that carry an element
    first, final : the reduction begins, is complete
    tile_last : the last step that reads the ifmap tile
    freed : lines of the filter buffer that are not needed again
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "element": ceil_log2(config.ifmap_elements),
                "psum": max(1, ceil_log2(config.psum_depth)),
                "groups": 16,
                "images": 16,
                "rows": 16,
                "columns": 16,
                "lanes": ceil_log2(config.rows + 1),
                "first": 1,
                "final": 1,
                "tile_last": 1,
                "freed": ceil_log2(config.filter_lines + 1),
            }
        )


class Phase(enum.Enum):
    """What the current cycle shifts."""

    IDLE = 0
    WEIGHTS = 1
    GUARD = 2
    BIAS = 3
    SCALE = 4
    MOVE = 5  # of the position in the filter stream
    FULL = 6


class BlockWalker(wiring.Component):
    """Loads one weight block ahead of the step that computes with another.

    A block takes ``rows`` cycles, one line each, lines that do not exist being zero; the first
    block of a filter block's reduction tile also brings biases or scales, which wait ``guard``
    cycles after the last start so that those in use are not overtaken. A line waits until it is in
    the filter buffer. The first line of the next block may go out in the cycle of ``i_start``.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes.
    guard : int
        Cycles from a start until biases and scales of the earlier block are in place.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_loaded : lines that the filter buffer got since then
    o_command : ``Out(LineCommand)``
    o_full, o_block
        A block is complete.
    i_start : ``In(1)``
        Its step starts: only with ``o_full``.
    o_done : ``Out(1)``
        No block is left.
    """

    i_begin: Signal
    i_layer: data.View
    i_loaded: Signal
    o_command: data.View
    o_full: Signal
    o_block: data.View
    i_start: Signal
    o_done: Signal

    def __init__(self, config: AcceleratorConfig, *, guard: int) -> None:
        self.config = config
        self.guard = guard
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor()),
                "i_loaded": In(filter_position_bits(config)),
                "o_command": Out(LineCommand(config)),
                "o_full": Out(1),
                "o_block": Out(Block(config)),
                "i_start": In(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build both nests and the phases of a block."""
        m = Module()
        config, layer = self.config, self.i_layer
        element_bits = ceil_log2(config.ifmap_elements)

        tile_step, k_step = Signal(), Signal()
        m.submodules.nest = nest = LoopNest(len(Level))
        m.submodules.k = k = KWalk(config)
        last, first, moved = nest.o_last, nest.o_first, nest.o_level
        last_m = last[Level.M_INNER] & last[Level.M_OUTER]
        counts = {
            Level.MB: Mux(last_m, layer.mb_count_last, layer.mb_count),
            Level.S: layer.s_count,
            Level.R: layer.r_count,
            Level.C: layer.c_count,
            Level.M_INNER: Mux(layer.m_outer, 1, layer.m_count),
            Level.F: layer.f_count,
            Level.E: layer.e_count,
            Level.N: layer.n_count,
            Level.M_OUTER: Mux(layer.m_outer, layer.m_count, 1),
            Level.G: layer.g_count,
        }
        m.d.comb += [nest.i_counts[level].eq(count) for level, count in counts.items()]
        m.d.comb += [nest.i_restart.eq(self.i_begin), nest.i_step.eq(tile_step)]
        m.d.comb += [k.i_begin.eq(self.i_begin), k.i_layer.eq(layer), k.i_step.eq(k_step)]
        m.d.comb += k.i_last_tile.eq(last[Level.C])

        offset, linear = k.o_offset, Signal(element_bits)
        slot, slot_base = Signal(8), Signal(element_bits)
        psum_base, tile_groups = Signal.like(self.o_block.psum), Signal(16)
        slot_wraps = slot == layer.slots - 1
        position = Signal(filter_position_bits(config))
        line = Signal(ceil_log2(config.filter_lines))
        saved_position, saved_line = Signal.like(position), Signal.like(line)
        new_group = Signal()

        # Phases. The first line of a block may go out while the earlier one still waits as full.
        phase = Signal(Phase)
        count = Signal(range(max(config.rows, config.bias_lines, config.scale_lines) + 1))
        finished = Signal()  # the block in hand is the layer's last
        ended = Signal()  # its chunk has no more elements
        wants_bias, wants_scale, wants_move = Signal(), Signal(), Signal()
        guard = Signal(range(self.guard + 1))
        held = Signal(Block(config))
        taken = Signal.like(held.freed)  # lines of this block
        keeps = Signal()  # ... which will be needed again
        fresh, weights, available, reads, over = Signal(), Signal(), Signal(), Signal(), Signal()
        command = self.o_command
        m.d.comb += [
            fresh.eq((phase == Phase.FULL) & self.i_start & ~finished),
            weights.eq((phase == Phase.WEIGHTS) | fresh),
            over.eq(ended & ~fresh),
            available.eq(self.i_loaded != position),
            command.line.eq(line),
            reads.eq(command.valid & ~command.zero),
        ]
        base = Signal(element_bits)
        m.d.comb += [
            base.eq(Mux(count == 0, offset, linear)),
            command.lane_offset.eq((offset - base) >> ceil_log2(config.ifmap_banks)),
        ]
        with m.If(reads):
            m.d.sync += [
                position.eq(position + 1),
                line.eq(Mux(line == config.filter_lines - 1, 0, line + 1)),
                taken.eq(Mux(weights & (count == 0), 1, taken + 1)),
            ]
        with m.If(guard != 0):
            m.d.sync += guard.eq(guard - 1)
        with m.If(self.i_start):
            m.d.sync += [guard.eq(self.guard), ended.eq(0)]
            m.d.sync += phase.eq(Mux(finished, Phase.IDLE, Phase.WEIGHTS))
        last_tile = last[Level.S : Level.C + 1].all()
        begins = first[Level.S : Level.C + 1].all() & k.o_first
        closes = last_tile & k.o_first
        bias_now = Mux(count == 0, begins, wants_bias)
        scale_now = Mux(count == 0, closes, wants_scale)
        moves_now = tile_step & moved[Level.F :].any()
        after = Signal(Phase)  # where a complete block goes
        m.d.comb += after.eq(Mux(wants_move, Phase.MOVE, Phase.FULL))

        with m.If(weights):
            m.d.comb += [command.valid.eq(over | available), command.zero.eq(over)]
        with m.If(weights & command.valid):
            m.d.sync += [count.eq(count + 1), linear.eq(base + 1)]
            m.d.comb += k_step.eq(~over)
            with m.If(count == config.rows - 1):
                m.d.sync += count.eq(0)
                with m.If(bias_now | scale_now):
                    m.d.sync += phase.eq(Phase.GUARD)
                with m.Else():
                    m.d.sync += phase.eq(Mux(wants_move | moves_now, Phase.MOVE, Phase.FULL))
            with m.If(count == 0):
                m.d.sync += [
                    held.element.eq(slot_base + offset),
                    held.psum.eq(psum_base),
                    held.groups.eq(tile_groups + k.o_group + 1),
                    held.images.eq(Mux(last[Level.N], layer.pn_last, layer.pn)),
                    held.rows.eq(Mux(last[Level.E], layer.pe_last, layer.pe)),
                    held.columns.eq(Mux(last[Level.F], layer.pf_last, layer.pf)),
                    held.first.eq(begins),
                    wants_bias.eq(begins),
                    wants_scale.eq(closes),
                    keeps.eq(
                        layer.filter_resident & ~(last[Level.F] & last[Level.E] & last[Level.N])
                    ),
                ]
            with m.If(~over):
                m.d.comb += tile_step.eq(k.o_done)
                m.d.sync += [
                    ended.eq(k.o_breaks | k.o_done),
                    held.lanes.eq(count + 1),
                    held.final.eq(k.o_done & last_tile),
                    held.tile_last.eq(k.o_done & last[Level.MB]),
                    finished.eq(k.o_done & nest.o_done),
                ]
        with m.Switch(phase):
            with m.Case(Phase.GUARD):
                with m.If(guard == 0):
                    m.d.sync += phase.eq(Mux(wants_bias, Phase.BIAS, Phase.SCALE))
            with m.Case(Phase.BIAS):
                m.d.comb += [command.valid.eq(available), command.kind.eq(LineKind.BIAS)]
                with m.If(available):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == config.bias_lines - 1):
                        m.d.sync += [count.eq(0), phase.eq(Mux(wants_scale, Phase.SCALE, after))]
            with m.Case(Phase.SCALE):
                m.d.comb += [command.valid.eq(available), command.kind.eq(LineKind.SCALE)]
                with m.If(available):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == config.scale_lines - 1):
                        m.d.sync += [count.eq(0), phase.eq(after)]
            with m.Case(Phase.MOVE):
                m.d.sync += phase.eq(Phase.FULL)

        # The tile loops step with the last element of a reduction tile. At a new pixel tile,
        # filters that stay are read again from where their group begins.
        with m.If(tile_step):
            with m.If(moved[Level.MB]):
                m.d.sync += psum_base.eq(psum_base + layer.psum_stride)
            with m.Else():
                m.d.sync += [
                    psum_base.eq(0),
                    tile_groups.eq(tile_groups + k.o_groups),
                    slot.eq(Mux(slot_wraps, 0, slot + 1)),
                    slot_base.eq(Mux(slot_wraps, 0, slot_base + layer.slot_size)),
                ]
            m.d.sync += [wants_move.eq(moves_now), new_group.eq(moved[Level.M_OUTER :].any())]
        with m.If(phase == Phase.MOVE):
            m.d.sync += wants_move.eq(0)
            with m.If(new_group):
                m.d.sync += [saved_position.eq(position), saved_line.eq(line)]
            with m.Elif(layer.filter_resident):
                m.d.sync += [position.eq(saved_position), line.eq(saved_line)]

        m.d.comb += [
            self.o_full.eq(phase == Phase.FULL),
            self.o_done.eq(phase == Phase.IDLE),
            self.o_block.eq(held),
            self.o_block.freed.eq(Mux(keeps, 0, taken)),
        ]
        with m.If(self.i_begin):
            m.d.sync += phase.eq(Phase.WEIGHTS)
            m.d.sync += [
                register.eq(0)
                for register in (
                    slot, slot_base, psum_base, tile_groups, position, line,
                    saved_position, saved_line, count, ended, finished, guard, wants_move,
                )
            ]  # fmt: skip

        return m

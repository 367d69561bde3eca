"""Compute side of the nest: weight blocks, and where each one is used."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.block import Block
from stillflow.hw.sequencer.filter_position import FilterPosition, line_is_there
from stillflow.hw.sequencer.fir_lines import FirLines
from stillflow.hw.sequencer.k_walk import KWalk
from stillflow.hw.sequencer.nest import LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.nest import TileLevel as Level
from stillflow.hw.sequencer.tile_place import TilePlace
from stillflow.hw.signals import signals
from stillflow.hw.words import LineCommand, LineKind


class Phase(enum.Enum):
    """What the current cycle shifts."""

    IDLE = 0
    GUARD = 1
    BIAS = 2
    SCALE = 3
    HOLD = 4  # depthwise: activations are in the chain
    MOVE = 5  # of the position in the filter stream
    # Bits of their own, as much hangs on them.
    WEIGHTS = 8
    FULL = 16


class BlockWalker(wiring.Component):
    """Loads one weight block ahead of the step that computes with another.

    A block takes ``rows`` cycles, one line each, lines that do not exist being zero; the first
    block of a filter block's reduction tile also brings biases or scales, which wait ``guard``
    cycles after the last start so that those in use are not overtaken. A line waits until it is in
    the filter buffer. The first line of the next block may go out in the cycle of ``i_start``.

    Where every vector reads its weights, a block's lines are not read but must be there, and biases
    and scales wait until no step needs the filter buffer.

    Depthwise, lanes and weight lines go their own ways: the lanes are the channels of a pixel, the
    lines the taps of a filter with zeros between them. Biases and scales come before the weights,
    and weights wait until the step before has left the chain.

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
    i_loaded, i_loads : lines that the filter buffer got since then, and whether it gets one more
    o_command : ``Out(LineCommand)``
    o_full, o_block
        A block is complete.
    i_start : ``In(1)``
        Its step starts: only with ``o_full``.
    i_streaming : ``In(1)``
        A step goes on.
    o_done : ``Out(1)``
        No block is left.
    """

    i_begin: Signal
    i_layer: Layer
    i_loaded: Signal
    i_loads: Signal
    o_command: data.View
    o_full: Signal
    o_block: data.View
    i_start: Signal
    i_streaming: Signal
    o_done: Signal

    def __init__(self, config: AcceleratorConfig, *, guard: int) -> None:
        self.config = config
        self.guard = guard
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_loaded": In(filter_position_bits(config)),
                "i_loads": In(1),
                "o_command": Out(LineCommand(config)),
                "o_full": Out(1),
                "o_block": Out(Block(config)),
                "i_start": In(1),
                "i_streaming": In(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build both nests and the phases of a block."""
        m = Module()
        config, layer = self.config, self.i_layer
        element_bits = ceil_log2(config.ifmap_elements)

        tile_step, k_step = signals("tile_step k_step")
        m.submodules.nest = nest = LoopNest(len(Level), self.config.count_bits)
        m.submodules.k = k = KWalk(config)
        last, first, moved = nest.o_last, nest.o_first, nest.o_level
        drive_counts(m, nest, loop_counts(Level, layer, nest.o_coming), settled=True)
        m.d.comb += [
            nest.i_restart.eq(self.o_done),
            nest.i_step.eq(self.i_begin | tile_step),
            k.i_rests.eq(self.o_done),
        ]
        k.i_layer = layer
        m.d.comb += [k.i_begin.eq(self.i_begin), k.i_step.eq(k_step)]
        m.d.comb += [
            tile_is_last.eq(flags[Level.C] & (~layer.depthwise | flags[Level.G]))
            for tile_is_last, flags in (
                (k.i_last_tile, last),
                (k.i_coming_last_tile, nest.o_coming),
            )
        ]

        offset = k.o_offset
        linear = Signal(element_bits)
        m.submodules.stream = stream = FilterPosition(config)
        m.submodules.tile = tile = TilePlace(config)
        new_group = Signal()

        # Depthwise, zeros stand between the taps.
        depthwise = layer.depthwise if config.has_chains else Const(0, 1)
        gap = Signal()

        # Phases. The first line of a block may go out while the earlier one still waits as full.
        phase = Signal(Phase)
        count = Signal(range(max(config.rows, config.bias_lines, config.scale_lines) + 1))
        finished = Signal()  # the block in hand is the layer's last
        ended = Signal()  # its chunk has no more elements
        wants_bias, wants_scale, wants_move = signals("wants_bias wants_scale wants_move")
        guard = Signal(range(self.guard + 1))
        buffer_in_use = self.i_streaming if config.reads_weights else Const(0, 1)
        held = Signal(Block(config))
        taken = Signal.like(held.freed)  # lines of this block
        keeps = Signal()  # ... which will be needed again
        available = line_is_there(m, stream, self.i_loaded, self.i_loads)
        reads = Signal()
        no_line = Signal()  # the line is made up of zeros
        may_begin, goes_on, line = signals("may_begin goes_on line")
        weights, full = Value.cast(phase)[-2:]
        command = self.o_command
        m.d.comb += [
            no_line.eq(Mux(depthwise, gap, ended)),
            command.place.eq(stream.o_here.place),
            reads.eq(command.valid & ~command.zero),
        ]
        base = Signal(element_bits)
        m.d.comb += [
            base.eq(Mux(count == 0, offset, linear)),
            command.lane_offset.eq((offset - base) >> ceil_log2(config.ifmap_banks)),
        ]
        m.d.sync += [
            taken.eq(Mux(self.i_start, 0, taken) + reads),
            held.weights.eq(Mux(self.i_start, 0, held.weights) + (line & ~command.zero)),
        ]
        with m.If(guard != 0):
            m.d.sync += guard.eq(guard - 1)
        with m.If(self.i_start):
            m.d.sync += [guard.eq(self.guard), ended.eq(0)]
            m.d.sync += phase.eq(
                Mux(
                    finished,
                    Phase.IDLE,
                    Mux(
                        depthwise,
                        Mux(k.o_first, Phase.GUARD, Phase.HOLD),
                        Phase.WEIGHTS,
                    ),
                )
            )
        last_tile = last[Level.S : Level.C + 1].all()
        begins = first[Level.S : Level.C + 1].all() & k.o_first
        closes = last_tile & k.o_first
        bias_now = Mux(count == 0, begins, wants_bias)
        scale_now = Mux(count == 0, closes, wants_scale)
        moves_now = tile_step & moved[Level.F :].any()
        after = Signal(Phase)  # where a complete block goes
        m.d.comb += after.eq(Mux(depthwise, Phase.HOLD, Mux(wants_move, Phase.MOVE, Phase.FULL)))
        if config.has_chains:
            m.submodules.taps = taps = FirLines(config)
            taps.i_layer = layer
            m.d.comb += [
                gap.eq(taps.o_zero),
                taps.i_step.eq(line),
                taps.i_restart.eq(self.i_begin | (taps.i_step & (count == config.rows - 1))),
            ]

        # The start of a step comes late in the cycle: what it leads to is made ready beside it.
        m.d.comb += [
            may_begin.eq(full & ~finished & ~depthwise & available),
            goes_on.eq(weights & (no_line | available)),
            line.eq(goes_on | (may_begin & self.i_start)),
            k_step.eq((goes_on & ~ended) | (may_begin & self.i_start)),
            tile_step.eq((goes_on & ~ended & k.o_done) | (may_begin & k.o_done & self.i_start)),
            command.valid.eq(line),
            command.zero.eq(weights & no_line),
            command.lane_used.eq(full | (weights & ~ended)),
        ]
        with m.If(line):
            m.d.sync += [count.eq(count + 1), linear.eq(base + 1)]
            with m.If(count == config.rows - 1):
                m.d.sync += count.eq(0)
                with m.If((bias_now | scale_now) & ~depthwise):
                    m.d.sync += phase.eq(Phase.GUARD)
                with m.Else():
                    m.d.sync += phase.eq(Mux(wants_move | moves_now, Phase.MOVE, Phase.FULL))
            with m.If(count == 0):
                if config.reads_weights:
                    m.d.sync += held.place.eq(stream.o_here.place)
                m.d.sync += [
                    held.element.eq(tile.o_element + offset),
                    held.psum.eq(tile.o_psum),
                    held.groups.eq(tile.o_groups + k.o_group + 1),
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
        with m.If(k_step):
            m.d.sync += [
                ended.eq(k.o_breaks | k.o_done),
                held.lanes.eq(count + 1),
                held.final.eq(k.o_done & last_tile),
                held.tile_last.eq(k.o_done & last[Level.MB]),
                finished.eq(k.o_done & nest.o_done),
            ]
        with m.Switch(phase):
            with m.Case(Phase.GUARD):
                with m.If((guard == 0) & ~buffer_in_use):
                    no_bias = ~depthwise & ~wants_bias
                    m.d.sync += phase.eq(Mux(no_bias, Phase.SCALE, Phase.BIAS))
            with m.Case(Phase.BIAS):
                m.d.comb += [command.valid.eq(available), command.kind.eq(LineKind.BIAS)]
                with m.If(available):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == config.bias_lines - 1):
                        also_scale = depthwise | wants_scale
                        m.d.sync += [count.eq(0), phase.eq(Mux(also_scale, Phase.SCALE, after))]
            with m.Case(Phase.SCALE):
                m.d.comb += [command.valid.eq(available), command.kind.eq(LineKind.SCALE)]
                with m.If(available):
                    m.d.sync += count.eq(count + 1)
                    with m.If(count == config.scale_lines - 1):
                        m.d.sync += [count.eq(0), phase.eq(after)]
            with m.Case(Phase.HOLD):
                with m.If(~self.i_streaming):
                    m.d.sync += phase.eq(Phase.WEIGHTS)
            with m.Case(Phase.MOVE):
                m.d.sync += [phase.eq(Phase.FULL), wants_move.eq(0)]

        # The tile loops step with the last element of a reduction tile. At a new pixel tile,
        # filters that stay are read again from where their group begins.
        moves = phase == Phase.MOVE
        tile.i_layer = layer
        m.d.comb += [
            stream.i_begin.eq(self.i_begin),
            stream.i_lines.eq(reads),
            stream.i_mark_group.eq(moves & new_group),
            stream.i_to_group.eq(moves & ~new_group & layer.filter_resident),
            tile.i_begin.eq(self.i_begin),
            tile.i_next_block.eq(tile_step & moved[Level.MB]),
            tile.i_next_tile.eq(tile_step & ~moved[Level.MB]),
            tile.i_groups.eq(k.o_groups),
        ]
        with m.If(tile_step):
            m.d.sync += [wants_move.eq(moves_now), new_group.eq(moved[Level.M_OUTER :].any())]

        m.d.comb += [
            self.o_full.eq(full),
            self.o_done.eq(phase == Phase.IDLE),
            self.o_block.eq(held),
            self.o_block.freed.eq(Mux(keeps, 0, taken)),
        ]
        with m.If(self.i_begin):
            m.d.sync += phase.eq(Mux(depthwise, Phase.GUARD, Phase.WEIGHTS))
            m.d.sync += [
                register.eq(0)
                for register in (count, ended, finished, guard, wants_move, taken, held.weights)
            ]

        return m

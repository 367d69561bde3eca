"""Compute side of the nest, row stationary: filter rows for the PEs, a pass ahead."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.filter_position import FilterPosition
from stillflow.hw.sequencer.nest import Choice, Count, LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.nest import TileLevel as Level
from stillflow.hw.sequencer.nest_address import NestAddress
from stillflow.hw.sequencer.pe_pass import Pass, PassLine
from stillflow.hw.sequencer.tile_place import TilePlace
from stillflow.hw.signals import signals
from stillflow.hw.timing import pass_guard
from stillflow.hw.words import LineKind


class PassLevel(enum.IntEnum):
    """Passes of a reduction tile, innermost first."""

    S = 0
    R = 1
    GROUP = 2


class Phase(enum.Enum):
    """What the walker does."""

    IDLE = 0
    GUARD = 1
    BIAS = 2
    SCALE = 3
    WEIGHTS = 4
    MOVE = 5  # of the position in the filter stream
    FULL = 6


class PassWalker(wiring.Component):
    """Fills the filter scratchpads, which are rings, behind the weights that the PEs still need.

    A line a cycle, each as soon as it is in the filter buffer and has a place: biases and scales of
    a filter block first, where a reduction begins or ends. The first line of the next pass goes out
    `stillflow.hw.timing.pass_guard` cycles after ``i_start``, when no parameter of the pass before
    it is in use any more. A weight may go out in the cycle after the ``i_weight_freed`` that gives
    it its place.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_loaded : lines that the filter buffer got since then
    o_line, o_place
        A line, and where it lies in the filter buffer.
    o_bias_next, o_scale_next : ``Out(1)``
        The next bias, the next scale begins a table.
    o_opens : ``Out(1)``
        ``o_pass`` is the next one in the next cycle, ``final``, ``tile_last``, ``freed`` later.
    o_full, o_pass
        A pass is ready.
    i_start : ``In(1)``
        It starts: only with ``o_full``.
    i_weight_freed : ``In(1)``
        All PEs have used a weight of the pass that runs for the last time.
    o_done : ``Out(1)``
        No pass is left.
    """

    i_begin: Signal
    i_layer: Layer
    i_loaded: Signal
    o_line: data.View
    o_place: Signal
    o_bias_next: Signal
    o_scale_next: Signal
    o_opens: Signal
    o_full: Signal
    o_pass: data.View
    i_start: Signal
    i_weight_freed: Signal
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_loaded": In(filter_position_bits(config)),
                "o_line": Out(PassLine(config)),
                "o_place": Out(ceil_log2(config.filter_lines)),
                "o_bias_next": Out(1),
                "o_scale_next": Out(1),
                "o_opens": Out(1),
                "o_full": Out(1),
                "o_pass": Out(Pass(config)),
                "i_start": In(1),
                "i_weight_freed": In(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the nests and the phases of a pass."""
        m = Module()
        config, layer, line = self.config, self.i_layer, self.o_line

        tile_step, pass_step = signals("tile_step pass_step")
        m.submodules.nest = nest = LoopNest(len(Level), self.config.count_bits)
        first, last, moved = nest.o_first, nest.o_last, nest.o_level
        drive_counts(m, nest, loop_counts(Level, layer, nest.o_coming), settled=True)
        m.d.comb += [
            nest.i_restart.eq(self.o_done),
            nest.i_step.eq(self.i_begin | tile_step),
        ]
        passes, group, offset = self._passes(m, pass_step, nest.o_coming[Level.C])
        pass_first, pass_last = passes.o_first.all(), passes.o_done
        first_tile, last_tile = (flags[Level.S : Level.C + 1].all() for flags in (first, last))
        planes_last = last[Level.C] & passes.o_last[PassLevel.GROUP]
        depth = Signal(8)
        m.d.comb += depth.eq(Mux(planes_last, layer.set_depth_last, layer.set_depth))

        # Lines of the phase: filters of the parameters, weights of the pass.
        phase = Signal(Phase)
        m.submodules.weights = weights = LoopNest(3, self.config.count_bits)
        m.submodules.parameters = parameters = LoopNest(2, self.config.count_bits)
        m.submodules.stream = stream = FilterPosition(config)
        m.submodules.tile = tile = TilePlace(config)
        is_bias, is_scale, is_weight = (
            phase == which for which in (Phase.BIAS, Phase.SCALE, Phase.WEIGHTS)
        )
        place = Signal.like(line.place)
        room = Signal(range(config.filter_spad + 1))  # places of the scratchpads without a weight
        opens = self.o_opens
        begins, closes = pass_first & first_tile, pass_first & last_tile
        now_bias = begins & ~is_scale & ~(is_bias & parameters.o_done)  # in the step that comes
        lines = Choice(now_bias, config.bias_lines, config.scale_lines)
        drive_counts(m, parameters, {0: lines, 1: layer.set_filters}, settled=True)
        drive_counts(
            m, weights, {0: layer.set_filters, 1: depth, 2: layer.set_columns}, settled=False
        )
        m.d.comb += [
            weights.i_restart.eq(phase == Phase.GUARD),
            weights.i_step.eq(opens | (line.valid & is_weight)),
            parameters.i_restart.eq(phase == Phase.GUARD),
            parameters.i_step.eq(opens | (line.valid & ~is_weight)),
            line.valid.eq(
                (is_bias | is_scale | (is_weight & (room != 0)))
                & (self.i_loaded != stream.o_here.position)
            ),
            line.kind.eq(
                Mux(is_bias, LineKind.BIAS, Mux(is_scale, LineKind.SCALE, LineKind.WEIGHT))
            ),
            line.place.eq(place),
            self.o_place.eq(stream.o_here.place.line),
        ]

        held = Signal(Pass(config))
        taken = Signal.like(held.freed)
        guard = Signal(range(pass_guard(config) + 1))
        finished, new_group, keeps = signals("finished new_group keeps")
        ends = line.valid & is_weight & weights.o_done
        leaves = tile_step & moved[Level.F :].any()
        m.d.sync += [
            taken.eq(Mux(self.i_start, 0, taken + line.valid)),
            room.eq(room + self.i_weight_freed - (line.valid & is_weight)),
        ]
        with m.Switch(phase):
            with m.Case(Phase.GUARD):
                m.d.sync += guard.eq(guard - 1)
                with m.If(guard == 0):
                    m.d.comb += opens.eq(1)
                    m.d.comb += [self.o_bias_next.eq(begins), self.o_scale_next.eq(closes)]
                    self._open(m, held, nest, group, offset, tile, depth, planes_last)
                    m.d.sync += [
                        held.first.eq(begins),
                        held.bias_half.eq(held.bias_half ^ begins),
                        held.scale_half.eq(held.scale_half ^ closes),
                        held.weight.eq(place),
                        phase.eq(Mux(begins, Phase.BIAS, Mux(closes, Phase.SCALE, Phase.WEIGHTS))),
                        keeps.eq(
                            layer.filter_resident & ~(last[Level.F] & last[Level.E] & last[Level.N])
                        ),
                    ]
            with m.Case(Phase.BIAS):
                with m.If(line.valid & parameters.o_done):
                    m.d.sync += phase.eq(Mux(closes, Phase.SCALE, Phase.WEIGHTS))
            with m.Case(Phase.SCALE):
                with m.If(line.valid & parameters.o_done):
                    m.d.sync += phase.eq(Phase.WEIGHTS)
            with m.Case(Phase.WEIGHTS):
                with m.If(line.valid):
                    m.d.sync += place.eq(Mux(place == config.filter_spad - 1, 0, place + 1))
                with m.If(ends):
                    m.d.comb += [pass_step.eq(1), tile_step.eq(pass_last)]
                    m.d.sync += [
                        held.final.eq(pass_last & last_tile),
                        held.tile_last.eq(pass_last & last[Level.MB]),
                        finished.eq(pass_last & nest.o_done),
                        phase.eq(Mux(leaves, Phase.MOVE, Phase.FULL)),
                    ]
            with m.Case(Phase.MOVE):
                m.d.sync += phase.eq(Phase.FULL)
            with m.Case(Phase.FULL):
                with m.If(self.i_start):
                    m.d.sync += [
                        guard.eq(pass_guard(config) - 1),
                        phase.eq(Mux(finished, Phase.IDLE, Phase.GUARD)),
                    ]

        # At a new pixel tile, filters that stay are read again from where their group begins.
        moves = phase == Phase.MOVE
        tile.i_layer = layer
        m.d.comb += [
            stream.i_begin.eq(self.i_begin),
            stream.i_lines.eq(line.valid),
            stream.i_mark_group.eq(moves & new_group),
            stream.i_to_group.eq(moves & ~new_group & layer.filter_resident),
            tile.i_begin.eq(self.i_begin),
            tile.i_next_block.eq(tile_step & moved[Level.MB]),
            tile.i_next_tile.eq(tile_step & ~moved[Level.MB]),
            tile.i_groups.eq(Mux(last[Level.C], layer.k_groups_last, layer.k_groups)),
        ]
        with m.If(tile_step):
            m.d.sync += new_group.eq(moved[Level.M_OUTER :].any())
        m.d.comb += [
            self.o_full.eq(phase == Phase.FULL),
            self.o_done.eq(phase == Phase.IDLE),
            self.o_pass.eq(held),
            self.o_pass.freed.eq(Mux(keeps, 0, taken)),
        ]
        with m.If(self.i_begin):
            m.d.sync += [phase.eq(Phase.GUARD), guard.eq(config.rows)]
            m.d.sync += [
                room.eq(config.filter_spad),
                *(r.eq(0) for r in (taken, place, finished, held.bias_half, held.scale_half)),
            ]

        return m

    def _passes(
        self, m: Module, step: Signal, coming_last_tile: Value
    ) -> tuple[LoopNest, Signal, Signal]:
        """Build the passes of a reduction tile, with their plane group and first ifmap element."""
        layer = self.i_layer
        m.submodules.passes = passes = LoopNest(len(PassLevel), self.config.count_bits)
        m.submodules.offset = offset = NestAddress(
            (True,) * len(PassLevel), ceil_log2(self.config.ifmap_elements)
        )
        counts: dict[int, Count] = {
            PassLevel.S: layer.k_s,
            PassLevel.R: layer.k_r,
            PassLevel.GROUP: Choice(coming_last_tile, layer.k_groups_last, layer.k_groups),
        }
        drive_counts(m, passes, counts, settled=True)
        m.d.comb += [
            passes.i_restart.eq(self.o_done),
            passes.i_step.eq(self.i_begin | step),
            offset.i_strides[PassLevel.S].eq(layer.k_stride_s),
            offset.i_strides[PassLevel.R].eq(layer.k_stride_r),
            offset.i_strides[PassLevel.GROUP].eq(layer.k_stride_group),
            offset.i_ends.eq(passes.o_ends),
            offset.i_level.eq(passes.o_level),
            offset.i_step.eq(step),
            offset.i_restart.eq(self.i_begin | (step & passes.o_done)),
        ]
        group = Signal(self.config.count_bits)
        with m.If(step & passes.o_level[PassLevel.GROUP]):
            m.d.sync += group.eq(group + 1)
        with m.If(offset.i_restart):
            m.d.sync += group.eq(0)
        return passes, group, offset.o_address

    def _open(
        self, m: Module, held: data.View, nest: LoopNest, group: Signal, offset: Signal,
        tile: TilePlace, depth: Signal, planes_last: Value,
    ) -> None:  # fmt: skip
        """Note where a pass begins."""
        layer, last = self.i_layer, nest.o_last
        last_block = last[Level.MB] & last[Level.M_INNER] & last[Level.M_OUTER]
        m.d.sync += [
            held.element.eq(tile.o_element + offset),
            held.psum.eq(tile.o_psum),
            held.groups.eq(tile.o_groups + group + 1),
            held.strips.eq(Mux(last[Level.E], layer.strips_last, layer.strips)),
            held.last_rows.eq(Mux(last[Level.E], layer.units_last, layer.units)),
            held.last_partial.eq(last[Level.E]),
            held.columns.eq(Mux(last[Level.F], layer.pf_last, layer.pf)),
            held.last_columns.eq(last[Level.F]),
            held.stored.eq(Mux(last_block, layer.runs_last, layer.runs)),
            held.depth.eq(depth),
            held.channels.eq(Mux(planes_last, layer.set_channels_last, layer.set_channels)),
        ]

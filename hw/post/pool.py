"""Pooling of ofmap vectors, before they are stored: largest words of windows, or their means."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.post.mean import Mean, sum_bits
from stillflow.hw.post.pool_column import Place, PoolColumn
from stillflow.hw.residual import Join
from stillflow.hw.sequencer.nest import Choice, LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.pool_walk import PoolWalk
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import finish_latency
from stillflow.hw.unit import unit


class Level(enum.IntEnum):
    """Loops over the vectors of a layer, innermost first."""

    COLUMN = 0
    ROW = 1
    IMAGE = 2
    MB = 3
    M_INNER = 4
    F = 5
    E = 6
    N = 7
    M_OUTER = 8
    G = 9


class Pool(wiring.Component):
    """Largest words of windows or their means, a fixed time after their last vector.

    Vectors come row by row, pixels that only make windows whole among them: these do not count.
    What became of a window along a row is kept in a register, of the windows that are open in a
    memory: the largest words, or sums. A vector a cycle, and never a stall. A window has two
    columns at least. Means want as many cycles from window to window as there are columns.

    The largest words follow in `stillflow.hw.timing.POOL_LATENCY` cycles, means so much later as
    `stillflow.hw.timing.mean_latency` says. Where a layer's words have a table or are joined, it
    pools what became of them, `stillflow.hw.timing.finish_latency` cycles after they came. Words of
    layers that do not pool pass by at once.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths, and windows side by side.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_valid, i_words
        A vector.
    i_finished : what became of its words, so much later
    o_pools : ``Out(1)``
        The layer pools.
    o_counts : ``Out(1)``
        The vector of ``i_valid`` is of one of the layer's pixels.
    o_valid, o_words
        What became of a window.
    """

    i_begin: Signal
    i_layer: Layer
    i_valid: Signal
    i_words: Signal
    i_finished: Signal
    o_pools: Signal
    o_counts: Signal
    o_valid: Signal
    o_words: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.columns = config.m_block
        width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_valid": In(1),
                "i_words": In(width),
                "i_finished": In(width),
                "o_pools": Out(1),
                "o_counts": Out(1),
                "o_valid": Out(1),
                "o_words": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the walk over the pixels, what is kept of windows, and means."""
        m = Module()
        config, layer = self.config, self.i_layer

        m.d.comb += self.o_pools.eq(layer.pool_s != 0)
        place, words = self._finished(m, self._walk(m))
        pooled_valid, pooled = self._pooled(m, platform, place, words)
        m.submodules.mean = mean = Mean(config)
        mean.i_layer = layer
        m.d.comb += [mean.i_valid.eq(pooled_valid & layer.pool_mean), mean.i_sums.eq(pooled)]
        largest = Cat(pooled[i][: config.act_bits] for i in range(self.columns))
        for out, plain, most, average in (
            (self.o_valid, self.i_valid, pooled_valid, mean.o_valid),
            (self.o_words, self.i_words, largest, mean.o_words),
        ):
            m.d.comb += out.eq(Mux(self.o_pools, Mux(layer.pool_mean, average, most), plain))

        return m

    def _walk(self, m: Module) -> data.View:
        """Follow the vectors that come through tiles and windows."""
        config, layer = self.config, self.i_layer
        place = Signal(Place(config), name="coming")
        m.submodules.nest = nest = LoopNest(len(Level), config.count_bits)
        m.submodules.walk = walk = PoolWalk(config)
        first, last, coming = nest.o_first, nest.o_last, nest.o_coming
        counts = loop_counts(Level, layer, coming) | {
            Level.COLUMN: Choice(coming[Level.F], layer.pf_last, layer.pf),
            Level.ROW: Choice(coming[Level.E], layer.pe_last, layer.pe),
            Level.IMAGE: Choice(coming[Level.N], layer.pn_last, layer.pn),
        }
        drive_counts(m, nest, counts, settled=True)
        begins, vector = signals("begins vector")
        column, row = signals("column row", config.count_bits)
        window = Signal.like(place.window, name="window")
        m.d.sync += begins.eq(self.i_begin)
        walk.i_layer = layer
        m.d.comb += [
            vector.eq(self.i_valid & self.o_pools),
            nest.i_restart.eq(self.i_begin),
            nest.i_step.eq(begins | (vector & ~nest.o_done)),
            walk.i_begin.eq(self.i_begin),
            walk.i_step.eq(vector),
            walk.i_column_last.eq(last[Level.COLUMN]),
            walk.i_row_last.eq(last[Level.ROW]),
        ]
        with m.If(vector):
            m.d.sync += [column.eq(column + 1), window.eq(window + walk.o_column_closes)]
            with m.If(last[Level.COLUMN]):
                m.d.sync += [
                    column.eq(0), window.eq(0), row.eq(Mux(last[Level.ROW], 0, row + 1)),
                ]  # fmt: skip
        with m.If(self.i_begin):
            m.d.sync += [column.eq(0), row.eq(0), window.eq(0)]
        m.d.comb += [
            place.valid.eq(vector),
            place.counts.eq(
                ~(
                    (first[Level.E] & (row < layer.pool_top))
                    | (last[Level.E] & (row >= layer.pool_rows))
                    | (first[Level.F] & (column < layer.pool_left))
                    | (last[Level.F] & (column >= layer.pool_columns))
                )
            ),
            place.column_opens.eq(walk.o_column_opens),
            place.column_closes.eq(walk.o_column_closes),
            place.row_opens.eq(walk.o_row_opens),
            place.row_closes.eq(walk.o_row_closes),
            place.window.eq(window),
            self.o_counts.eq(self.i_valid & (~self.o_pools | place.counts)),
        ]
        return place

    def _finished(self, m: Module, place: data.View) -> tuple[data.View, Value]:
        """Give a vector's place and words, those that are finished when they are."""
        config, layer = self.config, self.i_layer
        if not config.finisher:
            return place, self.i_words
        late = layer.table | (layer.join != Join.NONE)
        later = delayed(m, Mux(late, place.as_value(), 0), finish_latency(config), "place")
        chosen = Signal(Place(config), name="chosen")
        m.d.comb += chosen.as_value().eq(Mux(late, later, place.as_value()))
        return chosen, Mux(late, self.i_finished, self.i_words)

    def _pooled(
        self, m: Module, platform: object, place: data.View, words: Value
    ) -> tuple[Signal, data.View]:
        """Give whole windows. Those that are open wait in a memory for their next row."""
        config, layout = self.config, data.ArrayLayout(signed(sum_bits(self.config)), self.columns)
        lines = Sram(depth=config.pool_windows, width=layout.size)
        m.submodules.lines = unit(platform, lines)
        closes, pooled_valid = signals("closes pooled_valid")
        line = Signal(Place(config), name="line", reset_less=True)
        before, after, pooled = (
            Signal(layout, name=name) for name in ("before", "after", "pooled")
        )
        m.d.sync += [
            closes.eq(place.valid & place.column_closes),
            line.eq(place),
            pooled_valid.eq(closes & line.row_closes),
        ]
        m.d.comb += [
            lines.i_read_en.eq(place.valid & place.column_closes),
            lines.i_read_addr.eq(place.window),
            before.as_value().eq(lines.o_read_data),
            lines.i_write_en.eq(closes),
            lines.i_write_addr.eq(line.window),
            lines.i_write_data.eq(after.as_value()),
        ]
        for number in range(self.columns):
            column = PoolColumn(config)
            m.submodules[f"column_{number}"] = unit(platform, column)
            m.d.comb += [
                column.i_mean.eq(self.i_layer.pool_mean),
                column.i_place.eq(place),
                column.i_row_opens.eq(line.row_opens),
                column.i_row_closes.eq(line.row_closes),
                column.i_word.eq(words[number * config.act_bits :][: config.act_bits]),
                column.i_before.eq(before[number]),
                after[number].eq(column.o_after),
                pooled[number].eq(column.o_pooled),
            ]
        return pooled_valid, pooled

"""Max pooling of ofmap vectors, before they are stored."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
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


class MaxPool(wiring.Component):
    """Largest words of windows, `stillflow.hw.timing.POOL_LATENCY` cycles after their last vector.

    Vectors come row by row, pixels that only make windows whole among them: these do not count.
    The maximum along a row is kept in a register, those of the windows that are open in a memory.
    A vector a cycle, and never a stall. A window has two columns at least.

    Where a table finishes a layer's words, it pools these, `stillflow.hw.timing.finish_latency`
    cycles later. Words of layers that do not pool pass by at once.

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
    o_valid, o_words
        The largest words of a window.
    """

    i_begin: Signal
    i_layer: Layer
    i_valid: Signal
    i_words: Signal
    i_finished: Signal
    o_pools: Signal
    o_valid: Signal
    o_words: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_valid": In(1),
                "i_words": In(self.width),
                "i_finished": In(self.width),
                "o_pools": Out(1),
                "o_valid": Out(1),
                "o_words": Out(self.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the pixels, the maximum along the row and that across rows."""
        m = Module()
        config, layer = self.config, self.i_layer
        width = self.width

        valid, words = self.i_valid, self.i_words
        if config.finisher:
            late = delayed(m, valid & layer.table, finish_latency(config), "valid")
            valid, words = Mux(layer.table, late, valid), Mux(layer.table, self.i_finished, words)
        vector, pooled_valid = signals("vector pooled_valid")
        m.d.comb += [self.o_pools.eq(layer.pool_s != 0), vector.eq(valid & self.o_pools)]

        # Where the vector stands.
        m.submodules.nest = nest = LoopNest(len(Level), config.count_bits)
        m.submodules.walk = walk = PoolWalk(config)
        first, last, coming = nest.o_first, nest.o_last, nest.o_coming
        counts = loop_counts(Level, layer, coming) | {
            Level.COLUMN: Choice(coming[Level.F], layer.pf_last, layer.pf),
            Level.ROW: Choice(coming[Level.E], layer.pe_last, layer.pe),
            Level.IMAGE: Choice(coming[Level.N], layer.pn_last, layer.pn),
        }
        drive_counts(m, nest, counts, settled=True)
        begins = Signal()
        column, row = signals("column row", config.count_bits)
        window = Signal(range(config.pool_windows))
        m.d.sync += begins.eq(self.i_begin)
        walk.i_layer = layer
        m.d.comb += [
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
        counted = Signal()
        m.d.comb += counted.eq(
            ~(
                (first[Level.E] & (row < layer.pool_top))
                | (last[Level.E] & (row >= layer.pool_rows))
                | (first[Level.F] & (column < layer.pool_left))
                | (last[Level.F] & (column >= layer.pool_columns))
            )
        )

        # Along the row.
        smallest = Const(1 << (config.act_bits - 1), config.act_bits).replicate(config.m_block)
        here, along, kept, closed = signals("here along kept closed", width)
        m.d.comb += [
            here.eq(Mux(counted, words, smallest)),
            along.eq(Mux(walk.o_column_opens, here, self._largest(here, kept))),
        ]
        with m.If(vector):
            m.d.sync += [
                kept.eq(Mux(walk.o_column_closes, here, along)),
                closed.eq(along),
            ]

        # Across rows, a cycle later.
        lines = Sram(depth=config.pool_windows, width=width)
        m.submodules.lines = unit(platform, lines)
        closes, opens, ends = signals("closes opens ends")
        place = Signal.like(window)
        m.d.sync += [
            closes.eq(vector & walk.o_column_closes),
            opens.eq(walk.o_row_opens),
            ends.eq(walk.o_row_closes),
            place.eq(window),
        ]
        across = Signal(width)
        m.d.comb += [
            lines.i_read_en.eq(vector & walk.o_column_closes),
            lines.i_read_addr.eq(window),
            across.eq(Mux(opens, closed, self._largest(closed, lines.o_read_data))),
            lines.i_write_en.eq(closes),
            lines.i_write_addr.eq(place),
            lines.i_write_data.eq(Mux(ends, closed, across)),
        ]
        pooled = Signal(width)
        m.d.sync += [pooled_valid.eq(closes & ends), pooled.eq(across)]
        m.d.comb += [
            self.o_valid.eq(Mux(self.o_pools, pooled_valid, self.i_valid)),
            self.o_words.eq(Mux(self.o_pools, pooled, self.i_words)),
        ]

        return m

    def _largest(self, one: Value, other: Value) -> Value:
        """Take the larger words of two vectors."""
        bits = self.config.act_bits
        pairs = [
            (one.word_select(i, bits).as_signed(), other.word_select(i, bits).as_signed())
            for i in range(self.config.m_block)
        ]
        return Cat(Mux(a > b, a, b) for a, b in pairs)

"""Ofmap buffer: a ring of words on their way to DRAM; half of it may hold residuals."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.residual import ResidualHalf
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.residual import join_depth, runs_of_own
from stillflow.hw.signals import delayed
from stillflow.hw.timing import finish_latency
from stillflow.hw.unit import unit
from stillflow.hw.words import element_bits


class OfmapBuffer(wiring.Component):
    """Ring of ``ofmap_depth`` vectors, written strip by strip, read at any entry.

    Vectors of a strip come column by column and lie row by row, ``i_columns`` apart; a vector that
    is a strip by itself goes to the next entry. ``o_vector`` follows ``i_read_entry`` by one cycle
    and holds. Who writes has made sure of room.

    Where a layer finishes its words (``i_late``), what is written is ``i_finished``, so many cycles
    after the vector as `finish_latency` says. Where it joins them, the ring is the lower half
    (``i_ring`` is smaller), and the upper half shows a vector's residuals in ``o_residuals``, one
    cycle after ``i_residual_en``; they hold. These are those of the vector's entry, or where the
    layer pools (``i_pools``) the next ones in turn.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth and width.

    Members
    -------
    i_clear : ``In(1)``
        Begin anew at entry 0.
    i_ring, i_late, i_joins, i_pools
        Of the layer.
    i_columns : ``In(count_bits)``
        Vectors of a strip's row.
    i_valid, i_words, i_column_last, i_strip_last
        The next vector; whether it is the last of its column, of its strip.
    i_residual_en : ``In(1)``
        A vector comes that is joined; without pooling it is that of ``i_valid``.
    i_finished, o_residuals
        To and from what finishes the words.
    i_fill, i_fill_element, i_fill_mask, i_fill_data
        A beat of residuals (see `ResidualHalf`).
    o_ready : vectors that may be read from the next cycle on: those of a strip with its last one
    o_write : ``Out(1)``
        A vector is written.
    i_read_en, i_read_entry, o_vector
        Read port.
    """

    i_clear: Signal
    i_ring: Signal
    i_late: Signal
    i_joins: Signal
    i_pools: Signal
    i_columns: Signal
    i_valid: Signal
    i_words: Signal
    i_column_last: Signal
    i_strip_last: Signal
    i_residual_en: Signal
    i_finished: Signal
    o_residuals: Signal
    i_fill: Signal
    i_fill_element: Signal
    i_fill_mask: Signal
    i_fill_data: Signal
    o_ready: Signal
    o_write: Signal
    i_read_en: Signal
    i_read_entry: Signal
    o_vector: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_clear": In(1),
                "i_ring": In(range(config.ofmap_depth + 1)),
                "i_late": In(1),
                "i_joins": In(1),
                "i_pools": In(1),
                "i_columns": In(config.count_bits),
                "i_valid": In(1),
                "i_words": In(self.width),
                "i_column_last": In(1),
                "i_strip_last": In(1),
                "i_residual_en": In(1),
                "i_finished": In(self.width),
                "o_residuals": Out(self.width),
                "i_fill": In(1),
                "i_fill_element": In(element_bits(config)),
                "i_fill_mask": In(config.axi_elements),
                "i_fill_data": In(config.axi_data_bits),
                "o_ready": Out(range(config.ofmap_depth + 1)),
                "o_write": Out(1),
                "i_read_en": In(1),
                "i_read_entry": In(max(1, ceil_log2(config.ofmap_depth))),
                "o_vector": Out(self.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the ring."""
        m = Module()
        depth = self.config.ofmap_depth

        entry = Signal(range(depth))
        column = Signal(range(depth))
        after = Signal(range(2 * depth))
        wrapped = Signal(range(depth))
        waiting = Signal.like(self.o_ready)
        ready = Signal.like(self.o_ready)
        ends = self.i_column_last & ~self.i_strip_last
        m.d.comb += [
            after.eq(
                Mux(ends, column, entry)
                + Mux(self.i_column_last | self.i_strip_last, 1, self.i_columns)
            ),
            wrapped.eq(Mux(after >= self.i_ring, after - self.i_ring, after)),
            ready.eq(Mux(self.i_valid & self.i_strip_last, waiting + 1, 0)),
        ]
        with m.If(self.i_valid):
            m.d.sync += [entry.eq(wrapped), waiting.eq(Mux(self.i_strip_last, 0, waiting + 1))]
            with m.If(self.i_column_last | self.i_strip_last):
                m.d.sync += column.eq(wrapped)
        with m.If(self.i_clear):
            m.d.sync += [entry.eq(0), column.eq(0), waiting.eq(0)]

        write_entry = Signal.like(entry)
        words = Signal(self.width)
        if not self.config.finisher:
            m.d.comb += [
                self.o_write.eq(self.i_valid),
                write_entry.eq(entry),
                words.eq(self.i_words),
                self.o_ready.eq(ready),
            ]
            self._halves(m, platform, entry, write_entry, words)
            return m

        # What is written, now or when it is finished. The layer before may have been one that does
        # not finish its words: these are not to come again.
        latency = finish_latency(self.config)
        late_valid = delayed(m, self.i_valid & self.i_late, latency, "valid")
        late_entry = delayed(m, entry, latency, "entry")
        late_ready = delayed(m, Mux(self.i_late, ready, 0), latency, "ready")
        m.d.comb += [
            self.o_write.eq(Mux(self.i_late, late_valid, self.i_valid)),
            write_entry.eq(Mux(self.i_late, late_entry, entry)),
            words.eq(Mux(self.i_late, self.i_finished, self.i_words)),
            self.o_ready.eq(Mux(self.i_late, late_ready, ready)),
        ]
        self._halves(m, platform, entry, write_entry, words)

        return m

    def _halves(
        self, m: Module, platform: object, entry: Signal, write_entry: Signal, words: Signal
    ) -> None:
        """Entries of the ring in the lower half and behind it; one memory where nothing joins."""
        config, half = self.config, join_depth(self.config)
        if not config.finisher:
            ring = Sram(depth=config.ofmap_depth, width=self.width)
            m.submodules.ring = unit(platform, ring)
            m.d.comb += [
                ring.i_write_en.eq(self.o_write),
                ring.i_write_addr.eq(write_entry),
                ring.i_write_data.eq(words),
                ring.i_read_en.eq(self.i_read_en),
                ring.i_read_addr.eq(self.i_read_entry),
                self.o_vector.eq(ring.o_read_data),
            ]
            return
        lower = Sram(depth=half, width=self.width)
        m.submodules.lower = unit(platform, lower)
        m.submodules.upper = upper = ResidualHalf(config)
        write_upper, read_upper, shows_upper = (
            Signal(name=name) for name in ("write_upper", "read_upper", "shows_upper")
        )
        with m.If(self.i_read_en):
            m.d.sync += shows_upper.eq(read_upper)
        m.d.comb += [
            write_upper.eq(write_entry >= half),
            read_upper.eq(self.i_read_entry >= half),
            lower.i_write_en.eq(self.o_write & ~write_upper),
            lower.i_write_addr.eq(write_entry),
            lower.i_write_data.eq(words),
            lower.i_read_en.eq(self.i_read_en & ~read_upper),
            lower.i_read_addr.eq(self.i_read_entry),
            upper.i_write_en.eq(self.o_write & write_upper),
            upper.i_write_entry.eq(write_entry - half),
            upper.i_write_words.eq(words),
            upper.i_fill.eq(self.i_fill),
            upper.i_fill_element.eq(self.i_fill_element),
            upper.i_fill_mask.eq(self.i_fill_mask),
            upper.i_fill_data.eq(self.i_fill_data),
            upper.i_read_en.eq(Mux(self.i_joins, self.i_residual_en, self.i_read_en & read_upper)),
            upper.i_read_entry.eq(
                Mux(self.i_joins, self._residual(m, entry), self.i_read_entry - half)
            ),
            self.o_residuals.eq(upper.o_vector),
            self.o_vector.eq(Mux(shows_upper, upper.o_vector, lower.o_read_data)),
        ]

    def _residual(self, m: Module, entry: Signal) -> Value:
        """Give the entry of a vector's residuals."""
        if not runs_of_own(self.config):
            return entry
        half = join_depth(self.config)
        turn = Signal(range(half))
        with m.If(self.i_residual_en):
            m.d.sync += turn.eq(Mux(turn == half - 1, 0, turn + 1))
        with m.If(self.i_clear):
            m.d.sync += turn.eq(0)
        return Mux(self.i_pools, turn, entry)

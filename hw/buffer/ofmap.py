"""Ofmap buffer: a ring of requantised vectors on their way to DRAM."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class OfmapBuffer(wiring.Component):
    """Ring of ``psum_depth`` vectors, written strip by strip, read at any entry.

    Vectors of a strip come column by column and lie row by row, ``i_columns`` apart; a vector that
    is a strip by itself goes to the next entry. ``o_vector`` follows ``i_read_entry`` by one cycle
    and holds. Who writes has made sure of room.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth and width.

    Members
    -------
    i_clear : ``In(1)``
        Begin anew at entry 0.
    i_columns : ``In(16)``
        Vectors of a strip's row.
    i_valid, i_words, i_column_last, i_strip_last
        The next vector; whether it is the last of its column, of its strip.
    o_ready : vectors that may be read from the next cycle on: those of a strip with its last one
    i_read_en, i_read_entry, o_vector
        Read port.
    """

    i_clear: Signal
    i_columns: Signal
    i_valid: Signal
    i_words: Signal
    i_column_last: Signal
    i_strip_last: Signal
    o_ready: Signal
    i_read_en: Signal
    i_read_entry: Signal
    o_vector: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_clear": In(1),
                "i_columns": In(16),
                "i_valid": In(1),
                "i_words": In(self.width),
                "i_column_last": In(1),
                "i_strip_last": In(1),
                "o_ready": Out(range(config.psum_depth + 1)),
                "i_read_en": In(1),
                "i_read_entry": In(max(1, ceil_log2(config.psum_depth))),
                "o_vector": Out(self.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the ring."""
        m = Module()
        depth = self.config.psum_depth

        entry = Signal(range(depth))
        column = Signal(range(depth))
        after = Signal(range(2 * depth))
        wrapped = Signal(range(depth))
        waiting = Signal.like(self.o_ready)
        ends = self.i_column_last & ~self.i_strip_last
        m.d.comb += [
            after.eq(
                Mux(ends, column, entry)
                + Mux(self.i_column_last | self.i_strip_last, 1, self.i_columns)
            ),
            wrapped.eq(Mux(after >= depth, after - depth, after)),
            self.o_ready.eq(Mux(self.i_valid & self.i_strip_last, waiting + 1, 0)),
        ]
        with m.If(self.i_valid):
            m.d.sync += [entry.eq(wrapped), waiting.eq(Mux(self.i_strip_last, 0, waiting + 1))]
            with m.If(self.i_column_last | self.i_strip_last):
                m.d.sync += column.eq(wrapped)
        with m.If(self.i_clear):
            m.d.sync += [entry.eq(0), column.eq(0), waiting.eq(0)]

        bank = Sram(depth=depth, width=self.width)
        m.submodules.bank = unit(platform, bank)
        m.d.comb += [
            bank.i_write_en.eq(self.i_valid),
            bank.i_write_addr.eq(entry),
            bank.i_write_data.eq(self.i_words),
            bank.i_read_en.eq(self.i_read_en),
            bank.i_read_addr.eq(self.i_read_entry),
            self.o_vector.eq(bank.o_read_data),
        ]

        return m

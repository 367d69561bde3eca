"""Ofmap buffer: a ring of requantised vectors on their way to DRAM."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class OfmapBuffer(wiring.Component):
    """Ring of ``psum_depth`` vectors, written in order, read at any entry.

    ``o_vector`` follows ``i_read_entry`` by one cycle and holds. Who writes has made sure of room.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth and width.

    Members
    -------
    i_clear : ``In(1)``
        Begin anew at entry 0.
    i_valid, i_words
        The next vector.
    i_read_en, i_read_entry, o_vector
        Read port.
    """

    i_clear: Signal
    i_valid: Signal
    i_words: Signal
    i_read_en: Signal
    i_read_entry: Signal
    o_vector: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.width = config.m_block * config.act_bits
        super().__init__(
            {
                "i_clear": In(1),
                "i_valid": In(1),
                "i_words": In(self.width),
                "i_read_en": In(1),
                "i_read_entry": In(max(1, ceil_log2(config.psum_depth))),
                "o_vector": Out(self.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the ring."""
        m = Module()
        depth = self.config.psum_depth

        entry = Signal.like(self.i_read_entry)
        with m.If(self.i_valid):
            m.d.sync += entry.eq(Mux(entry == depth - 1, 0, entry + 1))
        with m.If(self.i_clear):
            m.d.sync += entry.eq(0)

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

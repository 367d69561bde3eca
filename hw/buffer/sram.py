"""The one memory primitive: a synchronous SRAM with one read and one write port."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import ceil_log2


class Sram(wiring.Component):
    """1R1W synchronous memory, the unit that a target replaces by its macro.

    ``o_read_data`` shows the word at ``i_read_addr`` one cycle after ``i_read_en`` and holds it. A
    read of the address that is written in the same cycle is undefined: no block does it.

    Parameters
    ----------
    depth : int
        Words.
    width : int
        Bits of a word.

    Members
    -------
    i_write_en, i_write_addr, i_write_data
        Write port.
    i_read_en, i_read_addr, o_read_data
        Read port.
    """

    i_write_en: Signal
    i_write_addr: Signal
    i_write_data: Signal
    i_read_en: Signal
    i_read_addr: Signal
    o_read_data: Signal

    def __init__(self, *, depth: int, width: int) -> None:
        self.depth = depth
        self.width = width
        self.unit_name = f"sram_1r1w_{depth}x{width}"
        self.unit_key = (depth, width)
        addr_bits = max(1, ceil_log2(depth))
        super().__init__(
            {
                "i_write_en": In(1),
                "i_write_addr": In(addr_bits),
                "i_write_data": In(width),
                "i_read_en": In(1),
                "i_read_addr": In(addr_bits),
                "o_read_data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the behavioural memory."""
        m = Module()

        m.submodules.words = words = memory.Memory(shape=self.width, depth=self.depth, init=[])
        write = words.write_port()
        read = words.read_port()
        m.d.comb += [
            write.en.eq(self.i_write_en),
            write.addr.eq(self.i_write_addr),
            write.data.eq(self.i_write_data),
            read.en.eq(self.i_read_en),
            read.addr.eq(self.i_read_addr),
            self.o_read_data.eq(read.data),
        ]

        return m

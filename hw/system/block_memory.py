"""Memory on the chip."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In

from stillflow.hw.config import ceil_log2
from stillflow.hw.system.memory_port import MemoryPort


class BlockMemory(wiring.Component):
    """Block RAM behind a memory port: a beat every cycle, read in the next one.

    Parameters
    ----------
    data_bits : int
        Width of a beat.
    size : int
        Bytes, whole beats.

    Members
    -------
    port : ``In(MemoryPort(...))``
    """

    port: Any

    def __init__(self, *, data_bits: int, size: int) -> None:
        self.data_bits = data_bits
        self.depth = size * 8 // data_bits
        port = MemoryPort(data_bits=data_bits, address_bits=ceil_log2(self.depth))
        super().__init__({"port": In(port)})

    def elaborate(self, platform: object) -> Module:
        """Build the memory, a column for each byte: so a strobe is a write enable."""
        m = Module()

        port, request = self.port, self.port.requests.p
        takes = port.requests.valid
        m.d.comb += port.requests.ready.eq(1)
        m.d.sync += [port.read.eq(takes & ~request.write), port.read_source.eq(request.source)]
        words = memory.Memory(shape=self.data_bits, depth=self.depth, init=[])
        m.submodules.words = words
        write, read = words.write_port(granularity=8), words.read_port()
        m.d.comb += [
            write.addr.eq(request.address),
            write.data.eq(request.data),
            write.en.eq(request.strobe & (takes & request.write).replicate(self.data_bits // 8)),
            read.addr.eq(request.address),
            read.en.eq(takes & ~request.write),
            port.read_data.eq(read.data),
        ]

        return m

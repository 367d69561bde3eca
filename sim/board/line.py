"""The far end of the UART in simulation, bit by bit."""

from collections import deque
from random import Random
from typing import Any

import cocotb
from cocotb.task import resume
from cocotb.triggers import Event, FallingEdge, First, Timer

from stillflow.hw.system.uart import BITS

PATIENCE_BYTES = 64  # byte times without a byte after which a read gives up


class UartLine:
    """A line of bytes for `stillflow.compiler.link.LinkTransport`, whose calls come from a thread.

    Parameters
    ----------
    dut : handle
        With ``i_rx`` and ``o_tx``.
    bit_ps : int
        Length of a bit.
    seed : int
        Of the noise.

    Attributes
    ----------
    noise : float
        Share of bytes, each way, of which one bit is turned over.
    """

    def __init__(self, dut: Any, bit_ps: int, seed: int) -> None:
        self._dut = dut
        self._bit = bit_ps
        self._random = Random(seed)
        self._received: deque[int] = deque()
        self._came = Event()
        self.noise = 0.0
        self.disturbed = 0
        self.write = resume(self.send)
        self.read = resume(self.take)
        self.pause = resume(self.rest)
        dut.i_rx.value = 1
        cocotb.start_soon(self._listen())

    async def send(self, content: bytes) -> None:
        """Send bytes."""
        for byte in content:
            bits = self._disturbed(byte) << 1 | 1 << (BITS - 1)
            for number in range(BITS):
                self._dut.i_rx.value = bits >> number & 1
                await Timer(self._bit, "ps")

    async def take(self, length: int) -> bytes:
        """Take bytes as they come; fewer if none comes for a while."""
        taken = bytearray()
        while len(taken) < length:
            if self._received:
                taken.append(self._received.popleft())
                continue
            self._came.clear()
            timeout = Timer(PATIENCE_BYTES * BITS * self._bit, "ps")
            await First(self._came.wait(), timeout)
            if not self._received:
                break
        return bytes(taken)

    async def rest(self, byte_times: int) -> None:
        """Send nothing for so long, and forget what has come."""
        await Timer(byte_times * BITS * self._bit, "ps")
        self._received.clear()

    def _disturbed(self, byte: int) -> int:
        if self.noise and self._random.random() < self.noise:
            self.disturbed += 1
            return byte ^ 1 << self._random.randrange(8)
        return byte

    async def _listen(self) -> None:
        while True:
            await FallingEdge(self._dut.o_tx)
            await Timer(self._bit // 2, "ps")
            byte = 0
            for number in range(8):
                await Timer(self._bit, "ps")
                byte |= int(self._dut.o_tx.value) << number
            await Timer(self._bit, "ps")
            assert int(self._dut.o_tx.value) == 1, "a byte must end with a stop bit"
            self._received.append(self._disturbed(byte))
            self._came.set()

"""DRAM at the AXI4 port: stalls, error responses and silence on demand."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cocotb.types import LogicArray
from cocotbext.axi import AxiBus, AxiResp, AxiSlaveRead, AxiSlaveWrite

CHANNELS = ("aw", "w", "b", "ar", "r")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Accesses that fail.

    Parameters
    ----------
    kind : str
        ``read`` or ``write``.
    start, stop : int
        Byte addresses, ``stop`` excluded. A read fails beat by beat, a write as a whole burst.
    response : AxiResp
        ``SLVERR`` or ``DECERR``.
    """

    kind: Literal["read", "write"]
    start: int
    stop: int
    response: AxiResp


def coin(probability: float, seed: str) -> Iterator[bool]:
    """Pause or not, cycle by cycle, for ever."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < probability


def pulses(seed: str) -> Iterator[bool]:
    """Pause except for single cycles, one to eight apart."""
    generator = random.Random(seed)
    while True:
        yield from [True] * generator.randint(1, 8)
        yield False


def silences(seed: str) -> Iterator[bool]:
    """Go on for up to a hundred cycles, pause for up to three hundred."""
    generator = random.Random(seed)
    while True:
        yield from [False] * generator.randint(1, 100)
        yield from [True] * generator.randint(1, 300)


RHYTHMS = {"pulses": pulses, "silences": silences}


class Dram:
    """Memory from address 0 behind the accelerator's AXI4 master.

    What lies beyond answers DECERR.

    Parameters
    ----------
    dut
        cocotb's handle of the accelerator.
    size : int
        Bytes.
    seed : int
        Of the initial contents: random bytes, so that nothing relies on zeros.
    """

    def __init__(self, dut: Any, *, size: int, seed: int) -> None:
        self.content = bytearray(random.Random(seed).randbytes(size))
        self.faults: list[Fault] = []
        bus = AxiBus.from_prefix(dut, "m_axi")
        self._write_side = _WriteSide(self, bus.write, dut.clk, dut.rst)
        self._read_side = _ReadSide(self, bus.read, dut.clk, dut.rst)
        sides = {"aw": self._write_side, "w": self._write_side, "b": self._write_side}
        sides |= {"ar": self._read_side, "r": self._read_side}
        self.channels = {name: getattr(sides[name], f"{name}_channel") for name in CHANNELS}

    def stall(self, seed: int, highest: float = 0.95) -> dict[str, float]:
        """Pause each channel at random, with a probability of its own; return these.

        Parameters
        ----------
        seed : int
            The same seed gives the same stalls.
        highest : float
            Upper bound of the probabilities.
        """
        draw = random.Random(f"stall {seed}")
        rates = {name: draw.uniform(0, highest) for name in CHANNELS}
        for name, rate in rates.items():
            self.channels[name].set_pause_generator(coin(rate, f"{name} {seed}"))
        return rates

    def stall_in(self, rhythm: str, seed: int) -> None:
        """Pause each channel in a rhythm of `RHYTHMS`, each in its own time."""
        for name, channel in self.channels.items():
            channel.set_pause_generator(RHYTHMS[rhythm](f"{rhythm} {name} {seed}"))

    def silence(self, channels: tuple[str, ...] = CHANNELS) -> None:
        """Stop answering on these channels until `resume`."""
        for name in channels:
            self.channels[name].clear_pause_generator()
            self.channels[name].pause = True

    def resume(self) -> None:
        """Answer again, without stalls."""
        for channel in self.channels.values():
            channel.clear_pause_generator()
            channel.pause = False

    def forget(self) -> None:
        """Drop everything that is not answered yet."""
        for part in (self._write_side, self._read_side, *self.channels.values()):
            part.assert_reset()

    def response(self, kind: str, address: int, length: int) -> AxiResp:
        """Give the answer to an access of ``length`` bytes."""
        if address + length > len(self.content):
            return AxiResp.DECERR
        for fault in self.faults:
            if kind == fault.kind and address < fault.stop and address + length > fault.start:
                return fault.response
        return AxiResp.OKAY


class _ReadSide(AxiSlaveRead):
    """Reads of `Dram`."""

    def __init__(self, dram: Dram, bus: Any, clock: Any, reset: Any) -> None:
        super().__init__(bus, clock, reset)
        self._dram = dram
        self._response = AxiResp.OKAY
        self._send = self.r_channel.send
        self.r_channel.send = self._answer

    async def _read(self, address: int, length: int) -> bytes:
        self._response = self._dram.response("read", address, length)
        if self._response != AxiResp.OKAY:
            return bytes(length)
        return bytes(self._dram.content[address : address + length])

    async def _answer(self, beat: Any) -> None:
        beat.rresp = self._response
        await self._send(beat)


class _WriteSide(AxiSlaveWrite):
    """Writes of `Dram`."""

    def __init__(self, dram: Dram, bus: Any, clock: Any, reset: Any) -> None:
        super().__init__(bus, clock, reset)
        self._dram = dram
        self._response = AxiResp.OKAY
        self._send = self.b_channel.send
        self.b_channel.send = self._answer
        self._receive = self.w_channel.recv
        self.w_channel.recv = self._take

    async def _take(self) -> Any:
        """Bytes without strobe may hold anything, X too: let them be zero."""
        beat = await self._receive()
        bits, strobes = str(beat.wdata), str(beat.wstrb)
        if "X" in bits and "X" not in strobes:
            parts = [bits[8 * i : 8 * i + 8] for i in range(len(strobes))]
            kept = (p if s == "1" else "0" * 8 for p, s in zip(parts, strobes, strict=True))
            beat.wdata = LogicArray("".join(kept))
        return beat

    async def _write(self, address: int, data: bytes) -> None:
        response = self._dram.response("write", address, len(data))
        if response == AxiResp.OKAY:
            self._dram.content[address : address + len(data)] = data
        self._response = max(self._response, response)

    async def _answer(self, answer: Any) -> None:
        answer.bresp, self._response = self._response, AxiResp.OKAY
        await self._send(answer)

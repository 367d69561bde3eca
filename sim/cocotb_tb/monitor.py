"""Watches the accelerator's AXI ports and says what is against the protocol."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from stillflow.sim.engine.protocol import Failure, Held, check_burst

_ADDRESS = ("addr", "len", "size", "burst", "cache", "prot", "id")
_PAYLOADS = {
    "m_axi_ar": _ADDRESS,
    "m_axi_aw": _ADDRESS,
    "m_axi_w": ("data", "strb", "last"),
    "s_axil_r": ("data", "resp"),
    "s_axil_b": ("resp",),
}
_ANSWERS = ("m_axi_r", "m_axi_b")


@dataclass
class Traffic:
    """What was seen at the AXI4 port.

    Parameters
    ----------
    read_beats, write_beats, empty_beats, bursts : int
        Beats and bursts taken; ``empty_beats`` are written ones without a strobe.
    """

    read_beats: int = 0
    write_beats: int = 0
    empty_beats: int = 0
    bursts: int = 0


@dataclass
class _Write:
    """A write burst whose address was taken."""

    beats: int
    strobes: list[int] = field(default_factory=list)


class Monitor:
    """Checks every cycle of the AXI4 master and of the AXI4-Lite slave.

    Valid and payload stay until ready. A burst is INCR, whole beats, and stays in its 4 KiB. Write
    data follow their address, the last beat is marked and no other, and the strobes of a burst are
    one run of bytes, or none at all. A read burst's beats and a write's answer belong to a burst.
    What is wrong fails the running test at once.

    Parameters
    ----------
    dut
        cocotb's handle of the accelerator, out of X's after reset.
    """

    def __init__(self, dut: Any) -> None:
        self.traffic = Traffic()
        self.fail = Failure()
        self._dut = dut
        self._beat = len(dut.m_axi_wstrb)
        self._writes: deque[_Write] = deque()
        self._reads = 0
        self._unanswered = 0
        self._held = {name: Held(name) for name in _PAYLOADS}
        self._shake = {
            name: (getattr(dut, f"{name}valid"), getattr(dut, f"{name}ready"))
            for name in (*_PAYLOADS, *_ANSWERS)
        }
        self._signals = {
            name: [getattr(dut, name + part) for part in parts] for name, parts in _PAYLOADS.items()
        }
        self._task = cocotb.start_soon(self._run())

    def check(self) -> None:
        """Raise AssertionError if anything was wrong."""
        if self.fail.message:
            raise AssertionError(self.fail.message)

    def check_quiet(self) -> None:
        """Raise AssertionError if anything was wrong or a transfer is still under way."""
        self.check()
        left = self._reads, len(self._writes), self._unanswered
        if left != (0, 0, 0):
            raise AssertionError(f"read beats, write bursts, write answers left: {left}")

    def stop(self) -> None:
        """Look no longer."""
        self._task.cancel()

    async def _run(self) -> None:
        edge = RisingEdge(self._dut.clk)
        while True:
            await edge
            taken = {}
            for name, (valid, ready) in self._shake.items():
                offered = valid.value == 1
                if name in _ANSWERS:
                    if offered and ready.value == 1:
                        taken[name] = ()
                    continue
                held = self._held[name]
                if offered or held.waiting:
                    accepted = ready.value == 1
                    # Data may hold X in bytes without strobe; anything else may not.
                    payload: tuple[Any, ...] = tuple(
                        str(signal.value) if signal is self._dut.m_axi_wdata else int(signal.value)
                        for signal in self._signals[name]
                    )
                    held.check(self.fail, offered, accepted, payload)
                    if offered and accepted:
                        taken[name] = payload
            if taken:
                self._take(taken)
            self.check()

    def _take(self, taken: dict[str, tuple[int, ...]]) -> None:
        """Follow the transfers of a cycle."""
        if "m_axi_w" in taken:
            _, strobes, last = taken["m_axi_w"]
            self._write_beat(strobes, last)
        if "m_axi_r" in taken:
            self.traffic.read_beats += 1
            self._reads -= 1
        if "m_axi_b" in taken:
            self._unanswered -= 1
        for name in ("m_axi_ar", "m_axi_aw"):
            if name in taken:
                self._burst(name, taken[name])
        if self._reads < 0 or self._unanswered < 0:
            self.fail("an answer was taken before its address")

    def _burst(self, name: str, payload: tuple[int, ...]) -> None:
        address, length, size, kind = payload[:4]
        check_burst(self.fail, name, address, length, size, kind, beat=self._beat)
        self.traffic.bursts += 1
        if name == "m_axi_ar":
            self._reads += length + 1
        else:
            self._writes.append(_Write(length + 1))

    def _write_beat(self, strobes: int, last: int) -> None:
        self.traffic.write_beats += 1
        self.traffic.empty_beats += strobes == 0
        if not self._writes:
            self.fail("write data came before their address")
            return
        burst = self._writes[0]
        burst.strobes.append(strobes)
        if last != (len(burst.strobes) == burst.beats):
            self.fail(f"wlast is {last} in beat {len(burst.strobes)} of {burst.beats}")
        if len(burst.strobes) == burst.beats:
            self._writes.popleft()
            self._unanswered += 1
            marks = "".join(f"{word:0{self._beat}b}"[::-1] for word in burst.strobes)
            if "1" in marks.strip("0") and "0" in marks.strip("0"):
                self.fail(f"strobes of a burst leave a gap: {marks}")

"""DRAM for `PysimEngine`: the twin of ``dram.hpp``, which holds the specification.

Both must agree to the cycle and to the draw of the random stalls.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stillflow.sim.engine.base import FAULT_CHANNELS, FAULT_KINDS, Stalls, Traffic
from stillflow.sim.engine.protocol import Failure, Held, check_burst

_OKAY, _SLVERR, _DECERR = 0, 2, 3
_SILENT = FAULT_KINDS.index("silent")
_RESPONSES = {FAULT_KINDS.index("slverr"): _SLVERR, FAULT_KINDS.index("decerr"): _DECERR}
_READ, _WRITE = FAULT_CHANNELS.index("r"), FAULT_CHANNELS.index("w")
_MASK64 = (1 << 64) - 1


class _Burst(NamedTuple):
    due: int  # reads: first cycle in which a beat may move
    address: int
    beats: int
    id: int


class _ReadBeat(NamedTuple):
    address: int
    last: bool
    id: int


class _WriteBeat(NamedTuple):
    data: int
    strobe: int
    last: int


class _Ack(NamedTuple):
    due: int
    response: int
    id: int


class Dram:
    """DRAM that moves `begin` by `end`, one cycle each time.

    Parameters
    ----------
    memory : ndarray of uint8
        Its content, from address 0.
    axi_bytes : int
        Bytes of a beat.
    latency, rate : int
        Cycles, and bytes per cycle.
    stalls : Stalls, optional
        Stall at random.

    Attributes
    ----------
    failure : Failure
        First thing that the core did wrong.
    """

    def __init__(
        self,
        memory: npt.NDArray[np.uint8],
        axi_bytes: int,
        latency: int,
        rate: int,
        stalls: Stalls | None,
    ) -> None:
        self._memory, self._beat = memory, axi_bytes
        self._latency, self._rate = latency, rate
        self._thresholds = stalls.thresholds() if stalls else None
        self._random = stalls.seed & _MASK64 if stalls else 0
        self._now, self._account = 0, axi_bytes + rate - 1
        self._ar_ready = self._aw_ready = self._w_ready = True
        self.reset()

    def reset(self) -> None:
        """Forget transfers in flight, faults and traffic."""
        self._reads: deque[_Burst] = deque()
        self._writes: deque[_Burst] = deque()
        self._read_beats: deque[_ReadBeat] = deque()  # moved, not yet taken by the core
        self._write_beats: deque[_WriteBeat] = deque()  # given by the core, not yet moved
        self._acks: deque[_Ack] = deque()
        self._moved = [0, 0]  # beats of the bursts in front
        self._write_response = _OKAY
        self._owner: int | None = None  # whose burst has begun
        self._r_valid = self._b_valid = False
        self._r_pins: dict[str, int] = {}
        self._b_pins: dict[str, int] = {}
        self._faults: list[tuple[int, int, int]] = []
        self._held = [Held("ar"), Held("aw"), Held("w")]
        self._counts = [0, 0, 0, 0, 0]
        self.failure = Failure()

    @property
    def traffic(self) -> Traffic:
        """Handshakes since the start or the last reset."""
        return Traffic(*self._counts)

    def inject(self, kind: int, channel: int, index: int) -> None:
        """Add a fault."""
        self._faults.append((kind, channel, index))

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def begin(self) -> dict[str, int]:
        """Begin a cycle: move data, and give what the core's inputs are in it."""
        self._move()
        hold_r = hold_b = False
        if self._thresholds is not None:
            draws = [self._stall(threshold) for threshold in self._thresholds]
            self._ar_ready, self._aw_ready, self._w_ready = (not draw for draw in draws[:3])
            hold_r, hold_b = draws[3:]
        if not self._r_valid and not hold_r and self._read_beats:
            self._present_read()
        if not self._b_valid and not hold_b and self._acks and self._acks[0].due <= self._now:
            self._present_ack()
        return {
            "arready": self._ar_ready,
            "awready": self._aw_ready,
            "wready": self._w_ready,
            "rvalid": self._r_valid,
            "bvalid": self._b_valid,
            **self._r_pins,
            **self._b_pins,
        }

    def end(self, core: Mapping[str, int]) -> None:
        """End a cycle: take what the core's outputs offer before the clock edge."""
        beat = _WriteBeat(core["wdata"], core["wstrb"], core["wlast"])
        if self._thresholds is not None:
            fail, (ar, aw, w) = self.failure, self._held
            ar.check(fail, core["arvalid"], self._ar_ready, (core["araddr"], core["arlen"]))
            aw.check(fail, core["awvalid"], self._aw_ready, (core["awaddr"], core["awlen"]))
            w.check(fail, core["wvalid"], self._w_ready, beat)
        if core["arvalid"] and self._ar_ready:
            self._reads.append(self._burst("read", "ar", core, self._now + self._latency))
            self._counts[0] += 1
        if core["awvalid"] and self._aw_ready:
            self._writes.append(self._burst("write", "aw", core, 0))
            self._counts[2] += 1
        if core["wvalid"] and self._w_ready:
            self._write_beats.append(beat)
            self._counts[3] += 1
        if self._r_valid and core["rready"]:
            self._read_beats.popleft()
            self._r_valid = False
            self._counts[1] += 1
        if self._b_valid and core["bready"]:
            self._acks.popleft()
            self._b_valid = False
            self._counts[4] += 1
        self._now += 1

    def _burst(self, name: str, prefix: str, core: Mapping[str, int], due: int) -> _Burst:
        address, length, size, kind = (
            core[prefix + key] for key in ("addr", "len", "size", "burst")
        )
        start = check_burst(self.failure, name, address, length, size, kind, beat=self._beat)
        return _Burst(due, start, length + 1, core[prefix + "id"])

    def _stall(self, threshold: int) -> bool:
        self._random = (self._random * 6364136223846793005 + 1442695040888963407) & _MASK64
        return self._random >> 32 < threshold

    def _fault(self, channel: int, index: int) -> int | None:
        return next((kind for kind, *where in self._faults if where == [channel, index]), None)

    def _move(self) -> None:
        self._account = min(self._account + self._rate, self._beat + self._rate - 1)
        can_read = bool(self._reads) and self._reads[0].due <= self._now
        can = (can_read, bool(self._writes) and bool(self._write_beats))
        turn = (_WRITE if can[_WRITE] else _READ) if self._owner is None else self._owner
        for channel in (turn, 1 - turn):
            if can[channel] and self._account >= self._beat:
                self._account -= self._beat
                (self._move_write if channel == _WRITE else self._move_read)()
        if self._owner is None or not self._moved[self._owner]:
            begun = [channel for channel in (_WRITE, _READ) if self._moved[channel]]
            self._owner = begun[0] if begun else None

    def _advance(self, channel: int, bursts: deque[_Burst]) -> tuple[_Burst, int, bool]:
        """Count a beat of the burst in front: the burst, the beat's address, and if it is last."""
        burst = bursts[0]
        address = burst.address + self._moved[channel] * self._beat
        self._moved[channel] += 1
        last = self._moved[channel] == burst.beats
        if last:
            bursts.popleft()
            self._moved[channel] = 0
        return burst, address, last

    def _move_read(self) -> None:
        burst, address, last = self._advance(_READ, self._reads)
        self._read_beats.append(_ReadBeat(address, last, burst.id))

    def _move_write(self) -> None:
        number = self._moved[_WRITE] + 1
        burst, address, last = self._advance(_WRITE, self._writes)
        beat = self._write_beats.popleft()
        if bool(beat.last) != last:
            self.failure(
                f"wlast is {beat.last} in beat {number} of {burst.beats} "
                f"of the write burst at {burst.address:#010x}"
            )
        if address + self._beat > self._memory.size:
            self._write_response = _DECERR
        else:
            for i, value in enumerate(beat.data.to_bytes(self._beat, "little")):
                if beat.strobe >> i & 1:
                    self._memory[address + i] = value
        if last:
            due = self._now + self._latency - 1
            self._acks.append(_Ack(due, self._write_response, burst.id))
            self._write_response = _OKAY

    def _present_read(self) -> None:
        kind = self._fault(_READ, self._counts[1])
        if kind == _SILENT:
            return
        beat = self._read_beats[0]
        exists = beat.address + self._beat <= self._memory.size
        word = self._memory[beat.address : beat.address + self._beat].tobytes() if exists else b""
        response = _OKAY if exists else _DECERR
        self._r_pins = {
            "rdata": int.from_bytes(word, "little"),
            "rresp": response if kind is None else _RESPONSES[kind],
            "rlast": beat.last,
            "rid": beat.id,
        }
        self._r_valid = True

    def _present_ack(self) -> None:
        kind = self._fault(_WRITE, self._counts[4])
        if kind == _SILENT:
            return
        ack = self._acks[0]
        response = ack.response if kind is None else _RESPONSES[kind]
        self._b_pins = {"bresp": response, "bid": ack.id}
        self._b_valid = True

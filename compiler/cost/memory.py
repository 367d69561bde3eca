"""The DRAM with fixed latency, burst by burst: ``sim/engine/dram.hpp`` specifies it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stillflow.compiler.cost.visits import Bursts

NEVER = 1 << 62
READ, WRITE, NEITHER = 0, 1, -1


@dataclass(slots=True)
class ReadRun:
    """Bursts of one segment whose beats follow each other once the first has come.

    Parameters
    ----------
    due : int
        Cycle from which the first beat may move.
    beats : int
        Beats that are left.
    place : int
        Of the next beat in its page.
    until : int
        A further burst joins if it is due by then: ``due`` and all beats so far.
    """

    due: int
    beats: int
    place: int
    until: int


@dataclass(slots=True)
class WriteRun:
    """A write burst: cycles from which its address, its beats count; beats that moved."""

    due: int
    beats: Sequence[int]
    moved: int = 0


class Taker(Protocol):
    """Who takes the beats that are read."""

    def take(self, moved: int, beats: int) -> None:
        """Take beats that move one per cycle from cycle ``moved`` on."""
        ...


class Memory:
    """The DRAM's queues and its account of bytes.

    Parameters
    ----------
    bursts : Bursts
        How reads are cut.
    latency : int
        Cycles, at least 1.
    rate : int
        Bytes per cycle.
    delay : int
        Cycles on the way to the memory and back, behind those that it counts itself: all times here
        are those of the accelerator's requests, and what comes back comes so much later.

    Attributes
    ----------
    reads, writes : deque
        What is asked for and not moved yet.
    answered : list[int]
        Cycle of each write response, as the accelerator sees it.
    whole_beats : bool
        A cycle's bytes are a beat: then bursts are decided as a whole.
    now : int
        Nothing moves before this cycle any more.
    """

    def __init__(self, bursts: Bursts, *, latency: int, rate: int, delay: int = 0) -> None:
        self.bursts, self.latency, self.rate, self.delay = bursts, latency, rate, delay
        self.beat = bursts.beat_bytes
        self.limit = self.beat + rate - 1
        self.whole_beats = rate == self.beat
        self.account, self.account_at = self.limit, 0  # as it was left in that cycle
        self.reads: deque[ReadRun] = deque()
        self.writes: deque[WriteRun] = deque()
        self.answered: list[int] = []
        self.read_left = 0  # beats of the read burst that has begun
        self.owner = NEITHER
        self.now = 0

    @property
    def busy(self) -> bool:
        """Whether anything is left to move."""
        return bool(self.reads or self.writes)

    def next_event(self) -> int:
        """Earliest cycle in which something may move."""
        at = NEVER
        if self.reads:
            at = self.reads[0].due
        if self.writes:
            write = self.writes[0]
            at = min(at, max(write.due, write.beats[write.moved]))
        return max(self.now, at)

    def decide(self, taker: Taker, floor: int) -> None:
        """Move what can be decided: no write that is still unknown moves before ``floor``."""
        if not self.whole_beats:
            self._move_beat(taker)
            return
        write_at = NEVER
        if self.writes:
            write = self.writes[0]
            write_at = max(self.now, write.due, write.beats[write.moved])
        if self.owner == WRITE:
            if self.reads and write_at > self.now:
                run = self.reads[0]
                at = max(self.now, run.due)
                if at < write_at:
                    if not self.read_left:
                        self.read_left = self.bursts.first(run.place, run.beats)
                    self._read(run, at, min(write_at - at, self.read_left), taker)
                    return
            self._write_beat(write_at)
            return
        if self.read_left:
            self._read(self.reads[0], self.now, self.read_left, taker)
            return
        read_at = max(self.now, self.reads[0].due) if self.reads else NEVER
        if write_at <= read_at:
            write = self.writes[0]
            if write.beats[-1] - len(write.beats) < write_at:
                self._answer(write_at + len(write.beats) - 1)
            else:
                self._write_beat(write_at)
            return
        stop = min(write_at, floor)
        while True:
            run = self.reads[0]
            at = max(self.now, run.due)
            if at + run.beats > stop:
                break
            self.read_left = run.beats
            self._read(run, at, run.beats, taker)
            if not self.reads:
                return
        if at >= stop:
            return
        beats, place = 0, run.place
        while at + beats < stop and beats < run.beats:
            part = self.bursts.first(place, run.beats - beats)
            beats += part
            place = (place + part) % self.bursts.page
        self.read_left = beats
        self._read(run, at, beats, taker)

    def _read(self, run: ReadRun, at: int, beats: int, taker: Taker) -> None:
        self.read_left -= beats
        self.now = at + beats
        if beats == run.beats:
            self.reads.popleft()
        else:
            run.beats -= beats
            run.place = (run.place + beats) % self.bursts.page
        taker.take(at + self.delay, beats)

    def _write_beat(self, at: int) -> None:
        write = self.writes[0]
        write.moved += 1
        if write.moved == len(write.beats):
            self._answer(at)
            self.owner = NEITHER
        else:
            self.owner = WRITE
            self.now = at + 1

    def _answer(self, at: int) -> None:
        """Move the front burst's last beat."""
        self.writes.popleft()
        before = self.answered[-1] if self.answered else -1
        self.answered.append(max(at - 1 + self.latency + self.delay, before + 1))
        self.now = at + 1

    def _move_beat(self, taker: Taker) -> None:
        """Move one beat, or one of each, where a cycle's bytes are no beat."""
        reads, writes = self.reads, self.writes
        read_at = max(self.now, reads[0].due) if reads else NEVER
        write_at = NEVER
        if writes:
            write_at = max(self.now, writes[0].due, writes[0].beats[writes[0].moved])
        wait = max(0, -(-(self.beat - self.account) // self.rate))
        at = max(min(read_at, write_at), self.account_at + wait)
        account = min(self.account + self.rate * (at - self.account_at), self.limit)
        can = (read_at <= at, write_at <= at)
        turn = self.owner if self.owner != NEITHER else WRITE if can[WRITE] else READ
        begun_write = bool(writes and writes[0].moved)
        for which in (turn, 1 - turn):
            if not can[which] or account < self.beat:
                continue
            account -= self.beat
            if which == READ:
                run = reads[0]
                if not self.read_left:
                    self.read_left = self.bursts.first(run.place, run.beats)
                self._read(run, at, 1, taker)
            else:
                writes[0].moved += 1
                begun_write = writes[0].moved < len(writes[0].beats)
                if not begun_write:
                    self._answer(at)
        begun = (self.read_left > 0, begun_write)
        if self.owner == NEITHER or not begun[self.owner]:
            self.owner = WRITE if begun[WRITE] else READ if begun[READ] else NEITHER
        self.account, self.account_at, self.now = account, at, at + 1

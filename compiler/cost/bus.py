"""The DRAM with fixed latency, beat by beat, and the reader's side that takes the beats."""

from collections import deque

PADDING, IFMAP, FILTER, DESCRIPTOR = range(4)
NEVER = 1 << 62


class Memory:
    """The DRAM: what moves when. ``sim/engine/dram.hpp`` specifies it.

    Parameters
    ----------
    beat : int
        Bytes of a beat.
    latency : int
        Cycles, at least 1.
    rate : int
        Bytes per cycle.
    """

    def __init__(self, *, beat: int, latency: int, rate: int) -> None:
        self.beat, self.latency, self.rate = beat, latency, rate
        self.limit = beat + rate - 1
        self.account, self.account_at = self.limit, 0  # the account as it was left in that cycle
        self.reads: deque[list[int]] = deque()  # due, beats
        self.writes: deque[list[int]] = deque()  # first cycle of its address, beats
        self.write_beats: deque[int] = deque()  # first cycle in which each may move
        self.reads_moved = self.writes_moved = 0
        self.owner = -1  # 0 read, 1 write
        self.now = 0
        self.answered: list[int] = []  # cycles of write responses

    def decide(self, reader: "BeatSide") -> None:
        """Move one beat, or one of each, in the next cycle in which that can be."""
        reads, writes, beats = self.reads, self.writes, self.write_beats
        read_at = max(self.now, reads[0][0]) if reads else NEVER
        write_at = max(self.now, writes[0][0], beats[0]) if writes and beats else NEVER
        missing = self.beat - self.account
        affordable = self.account_at + -(-missing // self.rate) if missing > 0 else self.account_at
        t = max(min(read_at, write_at), affordable)
        assert t < NEVER, "nothing to move"
        account = min(self.account + self.rate * (t - self.account_at), self.limit)
        can = (read_at <= t, write_at <= t)
        turn = self.owner if self.owner >= 0 else (1 if can[1] else 0)
        for which in (turn, 1 - turn):
            if not can[which] or account < self.beat:
                continue
            account -= self.beat
            if which == 0:
                self.reads_moved += 1
                if self.reads_moved == reads[0][1]:
                    reads.popleft()
                    self.reads_moved = 0
                reader.take(t, 1)
            else:
                self.writes_moved += 1
                beats.popleft()
                if self.writes_moved == writes[0][1]:
                    writes.popleft()
                    self.writes_moved = 0
                    before = self.answered[-1] if self.answered else -1
                    self.answered.append(max(t - 1 + self.latency, before + 1))
        begun = (self.reads_moved != 0, self.writes_moved != 0)
        if self.owner < 0 or not begun[self.owner]:
            self.owner = 1 if begun[1] else 0 if begun[0] else -1
        self.account, self.account_at, self.now = account, t, t + 1


class BeatSide:
    """Segments in order: padding is made up, other beats are taken as they come.

    Members
    -------
    heads : first cycle in which each segment is at the head of the queue
    groups : cycle of the last beat of each plane group
    lines : ``(beats, cycle)`` of the filter stream: the beat before is taken in that cycle
    """

    def __init__(self) -> None:
        self.segments: list[tuple[int, int, int, bool]] = []  # accepted, kind, beats, group last
        self.heads: list[int] = []
        self.groups: list[int] = []
        self.filter_starts: list[int] = []
        self.filter_times: list[int] = []
        self.filter_beats = 0
        self.fetched = -1
        self.left = 0
        self.popped = -1  # cycle of the latest beat

    def accept(self, at: int, kind: int, beats: int, group_last: bool) -> None:
        """A segment enters the queue."""
        self.segments.append((at, kind, beats, group_last))
        if not self.left:
            self._next_head()

    def _next_head(self) -> None:
        while len(self.heads) < len(self.segments):
            at, kind, beats, group_last = self.segments[len(self.heads)]
            head = max(at + 2, self.popped + 1)
            self.heads.append(head)
            if kind != PADDING:
                self.left = beats
                self.popped = head - 1
                return
            self.popped = head + beats - 1
            if group_last:
                self.groups.append(self.popped)

    def take(self, moved: int, beats: int) -> None:
        """Beats of the segment at the head come from the DRAM from cycle ``moved`` on."""
        first = max(moved, self.popped + 1)
        _, kind, _, group_last = self.segments[len(self.heads) - 1]
        if kind == FILTER:
            self.filter_starts.append(self.filter_beats)
            self.filter_times.append(first)
            self.filter_beats += beats
        self.popped = first + beats - 1
        self.left -= beats
        if not self.left:
            if kind == DESCRIPTOR:
                self.fetched = self.popped
            elif group_last:
                self.groups.append(self.popped)
            self._next_head()

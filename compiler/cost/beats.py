"""The reader's beat side: what becomes of segments in the order of the queue."""

from collections import deque

from stillflow.compiler.cost.state import State

PADDING, IFMAP, FILTER, DESCRIPTOR, RESIDUAL, TABLE = range(6)  # kinds of segments
LOCAL_DELAY = 1  # cycles in which a segment's first line comes from the activation memory


class BeatSide:
    """Segments in order: padding is made up, other beats are taken as they come.

    Attributes
    ----------
    heads : list[int]
        First cycle of each segment at the head of the queue.
    accepted : int
        Segments so far.
    popped : int
        Cycle of the latest beat.
    left : int
        Beats that the segment at the head still waits for.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.heads: list[int] = []
        self.accepted = 0
        self.popped = -1
        self.left = 0
        self._waiting: deque[tuple[int, int, int, bool, bool]] = deque()
        self._kind, self._group_last = PADDING, False  # of the segment at the head

    def accept(
        self, at: int, kind: int, beats: int, group_last: bool, *, local: bool = False
    ) -> None:
        """Let a segment enter the queue in cycle ``at``; ``local``: of the activation memory."""
        self.accepted += 1
        if self.left:
            self._waiting.append((at, kind, beats, group_last, local))
        else:
            self._come(at, kind, beats, group_last, local)

    def take(self, moved: int, beats: int) -> None:
        """Beats of the segment at the head come from the DRAM from cycle ``moved`` on."""
        popped = self.popped
        first = moved if moved > popped else popped + 1
        if self._kind == FILTER:
            self.state.filter_arrives(first, beats)
        self.popped = first + beats - 1
        self.left -= beats
        if not self.left:
            if self._kind == DESCRIPTOR:
                self.state.fetched = self.popped
            elif self._group_last:
                self._ends_group(self._kind)
            while self._waiting and not self.left:
                self._come(*self._waiting.popleft())

    def _ends_group(self, kind: int) -> None:
        of = self.state.residuals if kind == RESIDUAL else self.state.groups
        of.append(self.popped)

    def _come(self, at: int, kind: int, beats: int, group_last: bool, local: bool) -> None:
        """Let a segment come to the head."""
        head = max(at + 2, self.popped + 1)
        self.heads.append(head)
        if kind == PADDING or local:
            self.popped = head + beats - 1 + local * LOCAL_DELAY
            if group_last:
                self._ends_group(kind)
        else:
            self.left, self._kind, self._group_last = beats, kind, group_last
            self.popped = head - 1

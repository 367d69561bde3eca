"""What the sides of the replay tell each other: events with their cycles, compressed."""


class State:
    """Events of a layer so far.

    Parameters
    ----------
    pools : bool
        Whether the layer pools: residuals are free when they are used, not with the ofmap's entry.

    Attributes
    ----------
    progress : int
        Counts events: whoever waits looks again when it changes.
    fetched : int
        Cycle of the descriptor's last beat; -1 before.
    groups, residuals, tile_ends : list[int]
        Cycle of the last beat of each plane group, of each filter block's residuals; of the last
        vector of each tile.
    filter_beats : int
        Beats of the filter stream that were taken.
    freed_lines : int
        Filter lines that were given back.
    """

    def __init__(self, *, pools: bool = False) -> None:
        self.progress = 0
        self.fetched = -1
        self.groups: list[int] = []
        self.residuals: list[int] = []
        self.tile_ends: list[int] = []
        self.filter_beats = 0
        self.filter_runs: list[tuple[int, int]] = []  # first beat, its cycle less its number
        self.freed_lines = 0
        # Lines before, lines of a step, cycle of the first step, cycles between, steps.
        self._freed: list[list[int]] = []
        self._freed_now = 0
        self._freed_for = 0
        self.vectors = 0
        self._vectors: list[tuple[int, int, int]] = []  # vectors before, first cycle, pace
        self._vector_now = 0
        self.entries = 0
        self._entries: list[tuple[int, int, int]] = []
        self._entry_now = [0, 0]
        self._pools = pools
        self._residuals: list[tuple[int, int, int]] = []
        self._residuals_freed = 0

    # -- filter stream ---------------------------------------------------------------------------

    def filter_arrives(self, first: int, beats: int) -> None:
        """Note that beats are taken, one per cycle from cycle ``first`` on."""
        offset = first - self.filter_beats
        if not self.filter_runs or self.filter_runs[-1][1] != offset:
            self.filter_runs.append((self.filter_beats, offset))
        self.filter_beats += beats

    # -- room in the filter buffer ---------------------------------------------------------------

    def free(self, lines: int, first: int, period: int, steps: int) -> None:
        """Give back so many lines with each of the steps from cycle ``first`` on."""
        if self._freed:
            last = self._freed[-1]
            _, per, start, gap, count = last
            if per == lines and (
                (count == 1 and steps == 1)
                or ((gap == period or count == 1) and first - start == count * period)
            ):
                joins = first - start
                if count == 1 and steps == 1:
                    period = joins
                last[3] = period
                last[4] += steps
                self.freed_lines += lines * steps
                self.progress += 1
                return
        self._freed.append([self.freed_lines, lines, first, period, steps])
        self.freed_lines += lines * steps
        self.progress += 1

    def freed_at(self, lines: int) -> int:
        """Cycle of the step after which so many lines are free; asked in rising order."""
        runs, i = self._freed, self._freed_now
        while runs[i][0] + runs[i][1] * runs[i][4] < lines:
            i += 1
        self._freed_now = i
        before, per, start, period, _ = runs[i]
        return start + (-(-(lines - before) // per) - 1) * period

    def freed_pace(self, lines: int) -> tuple[int, int, int]:
        """Of the run that `freed_at` found: lines and cycles of a step, steps that follow."""
        before, per, _, period, count = self._freed[self._freed_now]
        return per, period, count - -(-(lines - before) // per)

    def freed_before(self, cycle: int) -> int:
        """Lines free by steps before a cycle, of those that are known; asked in rising order."""
        runs, i = self._freed, self._freed_for
        if not runs:
            return 0
        while i + 1 < len(runs) and runs[i + 1][2] < cycle:
            i += 1
        self._freed_for = i
        before, per, start, period, count = runs[i]
        if start >= cycle:
            return before
        return before + per * min(count, (cycle - 1 - start) // period + 1)

    # -- ofmap vectors ---------------------------------------------------------------------------

    def complete(self, first: int, pace: int, vectors: int) -> None:
        """Note that vectors enter the ofmap buffer from cycle ``first`` on."""
        self._vectors.append((self.vectors, first, pace))
        self.vectors += vectors
        self.progress += 1

    def vector_at(self, index: int) -> int:
        """Cycle of a vector; asked in rising order."""
        runs, i = self._vectors, self._vector_now
        while i + 1 < len(runs) and runs[i + 1][0] <= index:
            i += 1
        self._vector_now = i
        before, first, pace = runs[i]
        return first + (index - before) * pace

    def release(self, first: int, pace: int, entries: int) -> None:
        """Note that entries of the ofmap buffer are read for the last time from ``first`` on."""
        self._entries.append((self.entries, first, pace))
        self.entries += entries
        self.progress += 1

    def entry_at(self, index: int) -> int:
        """Cycle in which an entry was read; asked in rising order."""
        return self._at(self._entries, index, 0)

    def consume(self, first: int, pace: int, residuals: int) -> None:
        """Note that residuals are used from cycle ``first`` on, where the layer pools."""
        self._residuals.append((self._residuals_freed, first, pace))
        self._residuals_freed += residuals
        self.progress += 1

    @property
    def freed_residuals(self) -> int:
        """Entries of residuals that are known to be free again."""
        return self._residuals_freed if self._pools else self.entries

    def residual_freed_at(self, index: int) -> int:
        """Cycle in which an entry of residuals was free again; asked in rising order."""
        return self._at(self._residuals if self._pools else self._entries, index, 1)

    def _at(self, runs: list[tuple[int, int, int]], index: int, side: int) -> int:
        i = self._entry_now[side]
        while i + 1 < len(runs) and runs[i + 1][0] <= index:
            i += 1
        self._entry_now[side] = i
        before, first, pace = runs[i]
        return first + (index - before) * pace

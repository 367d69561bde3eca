"""Cycles of a pass of a row-stationary array: its feeder and streamer, word by word."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from stillflow.hw.mapping import Mapping
from stillflow.hw.timing import ifmap_latency, release_delay

LOAD_LATENCY = 1  # cycles from a word's last vector until a beat may use it, besides the buffer's
LEAST_STEP = 2  # cycles of a word
LONG_AGO = -(1 << 40)


@dataclass(frozen=True, kw_only=True)
class PassShape:
    """What decides a pass's cycles.

    Parameters
    ----------
    ring, release, latency : int
        Words of the ifmap scratchpads; cycles until a word's place is free; of the ifmap buffer.
    filters, stored : int
        Filters, and those that exist.
    depth, columns, slide : int
        Channels in a PE; window columns, those that are new from pixel to pixel.
    diagonals : tuple[int, ...]
        Vectors of a word in each strip.
    pixels : int
        Ofmap columns of a strip.
    pace : int
        Cycles in which a vector of psums leaves.
    feeder : int
        Cycle from the start on in which the feeder may begin, before it where it is ahead.
    before : tuple[int, ...]
        Cycles from the start on in which the words before were used for the last time: one for each
        place of the ring; if empty, long ago.
    gates : tuple[int, ...]
        Cycles from the start on in which the first psums of the strips may leave; of those behind
        the last of these, at once.
    """

    ring: int
    release: int
    latency: int
    filters: int
    stored: int
    depth: int
    columns: int
    slide: int
    diagonals: tuple[int, ...]
    pixels: int
    pace: int
    feeder: int = LONG_AGO
    before: tuple[int, ...] = ()
    gates: tuple[int, ...] = ()

    def fed(self, feeder: int, before: Sequence[int]) -> "PassShape":
        """Let the feeder begin in a cycle, with places that come free as words were used.

        Of two that make no difference to a pass the same comes back.
        """
        # Earlier than this, all that has room comes before the pass starts.
        feeder = max(feeder, -(self.ring * max(self.diagonals) + self.latency + LOAD_LATENCY))
        free = feeder - self.release - 1
        return replace(self, feeder=feeder, before=tuple(max(used, free) for used in before))


@dataclass(frozen=True, kw_only=True)
class PassTimes:
    """Cycles of a pass, counted from its start.

    Parameters
    ----------
    cycles : int
        Until the next pass may start.
    opens, strips : tuple[int, ...]
        Until the first psums, the last psums of each strip leave.
    filters, pace : int
        Filters that a word meets; cycles that the last pixel's first word takes for each.
    last_words : tuple[int, ...]
        Until each word of the last pixel meets its first filter.
    feeder : int
        Until the feeder may take the next pass.
    used : tuple[int, ...]
        Until the words that the ring held last were used for the last time.
    """

    cycles: int
    opens: tuple[int, ...]
    strips: tuple[int, ...]
    filters: int
    pace: int
    last_words: tuple[int, ...]
    feeder: int
    used: tuple[int, ...]

    @property
    def weights(self) -> int:
        """Weights in a PE."""
        return len(self.last_words) * self.filters

    def last_use(self, weight: int) -> int:
        """Cycle of a weight's last beat."""
        word, number = divmod(weight, self.filters)
        return self.last_words[word] + number * (self.pace if word == 0 else 1)


def pass_shape(
    mapping: Mapping, *, rows: int, columns: int, planes: int, stored: int, final: bool
) -> PassShape:
    """Shape of the passes over a tile of so many ofmap rows and columns, for so many planes."""
    pe_set, config, stride = mapping.pe_set, mapping.config, mapping.work.stride
    assert pe_set is not None
    full, last = divmod(rows, mapping.strip_rows)
    heights = [mapping.strip_rows] * full + ([last] if last else [])
    shifts = pe_set.shifts(stride[0])
    return PassShape(
        ring=config.ifmap_spad, release=release_delay(config), latency=ifmap_latency(config),
        filters=pe_set.filters,
        stored=stored, depth=pe_set.depth_of(planes), columns=pe_set.columns,
        slide=min(stride[1], pe_set.columns), diagonals=tuple(n + shifts for n in heights),
        pixels=columns, pace=config.pace if final else 1,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def pass_times(shape: PassShape) -> PassTimes:
    """Replay a pass; pixels of a strip that repeat are passed over."""
    return _Replay(shape).run()


class _Replay:
    """Feeder and streamer of a pass; cycles count from the start, which is cycle 0."""

    def __init__(self, shape: PassShape) -> None:
        self.shape = shape
        self.words = shape.depth * shape.columns
        self.new = shape.depth * shape.slide
        self.step = max(shape.filters, LEAST_STEP)
        self.loaded: list[int] = []  # cycle in which a beat may use a word, from word `first` on
        self.first = 0  # words before this list
        #: Cycle in which the word was used for the last time that had the place of word `first`.
        self.released = list(shape.before) or [LONG_AGO] * shape.ring
        self.feeder = shape.feeder  # cycle in which the feeder may go on
        self.row_start = 0  # first word of the strip that the feeder is in
        self.strip = 0
        self.row_words = self.words + (shape.pixels - 1) * self.new
        self.pace = 1  # of the pixel before, and when its words met their first filters
        self.words_begin: list[int] = []
        self.opens: list[int] = []

    def run(self) -> PassTimes:
        """Give the cycles of the pass."""
        shape = self.shape
        now, ends = 1, []
        base = 0  # first word of the window
        pace = 1  # of the psums that leave with a pixel's first word
        margin = -(-shape.ring // self.new) + 2  # last pixels of a strip, which are not passed over
        for strip in range(len(shape.diagonals)):
            seen: dict[tuple[tuple[int, ...], ...], tuple[int, int]] = {}
            pixel = 0
            while pixel < shape.pixels:
                begin = now
                leaves_first = pixel == 1 or (strip and shape.pixels == 1)
                if leaves_first or (strip and not pixel):
                    begin = self._begin(now, base)
                if leaves_first:
                    begin = self._open(begin)
                if strip and not pixel:
                    ends.append(begin + (shape.stored - 1) * pace)
                last = pixel == shape.pixels - 1
                now = self._pixel(begin, base, pace, self.words if last else self.new)
                base += self.words if last else self.new
                pace = shape.pace
                pixel += 1
                if pixel == 1:  # the next one may wait for room
                    continue
                before, then = seen.setdefault(self._state(now, base), (pixel, now))
                rounds = (shape.pixels - pixel - margin) // max(pixel - before, 1)
                if before < pixel and rounds > 0:
                    left, cycles = rounds * (pixel - before), rounds * (now - then)
                    now += cycles
                    base += left * self.new
                    self._skip(left * self.new, cycles)
                    pixel += left
                    seen.clear()
        if shape.pixels == 1:
            now = self._open(now)
        ends.append(now + (shape.stored - 1) * pace)
        return PassTimes(
            cycles=now + self.step * pace - 1, opens=tuple(self.opens), strips=tuple(ends),
            filters=shape.filters, pace=self.pace, last_words=tuple(self.words_begin),
            feeder=self.feeder, used=tuple(self.released[-shape.ring :]),
        )  # fmt: skip

    def _open(self, now: int) -> int:
        """Let the first psums of a strip leave, if they may; give the cycle."""
        strip = len(self.opens)
        if strip < len(self.shape.gates):
            now = max(now, self.shape.gates[strip])
        self.opens.append(now)
        return now

    def _state(self, now: int, base: int) -> tuple[tuple[int, ...], ...]:
        """Give all that decides the pixels after one that ends now, relative to its end."""
        ahead = tuple(cycle - now for cycle in self.loaded[base - self.first :])
        waiting = tuple(cycle - now for cycle in self.released[len(self.loaded) :])
        return (self.feeder - now,), ahead, waiting

    def _skip(self, words: int, cycles: int) -> None:
        self.first += words
        self.feeder += cycles
        self.loaded = [cycle + cycles for cycle in self.loaded]
        self.released = [cycle + cycles for cycle in self.released]

    def _begin(self, now: int, word: int) -> int:
        return max(now, self._load(word))

    def _pixel(self, now: int, base: int, pace: int, releases: int) -> int:
        """Run a pixel's words; give the cycle in which the next pixel's first may begin."""
        self.pace, self.words_begin = pace, []
        for word in range(self.words):
            now = max(now, self._load(base + word))
            self.words_begin.append(now)
            now += self.step * (pace if word == 0 else 1)
            if word < releases:
                self.released.append(now - 1)
        return now

    def _load(self, word: int) -> int:
        """Cycle in which a beat may use a word."""
        shape = self.shape
        while len(self.loaded) <= word - self.first:
            number = self.first + len(self.loaded)
            if number == self.row_start + self.row_words:
                self.row_start, self.strip = number, self.strip + 1
            at = max(self.feeder, self.released[number - self.first] + shape.release + 1)
            self.feeder = at + shape.diagonals[self.strip]
            self.loaded.append(self.feeder - 1 + shape.latency + LOAD_LATENCY)
        return self.loaded[word - self.first]

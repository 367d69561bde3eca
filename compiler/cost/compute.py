"""Compute side of the replay: block walker and streamer, step by step."""

from collections.abc import Iterator

from stillflow.compiler.cost.pools import closings, own_pixels
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Runs, Visit, blocks_of, runs_of, visits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import ring_depth
from stillflow.hw.timing import (
    ENTRY_DELAY,
    FREE_DELAY,
    POOL_LATENCY,
    finish_latency,
    hazard,
    mean_latency,
    operand_delay,
    requant_latency,
    step_guard,
)

GROUP_DELAY = 2  # cycles from a plane group's last beat until a step may use it
TILE_DELAY = 5  # ... from a tile's last one until the streamer rests
POST_CYCLES = 5  # latency of the ofmap words besides adder tree and requantiser
STORE_CYCLES = 6  # ... and from there until their first beat may move, at least


class Computer:
    """Steps of a layer.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    mapping : Mapping
        The nest.
    state : State
        What the other sides have done.
    begin : int
        Cycle in which the walkers begin.
    finishes : bool
        Whether the layer has a table or joins its words with others.
    """

    def __init__(
        self, config: AcceleratorConfig, mapping: Mapping, state: State, begin: int,
        *, finishes: bool = False,
    ) -> None:  # fmt: skip
        self.config, self.mapping, self.state = config, mapping, state
        self.line_beats = config.filter_line_bytes // config.axi_bytes
        self.guard = step_guard(config)
        self.latency = POST_CYCLES + ceil_log2(config.rows) + requant_latency(config)
        self.latency += config.reads_weights  # activations are rotated to their weights
        self.latency += 3 * operand_delay(config)  # of ifmap memories, multipliers, psum memories
        self.hazard = hazard(config)
        self.ring = ring_depth(config, joins=mapping.work.joined)
        #: Cycles in which the words are finished, after the requantiser.
        self.finish = finish_latency(config) if finishes else 0
        self.joined = 0  # filter blocks in a tile whose residuals were used
        self.load_from = begin + 1  # cycle from which the next block's lines may go out
        self.free_from = 0  # cycle from which the next step may start
        self.started = self.ended = -1 << 62  # of the last step
        self.position = 0  # lines taken from the stream
        self.run = 0  # of the filter stream, where the position is
        self.reread = self.keeps = False
        self.pixels = self.columns = self.image = 0  # of the tile; its columns; of an image
        self.own = 0, 0  # rows and columns of the tile that are the layer's
        self.period = self.tail = 0  # cycles from step to step at best; of a step
        self.left = 0  # steps until one that completes psums, at least
        self.finished = False
        self.found = 0
        self.done = 0

    def floor(self, now: int) -> int:
        """Cycle before which no write moves that is not known yet, if nothing happens until now."""
        if self.finished:
            return 1 << 62
        start = max(self.load_from, self.free_from, now) + self.left * self.period
        return start + 1 + self.latency + STORE_CYCLES

    def walk(self) -> Iterator[None]:
        """Run the steps; pause where they hang on the other sides."""
        config, mapping, state = self.config, self.mapping, self.state
        full = mapping.chunk_lengths(mapping.k_planes)
        final = mapping.chunk_lengths(mapping.k_planes_last)
        loaded = 0  # plane groups of earlier tiles
        parts: dict[bool, tuple[list[Runs], list[Runs]]] = {}
        for c_last, groups in ((False, mapping.groups), (True, mapping.groups_last)):
            lengths = [full] * (groups - 1) + [final if c_last else full]
            parts[c_last] = (
                [runs_of(part) for part in lengths],
                [runs_of([lines for part in lengths for lines in part])],
            )
        for visit in visits(mapping):
            self.reread = mapping.filter_resident and not visit.first_pixels
            self.keeps = mapping.filter_resident and not visit.last_pixels
            self._enter(visit)
            self.tail = max(self.pixels, self.hazard)
            self.period = max(config.rows, self.tail)
            by_group, whole = parts[visit.c_last]
            steps = sum(times for _, times in whole[0])
            blocks = blocks_of(mapping, visit)
            for block in range(blocks):
                self.left = steps - 1
                # The first filter block waits for the plane groups one by one.
                groups = whole if block else by_group
                for group, runs in enumerate(groups):
                    if not block:
                        while len(state.groups) <= loaded + group:
                            yield
                        ready = state.groups[loaded + group] + GROUP_DELAY
                        self.free_from = max(self.free_from, ready)
                    for index, (lines, times) in enumerate(runs):
                        opens = group == 0 and index == 0
                        ends = group == len(groups) - 1 and index == len(runs) - 1
                        between = times - opens - ends
                        if opens:
                            closes = ends and times == 1
                            yield from self._step(visit, lines, True, closes, block == blocks - 1)
                            if closes:
                                continue
                        if between:
                            yield from self._steps(lines, between)
                        if ends:
                            yield from self._step(visit, lines, False, True, block == blocks - 1)
            loaded += len(by_group)
        self.finished = True
        self.done = max(self.started + self.hazard, state.tile_ends[-1] + TILE_DELAY)

    def _enter(self, visit: Visit) -> None:
        """Take the sizes of a visit's tile."""
        mapping = self.mapping
        n_last, e_last, f_last = mapping.last_pixels
        self.columns = f_last if visit.f_last else mapping.pf
        self.image = (e_last if visit.e_last else mapping.pe) * self.columns
        self.pixels = (n_last if visit.n_last else mapping.pn) * self.image
        rows, columns = mapping.own_tiles
        self.own = rows[visit.e], columns[visit.f]

    def _complete(self, at: int, first: int = 0) -> None:
        """Note that pixels of the tile come out from a cycle on, ``first`` of them before."""
        pool, pace, state = self.mapping.work.pool, self.config.pace, self.state
        if not pool.pools:
            state.complete(at + self.finish, pace, self.pixels)
            return
        if self.mapping.work.joined:
            for pixel, pixels in own_pixels(self.own, self.columns, first, self.pixels, self.image):
                state.consume(at + pixel * pace - 1, pace, pixels)
        at += self.finish + POOL_LATENCY + (mean_latency(self.config) if pool.means else 0)
        for pixel, step, windows in closings(pool, self.columns, first, self.pixels, self.image):
            state.complete(at + pixel * pace, step * pace, windows)

    def _arrival(self, lines: int) -> int:
        """Cycle of the last beat of the line before stream position ``lines``, which is there."""
        runs, beat, i = self.state.filter_runs, lines * self.line_beats - 1, self.run
        while i + 1 < len(runs) and runs[i + 1][0] <= beat:
            i += 1
        self.run = i
        return runs[i][1] + beat

    def _step(
        self, visit: Visit, lines: int, opens: bool, closes: bool, tile_last: bool
    ) -> Iterator[None]:
        """One step: the first of a reduction tile, the last, or both."""
        config, state = self.config, self.state
        counts = [lines]
        if opens:
            if visit.opens:
                counts.append(config.bias_lines)
            if visit.closes:
                counts.append(config.scale_lines)
        at = self.load_from
        for part, count in enumerate(counts):
            if part == 1:  # biases and scales wait for those in use
                at = max(at, self.started + 1 + self.guard)
                if config.reads_weights:  # ... and for the filter buffer
                    at = max(at, self.ended + 1)
                at += 1
            at += count
            if not self.reread:
                self.position += count
                while state.filter_beats < self.position * self.line_beats:
                    yield
                at = max(at, self._arrival(self.position) + 2)
            if part == 0:
                at += config.rows - lines
        final = closes and visit.closes
        if closes and tile_last and visit.leaves and not visit.end:
            at += 1  # the position in the filter stream moves
        at = max(at, self.free_from)
        if final:
            yield from self._find(self.mapping.stored_vectors, joins=True)
            at = max(at, self.found)
        cycles = self.pixels * (config.pace if final else 1)
        self._start(at, sum(counts), 1, 1, cycles)
        self.free_from = at + max(cycles, self.hazard)
        if final:
            self._complete(at + 1 + self.latency)
        if closes and tile_last:
            state.tile_ends.append(at + cycles)

    def _find(self, vectors: int, *, joins: bool) -> Iterator[None]:
        """Let ``found`` be the cycle from which there is room for vectors, and their residuals.

        ``joins`` where they are the first of a filter block in a tile.
        """
        state = self.state
        self.found = 0
        room = state.vectors + vectors - self.ring
        if room > 0:
            while state.entries < room:
                yield
            self.found = state.entry_at(room - 1) + ENTRY_DELAY
        if joins and self.mapping.work.joined:
            while len(state.residuals) <= self.joined:
                yield
            self.found = max(self.found, state.residuals[self.joined] + GROUP_DELAY)
            self.joined += 1

    def _steps(self, lines: int, steps: int) -> Iterator[None]:
        """Run steps in the midst of a reduction tile, all with as many lines."""
        rows, period, state = self.config.rows, self.period, self.state
        pitch = lines * self.line_beats
        while steps:
            at, count = max(self.load_from + rows, self.free_from), steps
            if not self.reread:
                first = self.position + lines
                while state.filter_beats < first * self.line_beats:
                    yield
                ready = self._arrival(first) + 2 + rows - lines
                runs, i = state.filter_runs, self.run
                known = runs[i + 1][0] if i + 1 < len(runs) else state.filter_beats
                count = min(steps, max(1, (known // self.line_beats - self.position) // lines))
                at = max(at, ready)
                if pitch > period and count > 1:
                    # Lines come slower than steps go: those that wait for nothing, then the others.
                    free = (at - ready) // (pitch - period) + 1
                    if free >= count:
                        pass
                    elif at > ready:
                        count = free
                    else:
                        self.position += count * lines
                        self._start(at, lines, count, pitch, self.pixels)
                        self.free_from = self.load_from + self.tail
                        steps -= count
                        continue
                self.position += count * lines
            self._start(at, lines, count, period, self.pixels)
            self.free_from = self.load_from + self.tail
            steps -= count

    def _start(self, at: int, lines: int, steps: int, period: int, cycles: int) -> None:
        self.started = self.load_from = at + (steps - 1) * period
        self.ended = self.started + cycles
        self.left -= steps
        self.state.progress += 1
        if not self.keeps:
            self.state.free(lines, at + self._held(lines, cycles), period, steps)

    def _held(self, lines: int, cycles: int) -> int:
        """Cycles from a step's start until its lines are free."""
        return cycles + FREE_DELAY if self.config.reads_weights else 0

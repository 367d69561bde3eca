"""Compute side of the replay of a row-stationary array: pass by pass."""

from collections.abc import Generator, Iterator
from dataclasses import replace

from stillflow.compiler.cost.compute import (
    GROUP_DELAY,
    STORE_CYCLES,
    TILE_DELAY,
    Computer,
)
from stillflow.compiler.cost.passes import PassShape, PassTimes, pass_shape, pass_times
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Visit, blocks_of, groups_of, visits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping
from stillflow.hw.timing import operand_delay, pass_guard, requant_latency, weight_delay

KNOWN_DELAY = 1  # cycles from a pass's first line, if that waits for nothing, to its first word
POST_CYCLES = 4  # latency of the ofmap words from their beat on, besides rows and requantiser


class SetComputer(Computer):
    """Passes of a layer; parameters as `Computer`'s."""

    def __init__(
        self, config: AcceleratorConfig, mapping: Mapping, state: State, begin: int,
        *, finishes: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(config, mapping, state, begin, finishes=finishes)
        self.latency = POST_CYCLES + config.rows + requant_latency(config)
        self.latency += 2 * operand_delay(config)  # of multipliers, psum memories
        self.load_from = begin + config.rows + 2  # cycle from which the next lines may go out
        self.before: PassTimes | None = None  # the pass that runs while they do
        self.ready = 0  # cycle from which the next pass's plane groups are there
        self.feeder = 0  # cycle from which the next pass's words may come
        self.used = [begin] * config.ifmap_spad  # last uses of the words in the ring

    def floor(self, now: int) -> int:
        """Cycle before which no write moves that is not known yet, if nothing happens until now."""
        if self.finished:
            return 1 << 62
        start = max(self.load_from, self.free_from, now) + self.left * self.period
        return start + 1 + self.latency + STORE_CYCLES

    def walk(self) -> Iterator[None]:
        """Run the passes; pause where they hang on the other sides."""
        mapping, state, w = self.mapping, self.state, self.mapping.work
        loaded = 0  # plane groups of earlier tiles
        parts = mapping.k_r * mapping.k_s
        stored_last = w.M - (mapping.blocks - 1) * mapping.block_filters
        for visit in visits(mapping):
            self.reread = mapping.filter_resident and not visit.first_pixels
            self.keeps = mapping.filter_resident and not visit.last_pixels
            groups, blocks = groups_of(mapping, visit), blocks_of(mapping, visit)
            for block in range(blocks):
                tile_last = block == blocks - 1
                stored = stored_last if tile_last and visit.m_last else mapping.block_filters
                for group in range(groups):
                    if not block:
                        while len(state.groups) <= loaded + group:
                            yield
                        self.ready = state.groups[loaded + group] + GROUP_DELAY
                    planes_last = visit.c_last and group == groups - 1
                    planes = mapping.k_planes_last if planes_last else mapping.k_planes
                    lines = mapping.chunk_lengths(planes)[0]
                    shape = self._shape(visit, planes, stored, final=False)
                    self.period = pass_times(shape).cycles
                    for part in range(parts):
                        opens = group == 0 and part == 0
                        closes = group == groups - 1 and part == parts - 1
                        self.left = (groups - group) * parts - part - 1 if planes_last else 0
                        if closes and visit.closes:
                            shape = self._shape(visit, planes, stored, final=True)
                        yield from self._pass(
                            visit, shape, lines, opens, closes, closes and tile_last
                        )
            loaded += groups
        self.finished = True
        self.done = state.tile_ends[-1] + TILE_DELAY

    def _shape(self, visit: Visit, planes: int, stored: int, *, final: bool) -> PassShape:
        mapping = self.mapping
        _, e_last, f_last = mapping.last_pixels
        return pass_shape(
            mapping, rows=e_last if visit.e_last else mapping.pe,
            columns=f_last if visit.f_last else mapping.pf, planes=planes, stored=stored,
            final=final,
        )  # fmt: skip

    def _pass(
        self, visit: Visit, shape: PassShape, lines: int, opens: bool, closes: bool, tile_last: bool
    ) -> Iterator[None]:
        """One pass: its lines, its start, its psums."""
        config, mapping, state = self.config, self.mapping, self.state
        # Lines that find no place go out behind the last use of weights of the pass before.
        missing = lines + self.before.weights - config.filter_spad if self.before else 0
        if opens:
            lines += mapping.bias_lines * visit.opens + mapping.scale_lines * visit.closes
        at = self.load_from + lines
        if self.before and missing > 0:
            used = self.started + self.before.last_use(missing - 1)
            at = max(at, used + weight_delay(config) + 2)
        if not self.reread:
            self.position += lines
            while state.filter_beats < self.position * self.line_beats:
                yield
            at = max(at, self._arrival(self.position) + 2)
        if tile_last and visit.leaves and not visit.end:
            at += 1  # the position in the filter stream moves
        taken = max(self.feeder, self.ready, self.load_from + KNOWN_DELAY)
        at = max(at, self.free_from, taken + 1)
        final = closes and visit.closes
        if final:
            yield from self._find(0, joins=True)
            at = max(at, self.found)
        state.progress += 1
        if not self.keeps:
            state.free(lines, at, 1, 1)
        shape = shape.fed(taken + 1 - at, [used - at for used in self.used])
        times = pass_times(shape)
        if final:
            times = yield from self._strips(shape, at)
        self.before, self.started = times, at
        self.load_from = at + pass_guard(config) + 1
        self.free_from = at + times.cycles
        self.feeder, self.used = at + times.feeder, [at + used for used in times.used]
        if tile_last:
            state.tile_ends.append(self.free_from)

    def _strips(self, shape: PassShape, at: int) -> Generator[None, None, PassTimes]:
        """Complete psums, strip by strip, in a pass that starts at a cycle; give its cycles."""
        times, gates = pass_times(shape), ()
        for strip in range(len(shape.diagonals)):
            yield from self._find(self.mapping.strip_vectors, joins=False)
            wait = self.found - at if self.found > at + times.opens[strip] else 0
            gates = (*gates, wait)
            if wait:
                times = pass_times(replace(shape, gates=gates))
            end = at + times.strips[strip] + self.latency + self.finish
            self.state.complete(end, 0, shape.pixels * shape.stored)
        return times

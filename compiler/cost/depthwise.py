"""Compute side of the replay of a depthwise layer: tap blocks, strip by strip."""

from collections.abc import Iterator

from stillflow.compiler.cost.compute import (
    GROUP_DELAY,
    STORE_CYCLES,
    TILE_DELAY,
    Computer,
)
from stillflow.compiler.cost.visits import Visit, visits
from stillflow.hw.fir import Fir


class DepthwiseComputer(Computer):
    """Steps of a depthwise layer; parameters as `Computer`'s."""

    def floor(self, now: int) -> int:
        """Cycle before which no write moves that is not known yet, if nothing happens until now."""
        if self.finished:
            return 1 << 62
        return max(self.load_from, now) + 1 + self.latency + STORE_CYCLES

    def walk(self) -> Iterator[None]:
        """Run the steps; pause where they hang on the other sides."""
        mapping, state, fir = self.mapping, self.state, self.mapping.fir
        assert fir is not None
        n_last, e_last, _ = mapping.last_pixels
        blocks = mapping.k_s * mapping.k_r
        for tile, visit in enumerate(visits(mapping)):
            self.reread = mapping.filter_resident and not visit.first_pixels
            self.keeps = mapping.filter_resident and not visit.last_pixels
            images = n_last if visit.n_last else mapping.pn
            rows = e_last if visit.e_last else mapping.pe
            while len(state.groups) <= tile:
                yield
            ready = state.groups[tile] + GROUP_DELAY
            for block in range(blocks):
                last = block == blocks - 1
                yield from self._load(visit, fir, block == 0, last)
                at = max(self.load_from, ready)
                if last:
                    yield from self._wait_for_room(joins=True)
                    at = max(at, self.free_from)
                lines = fir.taps + (self._parameters if block == 0 else 0)
                self.started = at
                if not self.keeps:
                    state.free(lines, at, 1, 1)
                yield from self._stream(fir, at, images, rows, last)
            state.tile_ends.append(self.free_from - 1)
        self.finished = True
        self.done = max(self.started + self.hazard, state.tile_ends[-1] + TILE_DELAY)

    @property
    def _parameters(self) -> int:
        return self.config.bias_lines + self.config.scale_lines

    def _load(self, visit: Visit, fir: Fir, opens: bool, last: bool) -> Iterator[None]:
        """Load a tap block; ``load_from`` becomes the cycle in which its step may start."""
        at = self.load_from  # of the walker's state behind the start before
        if opens:  # biases and scales do not wait for the chain
            at = max(at, self.started + 1 + self.guard) + 1
            for lines in (self.config.bias_lines, self.config.scale_lines):
                at += lines
                if not self.reread:
                    yield from self._take(lines)
                    at = max(at, self._arrival(self.position) + 2)
        at = max(at, self.free_from) + 1  # the chain is free
        at += fir.chain
        if not self.reread:
            yield from self._take(fir.taps)
            first = self.position - fir.taps + 1
            for tap in range(fir.taps):
                column, row = divmod(tap, fir.tap_rows)
                behind = fir.chain - (fir.lead + column * fir.rows + row)
                at = max(at, self._arrival(first + tap) + 1 + behind)
        if last and visit.leaves and not visit.end:
            at += 1  # the position in the filter stream moves
        self.load_from = at
        self.state.progress += 1

    def _take(self, lines: int) -> Iterator[None]:
        """Take lines from the filter stream, as far as they are known to come."""
        self.position += lines
        while self.state.filter_beats < self.position * self.line_beats:
            yield

    def _wait_for_room(self, *, joins: bool) -> Iterator[None]:
        """Let ``free_from`` be no earlier than a strip finds room, and residuals."""
        assert self.mapping.fir is not None
        yield from self._find(self.mapping.fir.strip * self.mapping.pf, joins=joins)
        self.free_from = max(self.free_from, self.found)

    def _stream(self, fir: Fir, at: int, images: int, rows: int, final: bool) -> Iterator[None]:
        """Stream the strips of a tile; ``free_from`` becomes the cycle behind the last one."""
        w, state, pace = self.mapping.work, self.state, self.config.pace if final else 1
        self.load_from = at + 1
        columns = (w.F - 1) * w.stride[1] + fir.tap_columns
        heights = [min(fir.strip, rows - first) for first in range(0, rows, fir.strip)]
        for number, height in enumerate(heights * images):
            if number:
                if final:
                    yield from self._wait_for_room(joins=False)
                at = self.free_from
            vectors = (columns - 1) * fir.rows + (height - 1) * w.stride[0] + fir.tap_rows
            last = at + vectors + height * w.F * (pace - 1)
            self.free_from = last + 1
            if final:
                state.complete(last - (pace - 1) + self.latency + self.finish, 0, height * w.F)

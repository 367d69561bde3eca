"""Compute side of the replay where psums stay in the array: pixel groups, chunk by chunk."""

from collections.abc import Iterator

from stillflow.compiler.cost.compute import (
    GROUP_DELAY,
    TILE_DELAY,
    Computer,
)
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Visit, blocks_of, runs_of, visits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping
from stillflow.hw.timing import drain_latency, least_period, operand_delay, requant_latency

SWAP_DELAY = 6  # cycles from a group's last line until its parameters are in use, drain apart
POST_CYCLES = 7  # ... until its first ofmap word is in the buffer, drain and requantiser apart


class GroupComputer(Computer):
    """Steps of a layer, output stationary.

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
        super().__init__(config, mapping, state, begin, finishes=finishes)
        self.drain = drain_latency(config)
        delay = operand_delay(config)  # of filter memories, multipliers, psum memories
        self.latency = POST_CYCLES + self.drain + requant_latency(config) + 3 * delay
        self.swap_delay = SWAP_DELAY + self.drain + 2 * delay
        self.period = self.tail = least_period(config)
        self.load_from = begin
        self.clear_from = -1 << 62  # earliest cycle of the next group's last line
        self.before = 0  # pixels of the tile before the group's
        self.parameters_from = 0  # ... of the next step with parameters

    def walk(self) -> Iterator[None]:
        """Run the steps; pause where they hang on the other sides."""
        config, mapping, state = self.config, self.mapping, self.state
        full = mapping.chunk_lengths(mapping.k_planes)
        final = mapping.chunk_lengths(mapping.k_planes_last)
        loaded = 0  # plane groups of earlier tiles
        for visit in visits(mapping):
            count = mapping.groups_last if visit.c_last else mapping.groups
            by_group = [full] * (count - 1) + [final if visit.c_last else full]
            whole = [[lines for part in by_group for lines in part]]
            self._enter(visit)
            pixels = self.pixels
            groups = -(-pixels // config.rows)
            blocks = blocks_of(mapping, visit)
            resident = mapping.filter_resident and not visit.first_pixels
            stays = mapping.filter_resident and not visit.last_pixels
            for block in range(blocks):
                for group in range(groups):
                    self.reread = resident or group > 0
                    self.keeps = stays or group < groups - 1
                    self.before = group * config.rows
                    self.pixels = min(config.rows, pixels - self.before)
                    self.left = len(whole[0]) - 1
                    tile_last = block == blocks - 1 and group == groups - 1
                    # The first pixel group of all waits for the plane groups one by one.
                    waits = not block and not group
                    parts = by_group if waits else whole
                    for part, lengths in enumerate(parts):
                        if waits:
                            while len(state.groups) <= loaded + part:
                                yield
                            ready = state.groups[loaded + part] + GROUP_DELAY
                            self.free_from = max(self.free_from, ready)
                        last = part == len(parts) - 1
                        yield from self._part(
                            visit, lengths, part == 0, last, group == 0, tile_last
                        )
            loaded += count
        self.finished = True
        self.done = state.tile_ends[-1] + TILE_DELAY

    def _part(
        self, visit: Visit, lengths: list[int], begins: bool, ends: bool, new: bool, tile_last: bool
    ) -> Iterator[None]:
        """Chunks that need no further plane groups."""
        runs = runs_of(lengths)
        for index, (lines, times) in enumerate(runs):
            opens = begins and index == 0
            closes = ends and index == len(runs) - 1
            if self.mapping.work.maximum:  # every chunk drains
                for step in range(times):
                    first, last = opens and step == 0, closes and step == times - 1
                    yield from self._group_step(visit, lines, first, last, new, tile_last)
                continue
            between = times - opens - closes
            if opens:
                only = closes and times == 1
                yield from self._group_step(visit, lines, True, only, new, tile_last)
                if only:
                    continue
            if between:
                yield from self._steps(lines, between)
            if closes:
                yield from self._group_step(visit, lines, False, True, new, tile_last)

    def _group_step(
        self, visit: Visit, lines: int, opens: bool, closes: bool, new: bool, tile_last: bool
    ) -> Iterator[None]:
        """One step at an end of a group's reduction; ``new`` filters come with its first group."""
        config, state = self.config, self.state
        of_visit = config.bias_lines * visit.opens + config.scale_lines * visit.closes
        parameters = of_visit if opens and new else 0
        at = self.load_from
        if parameters:
            at += 1
            if not self.reread:
                yield from self._take(parameters)
                at = max(at, self._arrival(self.position) + 1)
            at += 1
        at += lines
        if not self.reread:
            yield from self._take(lines)
            at = max(at, self._arrival(self.position) + 2)
        at += config.rows - lines
        if closes and tile_last and visit.leaves and not visit.end:
            at += 1  # the position in the filter stream moves
        at = max(at, self.free_from)
        drains = closes or self.mapping.work.maximum
        final = closes and visit.closes
        if parameters:
            at = max(at, self.parameters_from)
        if drains:
            at = max(at, self.clear_from - parameters - lines)
        if final:
            yield from self._find(config.rows, joins=new)
            at = max(at, self.found)
        last_line = at + parameters + lines
        self.load_from = self.started = at
        self.free_from = at + self.period + parameters
        self.left -= 1
        state.progress += 1
        if not self.keeps:
            state.free(lines + of_visit * opens, last_line, 1, 1)
        if drains:
            self.clear_from = last_line + config.rows * (config.pace if final else 1)
            begins = visit.opens and (opens or not self.mapping.work.maximum)
            if new and (begins or final):
                self.parameters_from = last_line + self.swap_delay
        if final:
            self._complete(last_line + self.latency, self.before)
        if closes and tile_last:
            state.tile_ends.append(self.free_from)

    def _take(self, lines: int) -> Iterator[None]:
        """Take lines from the filter stream, as far as they are known to come."""
        self.position += lines
        while self.state.filter_beats < self.position * self.line_beats:
            yield

    def _held(self, lines: int, cycles: int) -> int:
        """Lines are free with the last one that is played."""
        return lines

"""Load side of the replay: the read walker."""

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Fields

from stillflow.compiler.cost.beats import RESIDUAL, TABLE
from stillflow.compiler.cost.memory import Memory
from stillflow.compiler.cost.pieces import ifmap_pieces
from stillflow.compiler.cost.requests import Requests
from stillflow.compiler.cost.runs import ofmap_runs, residual_fields
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Visit, blocks_of, groups_of, runs_of, visits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import TABLE_BYTES, join_depth
from stillflow.hw.timing import ENTRY_DELAY

SLOT_DELAY = 5  # cycles from a step's last one until its tile's slot may be taken


class Loader(Requests):
    """Read walker; parameters as `Requests`'."""

    def __init__(self, config: AcceleratorConfig, memory: Memory, state: State) -> None:
        super().__init__(config, memory, state)
        self.claimed = 0  # entries of the ofmap buffer that residuals were asked for
        self.unit_bytes = config.channel_block * config.act_bytes

    def walk(
        self,
        mapping: Mapping,
        fields: Fields[str, int],
        begin: int,
        floor: Callable[[int], int],
    ) -> Iterator[None]:
        """Emit the segments of a layer; pause where it hangs on the other sides.

        ``floor`` gives the cycle before which no unknown write moves.
        """
        d, state = fields, self.state
        residuals = residual_fields(mapping, fields) if mapping.work.joined else fields
        pointer = saved = d["filter_address"]
        self.at = begin + 1
        tile = 0
        full, final = mapping.slab_lines
        if d["table"]:
            beats = TABLE_BYTES // self.config.axi_bytes
            while not self._accept(TABLE, d["table_address"], beats, False):
                yield
        for visit in visits(mapping):
            needs = visit.first_pixels or not mapping.filter_resident
            groups = groups_of(mapping, visit)
            lines = [full] * (groups - 1) + [final if visit.c_last else full]
            if visit.opens:
                lines[0] += mapping.bias_lines
            if visit.closes:
                lines[0] += mapping.scale_lines
            joins = mapping.work.joined and visit.closes
            last_block = blocks_of(mapping, visit) - 1
            for group, count in enumerate(lines):
                if group == 0:
                    free = tile - mapping.slots
                    if free >= 0:
                        while len(state.tile_ends) <= free:
                            yield
                        self.at = max(self.at, state.tile_ends[free] + SLOT_DELAY)
                    tile += 1
                self.at += 1
                for row in ifmap_pieces(mapping, d, visit, group):
                    while not self._accept(*row):
                        yield
                if needs:
                    yield from self._filters(pointer, count)
                    pointer += count * self.size
                else:
                    self.at += 1
                if joins and group == groups - 1:
                    yield from self._residuals(mapping, residuals, visit, 0, last_block == 0)
                self.at += 1
            blocks = last_block
            if joins:
                for block in range(1, blocks + 1):
                    for count in lines:
                        self.at += 1
                        if needs:
                            yield from self._filters(pointer, count)
                            pointer += count * self.size
                        else:
                            self.at += 1
                        self.at += 1
                    self.at -= 1
                    yield from self._residuals(
                        mapping, residuals, visit, block, block == last_block
                    )
                    self.at += 1
            elif not needs:
                self.at += 3 * groups * blocks
            runs = runs_of(lines) * blocks if needs and not joins else []
            for count, times in runs:
                while times:
                    done = self._stream(pointer, count * self.line_beats, times, floor)
                    if not done:
                        done = 1
                        self.at += 1
                        yield from self._filters(pointer, count)
                        self.at += 1
                    pointer += done * count * self.size
                    times -= done
            if visit.leaves:
                if visit.last_pixels:
                    saved = pointer
                elif not mapping.filter_resident:
                    pointer = saved
        self.done = self.at

    def _residuals(
        self, mapping: Mapping, d: Fields[str, int], visit: Visit, block: int, last: bool
    ) -> Iterator[None]:
        """Emit a filter block's residuals, which ``d`` has as ofmap, when entries are free."""
        config, state = self.config, self.state
        depth, most = join_depth(config), min(config.store_pixels, join_depth(config))
        runs = list(ofmap_runs(mapping, d, visit, block, last=last))
        for index, (here, pixels, units) in enumerate(runs):
            self.at += 1
            while pixels:
                chunk = min(pixels, most)
                self.claimed += chunk
                pixels -= chunk
                if self.claimed > depth:
                    while state.freed_residuals < self.claimed - depth:
                        yield
                    freed = state.residual_freed_at(self.claimed - depth - 1)
                    self.at = max(self.at, freed + ENTRY_DELAY)
                self.at += 1
                size = chunk * self.unit_bytes
                for unit in range(units):
                    address = here + unit * d["ofmap_stride_unit"]
                    beats = -(-(address % config.axi_bytes + size) // config.axi_bytes)
                    ends = not pixels and unit == units - 1 and index == len(runs) - 1
                    while not self._accept(RESIDUAL, address, beats, ends):
                        yield
                here += size
        self.at += 1

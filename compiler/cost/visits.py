"""The tile loops of a nest, in the order in which load, compute and store walk them."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping

PAGE_BYTES = 4096  # no burst crosses a page


class Visit(NamedTuple):
    """One pass over an ifmap tile: all filter blocks of a group of them.

    Indices of the loops, then what the walkers ask of them.
    """

    g: int
    m: int
    n: int
    e: int
    f: int
    c: int
    r: int
    s: int
    m_last: bool
    n_last: bool
    e_last: bool
    f_last: bool
    c_last: bool
    planes_last: bool  # ... the last planes: of a group, depthwise of the layer
    opens: bool  # the first tile of a reduction
    closes: bool  # the last tile of a reduction
    first_pixels: bool  # the first pixel tile of a filter group's walk over them
    last_pixels: bool
    leaves: bool  # the next visit is to another pixel tile, or there is none
    end: bool  # there is none


def visits(mapping: Mapping) -> Iterator[Visit]:
    """Tile passes of a layer, in order."""
    n_count, e_count, f_count = mapping.tile_counts
    groups = mapping.work.G
    outer = mapping.m_count if mapping.m_outer else 1
    inner = mapping.m_count // outer
    parts = mapping.c_count, mapping.r_count, mapping.s_count
    loops = (groups, outer, n_count, e_count, f_count, inner, *parts)
    for g, mo, n, e, f, mi, c, r, s in product(*map(range, loops)):
        n_last, e_last, f_last = n == n_count - 1, e == e_count - 1, f == f_count - 1
        c_last = c == parts[0] - 1
        closes = c_last and r == parts[1] - 1 and s == parts[2] - 1
        last_pixels = n_last and e_last and f_last
        leaves = closes and mi == inner - 1
        m_last = mo == outer - 1 and mi == inner - 1
        yield Visit(
            g, mo + mi, n, e, f, c, r, s, m_last, n_last, e_last, f_last, c_last,
            c_last and (mapping.fir is None or g == groups - 1),
            c == r == s == 0, closes, n == e == f == 0, last_pixels, leaves,
            leaves and last_pixels and m_last and g == groups - 1,
        )  # fmt: skip


def blocks_of(mapping: Mapping, visit: Visit) -> int:
    """Filter blocks of a visit."""
    return mapping.mb_last if visit.m_last else mapping.mb


def groups_of(mapping: Mapping, visit: Visit) -> int:
    """Plane groups of a visit's reduction tile."""
    return mapping.groups_last if visit.c_last else mapping.groups


Runs = list[tuple[int, int]]


def runs_of(lengths: list[int]) -> Runs:
    """Equal chunks in a row: lines, and how many."""
    runs: Runs = []
    for lines in lengths:
        if runs and runs[-1][0] == lines:
            runs[-1] = lines, runs[-1][1] + 1
        else:
            runs.append((lines, 1))
    return runs


class Bursts:
    """How a transfer is cut: at most ``max_burst_beats``, none across a page.

    Parameters
    ----------
    config : AcceleratorConfig
        Beat width and burst length.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.beat_bytes = config.axi_bytes
        self.page = PAGE_BYTES // config.axi_bytes
        self.most = config.max_burst_beats
        self.per_page = -(-self.page // self.most)

    def place(self, address: int) -> int:
        """Beat of the page in which a transfer begins."""
        return address // self.beat_bytes % self.page

    def first(self, place: int, beats: int) -> int:
        """Beats of the first burst."""
        return min(beats, self.most, self.page - place)

    def sizes(self, place: int, beats: int) -> list[int]:
        """Beats of each burst."""
        parts = []
        while beats:
            part = min(beats, self.most, self.page - place)
            parts.append(part)
            beats -= part
            place = (place + part) % self.page
        return parts

    def count(self, place: int, beats: int) -> int:
        """Bursts of a transfer."""
        head = self.page - place
        if beats <= head:
            return -(-beats // self.most)
        pages, rest = divmod(beats - head, self.page)
        return -(-head // self.most) + pages * self.per_page + -(-rest // self.most)

"""Nests of a layer on a row-stationary array."""

from collections.abc import Iterator

from stillflow.compiler.orders import ordered_nests
from stillflow.compiler.sizes import COUNT_MOST, divisors, some, tiles
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import FIELDS
from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet
from stillflow.hw.residual import ring_depth
from stillflow.hw.work import Work

#: Channel planes that a plane group may have.
PLANES_MOST = next((1 << field.bits) - 1 for field in FIELDS if field.name == "k_planes")


def pe_sets(work: Work, config: AcceleratorConfig) -> Iterator[PeSet]:
    """Ways to lay a layer's filters over rows and scratchpads, the fullest of each kind.

    Filter rows side by side and columns in a PE divide the filter's. A dilated filter and a maximum
    take one filter position a pass: positions of the first meet no ifmap words in common, those of
    the second must not be added.

    Weights that fill half of the scratchpads come while those of the pass before are used; where
    there are more, the rest follow its last pixel.
    """
    for weights in dict.fromkeys((config.filter_spad // 2, config.filter_spad)):
        yield from _pe_sets(work, config, weights)


def _pe_sets(work: Work, config: AcceleratorConfig, weights: int) -> Iterator[PeSet]:
    single = work.maximum
    rows = [1] if single or work.dilation[0] > 1 else divisors(work.R)
    columns = [1] if single or work.dilation[1] > 1 else divisors(work.S)
    for filter_rows in rows:
        if filter_rows > config.rows:
            continue
        channels = tiles(work.C, config.rows // filter_rows)[0]
        for width in columns:
            if width > min(config.ifmap_spad, weights):
                continue
            most = min(config.ifmap_spad // width, weights // width, PLANES_MOST // channels)
            for depth in some(tiles(-(-work.C // channels), most), 4):
                fits = min(config.psum_spad, weights // (width * depth))
                for filters in _filters(work.M, fits):
                    yield PeSet(
                        channels=channels, filter_rows=filter_rows, depth=depth, columns=width,
                        filters=filters,
                    )  # fmt: skip


def _filters(total: int, most: int) -> list[int]:
    """Numbers of filters in a PE: the most, and the most that leave none over."""
    whole = next(count for count in range(min(most, total), 0, -1) if total % count == 0)
    return list(dict.fromkeys([*tiles(total, most)[:1], whole]))


def _pixel_tiles(work: Work, config: AcceleratorConfig, filters: int) -> Iterator[tuple[int, int]]:
    """Ofmap rows and columns of tiles: a strip fits the ofmap buffer, a tile the psum memories.

    A tile of words that are joined waits for their residuals, all in the ofmap buffer.
    """
    ring = ring_depth(config, joins=work.joined)
    most = min(ring if work.joined else config.psum_depth, COUNT_MOST) // filters
    strips = -(-work.E // config.m_block)
    for pf in tiles(work.F, min(ring // filters, most)):
        for count in tiles(strips, most // pf):
            yield min(work.E, count * config.m_block), pf


def set_candidates(work: Work, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests of a layer that fit the accelerator."""
    for smallest in smallest_with_sets(work, config):
        yield from set_nests(smallest)


def smallest_with_sets(work: Work, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests with the least on chip, one for each choice of PE set and tiles.

    Where none of whole strips fits, those of fewer ofmap rows than the array has columns, and then
    of the window in the fewest tiles that fit.
    """
    sets = list(pe_sets(work, config))
    found = False
    for pe_set in sets:
        for pe, pf in _pixel_tiles(work, config, pe_set.filters):
            if smallest := _smallest(work, config, pe_set, pe, pf):
                found = True
                yield smallest
    if not found:
        for pe_set in sets:
            yield from _in_parts(work, config, pe_set)


def _in_parts(work: Work, config: AcceleratorConfig, pe_set: PeSet) -> Iterator[Mapping]:
    """Nests of one strip and ofmap column: the most rows, then the fewest window tiles that fit."""
    rows, columns = divisors(work.R // pe_set.filter_rows), divisors(work.S // pe_set.columns)
    parts = sorted(((r, s) for r in rows for s in columns), key=lambda part: part[0] * part[1])
    strip = min(work.E, config.m_block)
    for pe in tiles(strip, strip):
        for part in parts:
            if smallest := _smallest(work, config, pe_set, pe, 1, *part):
                yield smallest
                return


def _smallest(
    work: Work, config: AcceleratorConfig, pe_set: PeSet, pe: int, pf: int, r_count: int = 1,
    s_count: int = 1,
) -> Mapping | None:  # fmt: skip
    """Nest with the least on chip for a PE set and a pixel tile, if that fits."""
    try:
        mapping = Mapping(
            config=config, work=work, pn=1, pe=pe, pf=pf, mb=1, groups=1, r_count=r_count,
            s_count=s_count, pe_set=pe_set,
        )  # fmt: skip
    except ValueError:
        return None
    return mapping if max(mapping.k_r, mapping.k_s) <= COUNT_MOST else None


def set_nests(smallest: Mapping) -> Iterator[Mapping]:
    """Nests that differ in order and plane groups: as many as fit, as fit twice, one."""
    per_slot = max(1, smallest.config.ifmap_elements // smallest.slot_size)
    whole = tiles(smallest.plane_groups, per_slot)[:1]
    half = tiles(smallest.plane_groups, max(1, per_slot // 2))[:1]
    yield from ordered_nests(smallest, [*whole, *half, 1], 4)

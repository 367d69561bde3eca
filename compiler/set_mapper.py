"""Nests of a layer on a row-stationary array."""

from collections.abc import Iterator
from contextlib import suppress

from stillflow.compiler.sizes import divisors, some, tiles
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet
from stillflow.hw.work import Work


def pe_sets(work: Work, config: AcceleratorConfig) -> Iterator[PeSet]:
    """Ways to lay a layer's filters over rows and scratchpads, the fullest of each kind.

    Filter rows side by side and columns in a PE divide the filter's. A dilated filter and a maximum
    take one filter position a pass: positions of the first meet no ifmap words in common, those of
    the second must not be added.
    """
    single = work.maximum
    rows = [1] if single or work.dilation[0] > 1 else divisors(work.R)
    columns = [1] if single or work.dilation[1] > 1 else divisors(work.S)
    half = max(1, config.filter_spad // 2)
    for filter_rows in rows:
        if filter_rows > config.rows:
            continue
        channels = tiles(work.C, config.rows // filter_rows)[0]
        for width in columns:
            if width > min(config.ifmap_spad, half):
                continue
            most = min(config.ifmap_spad // width, half // width)
            for depth in some(tiles(-(-work.C // channels), most), 4):
                fits = min(config.psum_spad, half // (width * depth), 255)
                for filters in _filters(work.M, fits):
                    yield PeSet(
                        channels=channels, filter_rows=filter_rows, depth=depth, columns=width,
                        filters=filters,
                    )  # fmt: skip


def _filters(total: int, most: int) -> list[int]:
    """Numbers of filters in a PE: the most, and the most that leave none over."""
    whole = next(count for count in range(min(most, total), 0, -1) if total % count == 0)
    return list(dict.fromkeys([*tiles(total, most)[:1], whole]))


def _pixel_tiles(work: Work, config: AcceleratorConfig, most: int) -> Iterator[tuple[int, int]]:
    """Ofmap rows and columns of tiles of at most so many vectors for each filter."""
    columns = config.m_block
    strips = -(-work.E // columns)
    for pf in some(tiles(work.F, most), 5):
        for count in some(tiles(strips, most // pf), 4):
            yield min(work.E, count * columns), pf


def set_candidates(work: Work, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests of a layer that fit the accelerator; the window is taken in tiles where it must."""
    found = False
    for pe_set in pe_sets(work, config):
        for mapping in _of_set(work, config, pe_set, 1, 1):
            found = True
            yield mapping
    if found:
        return
    for pe_set in pe_sets(work, config):
        for r_count in divisors(work.R // pe_set.filter_rows):
            for s_count in divisors(work.S // pe_set.columns):
                yield from _of_set(work, config, pe_set, r_count, s_count)


def _of_set(
    work: Work, config: AcceleratorConfig, pe_set: PeSet, r_count: int, s_count: int
) -> Iterator[Mapping]:
    for pe, pf in _pixel_tiles(work, config, config.psum_depth // pe_set.filters):
        try:
            smallest = Mapping(
                config=config, work=work, pn=1, pe=pe, pf=pf, mb=1, groups=1, r_count=r_count,
                s_count=s_count, pe_set=pe_set,
            )  # fmt: skip
        except ValueError:
            continue
        yield from _orders(smallest)


def _orders(smallest: Mapping) -> Iterator[Mapping]:
    """Nests with the PE set and pixel tile of one that has the least on chip."""
    config, blocks = smallest.config, smallest.blocks
    per_slot = max(1, config.ifmap_elements // smallest.slot_size)
    whole_groups = tiles(smallest.plane_groups, per_slot)[:1]
    half = tiles(smallest.plane_groups, max(1, per_slot // 2))[:1]
    for groups in dict.fromkeys([*whole_groups, *half, 1]):
        whole = groups >= smallest.plane_groups and smallest.windows == 1
        most = blocks if whole else max(1, config.psum_depth // smallest.tile_vectors)
        for mb in some(tiles(blocks, min(most, blocks)), 4):
            orders = [(False, False), (False, True)] if mb == blocks or not whole else []
            if mb != blocks and whole:
                orders.append((True, True))
            try:
                nest = smallest.regrouped(mb=mb, groups=groups)
            except ValueError:
                continue
            for m_outer, resident in orders:
                with suppress(ValueError):
                    yield nest.ordered(m_outer=m_outer, filter_resident=resident)

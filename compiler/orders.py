"""Orders of a nest whose tiles of pixels and windows are chosen."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from stillflow.compiler.sizes import some, tiles
from stillflow.hw.mapping import Mapping


def ordered_nests(smallest: Mapping, groups: Iterable[int], choices: int) -> Iterator[Mapping]:
    """Nests with the pixel and window tiles of one that has the least on chip, as far as they fit.

    Parameters
    ----------
    smallest : Mapping
        The nest, in the plain order.
    groups : iterable of int
        Plane groups of a reduction tile that are worth trying.
    choices : int
        Most numbers of filter blocks in a group that are tried.
    """
    blocks = smallest.blocks
    for count in dict.fromkeys(groups):
        whole = count >= smallest.plane_groups and smallest.windows == 1
        most = blocks if whole else max(1, smallest.config.psum_depth // smallest.tile_vectors)
        for mb in some(tiles(blocks, min(most, blocks)), choices):
            orders = [(False, False), (False, True)] if mb == blocks or not whole else []
            if mb != blocks and whole:
                orders.append((True, True))
            try:
                nest = smallest.regrouped(mb=mb, groups=count)
            except ValueError:
                continue
            for m_outer, resident in orders:
                with suppress(ValueError):
                    yield nest.ordered(m_outer=m_outer, filter_resident=resident)

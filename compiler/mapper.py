"""Chooses the nest of a layer."""

from collections.abc import Iterator
from functools import cache
from math import inf
from operator import itemgetter

from stillflow.compiler.estimate import cost, least_cost
from stillflow.compiler.objective import CYCLES, Objective
from stillflow.compiler.orders import ordered_nests
from stillflow.compiler.set_mapper import set_candidates, set_nests, smallest_with_sets
from stillflow.compiler.sizes import COUNT_MOST, divisors, some, tiles
from stillflow.compiler.work import Plan
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.fir import Fir, most_strip
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import join_depth, ring_depth
from stillflow.hw.work import Work

TOLERANCE = 400  # nests within a 400th of the fewest cycles are as good as the best


class MappingError(ValueError):
    """A layer that no nest brings onto the accelerator."""


def _pixel_tiles(work: Work, depth: int) -> Iterator[tuple[int, int, int]]:
    pool, (rows, columns) = work.pool, work.stored
    for f in some(tiles(columns, pool.along(1, depth)), 12):
        pf = pool.pixels(1, f)
        for e in some(tiles(rows, pool.along(0, depth // pf)), 16):
            yield 1, pool.pixels(0, e), pf
        if pf == work.F and depth >= work.E * work.F:
            for pn in some(tiles(work.N, depth // (work.E * work.F)), 6):
                if pn > 1:
                    yield pn, work.E, pf


def most_pixels(work: Work, config: AcceleratorConfig) -> int:
    """Most pixels of a tile: as many as there are psum entries, unless psums stay in the array."""
    if work.joined:
        return join_depth(config)
    if config.dataflow != Dataflow.OUTPUT_STATIONARY:
        return config.psum_depth
    pixel = work.C if work.packed else config.channel_block
    return max(config.psum_depth, min(COUNT_MOST, config.ifmap_elements // pixel))


def _smallest(
    config: AcceleratorConfig, work: Work, pixels: tuple[int, int, int], *, r_count: int = 1,
    s_count: int = 1, slots: int = 1,
) -> Mapping | None:  # fmt: skip
    """Nest with the least on chip for a pixel tile, if that fits the buffers so many times.

    The longest loops of the K walk must fit their counters, too.
    """
    pn, pe, pf = pixels
    try:
        mapping = Mapping(
            config=config, work=work, pn=pn, pe=pe, pf=pf, mb=1, groups=1,
            r_count=r_count, s_count=s_count,
        )  # fmt: skip
    except ValueError:
        return None
    counted = max(mapping.k_elements, mapping.k_s) <= COUNT_MOST
    return mapping if counted and mapping.slots >= slots else None


def _in_windows(
    config: AcceleratorConfig, work: Work, pixels: tuple[int, int, int]
) -> list[Mapping]:
    """Smallest nests of a pixel tile in the fewest window tiles: one that fits, and fits twice."""
    rows, columns = divisors(work.R), divisors(work.S)
    found: list[Mapping] = []
    for slots in (1, 2):
        fitting: list[Mapping] = []
        left = list(columns)
        # The more parts the rows have, the fewer the columns need.
        for r_count in rows:
            least = None
            while left and (
                mapping := _smallest(
                    config, work, pixels, r_count=r_count, s_count=left[-1], slots=slots
                )
            ):
                least = mapping
                left.pop()
            if least is not None:
                fitting.append(least)
        # Of as many tiles those with the longest rows.
        if fitting:
            found.append(min(fitting, key=lambda mapping: (mapping.windows, mapping.s_count)))
    return list(dict.fromkeys(found))


def candidates(plan: Plan, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests of a layer that fit the accelerator.

    The filter's window is taken in tiles only if that of a single pixel does not fit.
    """
    if plan.work.depthwise:
        yield from depthwise_candidates(plan.work, config)
        return
    if config.has_pe_sets:
        yield from set_candidates(plan.work, config)
        return
    for smallest in _smallest_nests(plan.work, config):
        yield from _nests(smallest)


def _smallest_nests(work: Work, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests with the least on chip, one for each choice of pixel and window tiles."""
    fits = _smallest(config, work, (1, *work.pool.size)) is not None
    for pixels in _pixel_tiles(work, most_pixels(work, config)):
        if not fits:
            yield from _in_windows(config, work, pixels)
        elif smallest := _smallest(config, work, pixels):
            yield smallest


def _nests(smallest: Mapping) -> Iterator[Mapping]:
    """Nests with the pixel and window tiles of one that has the least on chip."""
    config = smallest.config
    per_slot = config.ifmap_elements // max(1, smallest.slot_size)
    if smallest.rereads_filters:  # a block's lines stay for all pixel groups, in twos at best
        parameters = config.bias_lines + config.scale_lines
        per_slot = min(per_slot, (config.filter_lines - parameters) // smallest.slab_lines[0])
    probe_groups = some(tiles(smallest.plane_groups, per_slot), 6)
    half = tiles(smallest.plane_groups, max(1, per_slot // 2))[:1]
    yield from ordered_nests(smallest, [*probe_groups, *half], 6)


def depthwise_candidates(work: Work, config: AcceleratorConfig) -> Iterator[Mapping]:
    """Nests of a depthwise layer: whole ofmap rows, strips as high as the chains allow."""
    depth = ring_depth(config, joins=work.joined)
    room = (depth - config.store_pixels + 1) // work.F
    tap_blocks = [
        (tap_rows, tap_columns)
        for tap_columns in tiles(work.S, work.S)
        for tap_rows in tiles(work.R, min(work.R, config.rows))
    ]
    for pe in some(tiles(work.E, work.E), 24):
        for pn in some(tiles(work.N, work.N), 4) if pe == work.E else [1]:
            for tap_rows, tap_columns in tap_blocks:
                most = most_strip(config.rows, tap_rows, tap_columns, work.stride[0])
                most = min(room, pe) if most is None else min(most, room, pe)
                if most < 1:
                    continue
                strip = -(-pe // -(-pe // most))
                fir = Fir(
                    chain=config.rows, tap_rows=tap_rows, tap_columns=tap_columns, strip=strip,
                    stride=work.stride[0],
                )  # fmt: skip
                for resident in (True, False):
                    try:
                        yield Mapping(
                            config=config, work=work, pn=pn, pe=pe, pf=work.F, mb=1, groups=1,
                            filter_resident=resident, fir=fir,
                        )  # fmt: skip
                    except ValueError:
                        continue


@cache
def choose_mapping(
    plan: Plan, config: AcceleratorConfig, *, objective: Objective = CYCLES
) -> Mapping:
    """Best nest of a layer by closed forms; deterministic.

    Parameters
    ----------
    plan : Plan
        The layer.
    config : AcceleratorConfig
        The accelerator.
    objective : Objective
        What to minimise first.

    Raises
    ------
    MappingError
        If the ifmap is packed and a pixel does not fit the ifmap buffer, or no nest fits otherwise.
    """
    best = _best_in_turn(plan, config, objective)
    if best is None:
        w = plan.work
        if w.packed:
            raise MappingError(
                f"a packed pixel of {w.C} elements must fit the ifmap buffer of "
                f"{config.ifmap_elements} elements"
            )
        raise MappingError(
            f"one ofmap pixel of {w.R}x{w.S} filters at stride {w.stride[0]}x{w.stride[1]} must "
            f"fit the buffers of {config.glb_kib} KiB"
        )
    return best


def _best_in_turn(plan: Plan, config: AcceleratorConfig, objective: Objective) -> Mapping | None:
    """Rate nests, those with the least bound first, until no other can be better."""
    tolerance = TOLERANCE if objective.minimise == "cycles" else inf
    rated: list[tuple[float, float, Mapping]] = []
    least, limit = (inf, inf), inf
    for bound, nests in _bounded(plan, config, objective):
        if bound[0] > limit:
            break
        if tolerance == inf and bound >= least:
            continue
        for mapping in nests:
            rate = cost(mapping, objective, limit)
            if rate[0] <= limit:
                rated.append((*rate, mapping))
                least = min(least, rate)
                limit = least[0] + least[0] // tolerance
    # Among the nests that are as good as the best, the one that is better in the other respect.
    return min(
        (entry for entry in rated if entry[0] <= limit),
        key=itemgetter(1), default=(None, None, None),
    )[2]  # fmt: skip


def _bounded(
    plan: Plan, config: AcceleratorConfig, objective: Objective
) -> Iterator[tuple[tuple[float, float], Iterator[Mapping]]]:
    """Nests together with lower bounds of what they cost, the least bound first."""
    if plan.work.depthwise:
        yield (0, 0), depthwise_candidates(plan.work, config)
        return
    smallest_nests, nests = _smallest_nests, _nests
    if config.has_pe_sets:
        smallest_nests, nests = smallest_with_sets, set_nests
    bounds = [
        (least_cost(smallest, objective), smallest)
        for smallest in smallest_nests(plan.work, config)
    ]
    for bound, smallest in sorted(bounds, key=itemgetter(0)):
        yield bound, nests(smallest)

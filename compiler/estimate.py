"""Rough costs of a nest by closed forms: what the mapper weighs. `compiler.cost` has exact ones."""

from math import inf

from stillflow.compiler.cost.counters import array_counters
from stillflow.compiler.counts import EnergyCosts, accesses, energy
from stillflow.compiler.objective import Objective
from stillflow.compiler.traffic import Traffic, least_traffic, traffic
from stillflow.hw.csr import Counter
from stillflow.hw.fir import Fir
from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet
from stillflow.hw.residual import ring_depth
from stillflow.hw.timing import hazard, pass_guard, weight_delay


def depthwise_cycles(mapping: Mapping, fir: Fir) -> int:
    """Cycles of all steps of a depthwise layer when nothing waits for DRAM."""
    config, w = mapping.config, mapping.work
    columns = (w.F - 1) * w.stride[1] + fir.tap_columns
    load = config.rows + 5 + (config.bias_lines + config.scale_lines) // (mapping.k_s * mapping.k_r)
    total = 0
    for times, images, rows, _ in mapping.tile_sizes:
        strips = -(-rows // fir.strip)
        emitting = rows * w.F * (config.pace - 1)
        total += times * (images * (strips * (columns * fir.rows + 1) + emitting) + load)
    return total * mapping.k_s * mapping.k_r * w.G


def set_cycles(mapping: Mapping, pe_set: PeSet) -> int:
    """Cycles of all passes of a row-stationary array when nothing waits for DRAM."""
    config, w = mapping.config, mapping.work
    step, slide = max(pe_set.filters, 2), min(w.stride[1], pe_set.columns)
    shifts = pe_set.shifts(w.stride[0])
    parts = mapping.k_s * mapping.k_r * mapping.windows
    whole = mapping.plane_groups - 1
    total = 0
    for times, _, rows, columns in mapping.tile_sizes:
        strips = -(-rows // mapping.strip_rows)
        diagonals = -(-rows // strips) + shifts
        for passes, planes in ((whole, mapping.k_planes), (1, mapping.k_planes_last)):
            depth = pe_set.depth_of(planes)
            words = depth * pe_set.columns
            # A pixel's words meet the filters while the next one's come, be it of another pass: all
            # of them for a row's first, else those that are new.
            pixel = max(words * step, depth * slide * diagonals)
            opening = depth * pe_set.columns * diagonals
            strip = max(opening, pixel) + (columns - 1) * pixel
            ends = step + 2  # the last pixel's psums leave
            weights = words * pe_set.filters
            # More weights than fit beside those in use: the last come behind the last pixel.
            trail = weight_delay(config) + 2 if 2 * weights > config.filter_spad else 0
            load = weights + pass_guard(config)
            total += times * passes * parts * max(strips * strip + ends + trail, load)
        total += times * (config.pace - 1) * strips * columns * pe_set.filters
    return total * mapping.blocks * w.G


def ring_waits(mapping: Mapping, pe_set: PeSet) -> int:
    """Cycles in which a row-stationary array waits for room in the ofmap ring.

    Before the first words of a strip come, all of them must find room: beside what is left of the
    strip before, of which a word a cycle leaves the ring, as long as other passes run in between.
    """
    w, config = mapping.work, mapping.config
    ring = ring_depth(config, joins=w.joined)
    pixel = pe_set.depth_of(mapping.k_planes) * pe_set.columns * max(pe_set.filters, 2)
    run = mapping.pf * pixel
    strips = mapping.strips_of(mapping.pe)
    over = (2 * mapping.strip_vectors - ring) * mapping.strip_rows - pixel
    groups = mapping.plane_groups * mapping.windows if mapping.mb == 1 else mapping.groups_last
    between = (groups * mapping.k_s * mapping.k_r - 1) * strips * run
    slow = mapping.strip_vectors * mapping.strip_rows - run
    waits = max(0, over - between) + (strips - 1) * max(0, over, slow)
    return w.G * mapping.pixel_tiles * mapping.blocks * waits


def compute_cycles(mapping: Mapping, *, reductions: int | None = None) -> int:
    """Cycles of all steps when nothing waits for DRAM.

    ``reductions`` replaces the nest's number of reduction tiles along the channels: all else is the
    same for every nest with these pixel and window tiles.
    """
    reductions = reductions or mapping.c_count
    if mapping.fir:
        return depthwise_cycles(mapping, mapping.fir)
    if mapping.pe_set:
        return set_cycles(mapping, mapping.pe_set)
    config, w = mapping.config, mapping.work
    floor = max(config.rows, hazard(config))
    parameters = config.bias_lines + config.scale_lines + 2
    chunks, total = mapping.chunks, 0
    for times, images, rows, columns in mapping.tile_sizes:
        pixels = images * rows * columns
        if mapping.psums_stay:
            groups = mapping.pixel_groups_of(images, rows, columns)
            total += times * (chunks * groups * floor + parameters * reductions)
            continue
        # Behind a filter block's last step, the next one's biases and scales are loaded; without
        # local reuse they wait until the array rests.
        final = max(pixels * config.pace, floor + parameters)
        if config.reads_weights:
            final = max(pixels * config.pace, floor) + parameters
        total += times * ((chunks - 1) * max(pixels, floor) + final)
    return total * mapping.blocks * w.G


def spent_energy(
    mapping: Mapping, moved: Traffic, costs: EnergyCosts, *, reductions: int | None = None
) -> float:
    """Energy of a layer besides that of its MACs; ``reductions`` as in `compute_cycles`."""
    config = mapping.config
    counters = array_counters(mapping, reductions=reductions) | {
        Counter.IFMAP_FILLS: (moved.ifmap + moved.residual) // config.act_bytes,
        Counter.FILTER_FILLS: moved.filters // (config.weight_bits // 8),
        Counter.OFMAP_SPILLS: moved.ofmap // config.act_bytes,
    }
    read, written = (part // config.act_bytes for part in moved.local)
    words = accesses(
        counters, config, depthwise=mapping.work.depthwise, activations=(read, written)
    )
    return energy(0, words, moved.dram // config.act_bytes, costs)


def cost(mapping: Mapping, objective: Objective, limit: float = inf) -> tuple[float, float]:
    """Rate a nest: what an objective minimises first, and what decides among equals.

    Infinite where the first is seen to pass the limit.
    """
    moved = traffic(mapping)
    memory = memory_cycles(mapping, moved)
    first: float = memory
    if objective.minimise == "energy":
        first = spent_energy(mapping, moved, objective.costs)
    elif objective.minimise == "dram":
        first = moved.beats
    if first > limit:
        return inf, inf
    cycles = estimate(mapping, memory)
    return (cycles, moved.dram) if objective.minimise == "cycles" else (first, cycles)


def least_cost(mapping: Mapping, objective: Objective) -> tuple[float, float]:
    """Lower bounds of `cost` for all nests with these pixel and window tiles."""
    return min(_least_cost(mapping, objective, moved) for moved in least_traffic(mapping))


def _least_cost(mapping: Mapping, objective: Objective, moved: Traffic) -> tuple[float, float]:
    cycles = moved.dram // mapping.config.axi_bytes
    if objective.minimise == "cycles" or not mapping.pe_set:  # of PE sets, they take time to count
        cycles = max(compute_cycles(mapping, reductions=1), cycles)
    if objective.minimise == "cycles":
        return cycles, moved.dram
    if objective.minimise == "energy":
        return spent_energy(mapping, moved, objective.costs, reductions=1), cycles
    return moved.beats, cycles


def load_cycles(mapping: Mapping) -> int:
    """Cycles in which the read engine delivers one ifmap tile: whole beats, padding included."""
    config = mapping.config
    rows = (
        mapping.rows_of(mapping.pe)
        * mapping.pn
        * min(mapping.groups * mapping.k_planes, mapping.planes)
    )
    pieces = 2 if any(mapping.work.pad) else 0
    return rows * (-(-mapping.load_width // config.axi_elements) + pieces)


def estimate_cycles(mapping: Mapping) -> int:
    """Rough cycles of a layer: what the mapper minimises."""
    return estimate(mapping, memory_cycles(mapping, traffic(mapping)))


def memory_cycles(mapping: Mapping, moved: Traffic) -> int:
    """Rough cycles in which DRAM and read engine move so many bytes."""
    config = mapping.config
    loads = mapping.tiles * load_cycles(mapping)
    filters = moved.filters // config.axi_bytes
    stores = moved.ofmap // min(config.axi_bytes, config.channel_block * config.act_bytes)
    residuals = moved.residual // config.axi_bytes
    if moved.on_chip.ofmap:
        return max(moved.dram // config.axi_bytes, stores, loads + filters + residuals)
    return max(moved.dram // config.axi_bytes, loads + filters + stores + residuals)


def estimate(mapping: Mapping, memory: int) -> int:
    """Rough cycles of a layer of which the DRAM needs so many."""
    config = mapping.config
    tile = load_cycles(mapping)
    # Before the first step: the first plane group; with one slot, every tile is waited for.
    start = tile // min(mapping.groups, mapping.plane_groups)
    waits = (mapping.tiles - 1) * tile if mapping.slots == 1 else 0
    drain = min(mapping.stored_vectors, config.psum_depth) * config.block_units
    if mapping.psums_stay:
        drain = config.rows * config.block_units
    if mapping.pe_set:
        drain = mapping.strip_rows * mapping.pf * mapping.pe_set.filters
        waits += ring_waits(mapping, mapping.pe_set)
    return max(compute_cycles(mapping) + waits, memory) + start + drain

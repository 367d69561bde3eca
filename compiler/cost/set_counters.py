"""Closed forms that differ on a row-stationary array."""

from collections.abc import Mapping as Fields

from stillflow.compiler.cost.residues import beats, combined, progression
from stillflow.hw.csr import Counter
from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet


def set_counters(mapping: Mapping, pe_set: PeSet) -> dict[Counter, int]:
    """Count what a row-stationary array and its psums do."""
    config, w = mapping.config, mapping.work
    columns, stride = config.m_block, w.stride
    slide = min(stride[1], pe_set.columns)
    # Channels in a PE, summed over the passes of a whole reduction.
    full, last = (pe_set.depth_of(n) for n in (mapping.k_planes, mapping.k_planes_last))
    parts = mapping.k_s * mapping.k_r * mapping.windows
    depth = (full * (mapping.plane_groups - 1) + last) * parts
    vectors = fills = beats_of = macs = strips_of = 0
    for times, _, rows, width in mapping.tile_sizes:
        strips = -(-rows // mapping.strip_rows)
        words = pe_set.columns + (width - 1) * slide  # a channel's of a strip
        slots = times * strips * width * pe_set.columns * pe_set.filters
        vectors += times * words * (rows + strips * pe_set.shifts(stride[0]))
        fills += times * words * rows
        beats_of += slots
        macs += times * rows * width * pe_set.columns * pe_set.filters
        strips_of += times * strips * width
    blocks = w.G * mapping.blocks
    weight_lines = mapping.block_lines - mapping.bias_lines - mapping.scale_lines
    passed = blocks * mapping.pixel_tiles
    sums = w.G * w.M * strips_of
    psums = sums * (mapping.chunks - 1) * columns
    return {
        Counter.IFMAP_READS: blocks * depth * vectors * pe_set.sources(stride[0]),
        Counter.FILTER_READS: passed * mapping.block_lines * config.line_words,
        Counter.PSUM_READS: psums,
        Counter.PSUM_WRITES: psums,
        Counter.OFMAP_WRITES: sums * columns,
        Counter.CHAIN_SHIFTS: passed * weight_lines * pe_set.rows * columns,
        Counter.WEIGHT_SWAPS: blocks * depth * fills * pe_set.rows,
        Counter.MAC_CYCLES: blocks * depth * beats_of,
        Counter.MAC_LANES: blocks * depth * macs * pe_set.rows,
    }


def row_beats(mapping: Mapping, d: Fields[str, int], chunk: int) -> int:
    """Beats of the ofmap, row stationary: a row of a tile is a transfer, or several."""
    config, w = mapping.config, mapping.work
    beat, f_count = config.axi_bytes, mapping.tile_counts[2]
    rows = [
        progression(w.G, d["ofmap_stride_g"], beat, d["ofmap_address"]),
        progression(w.M, d["ofmap_stride_run"], beat),
        progression(w.N, d["ofmap_stride_nt"], beat),
        progression(w.E, d["ofmap_stride_unit"], beat),
    ]
    total = 0
    for first, tiles, pixels in (
        (0, f_count - 1, mapping.pf),
        (f_count - 1, 1, mapping.last_pixels[2]),
    ):
        step = d["ofmap_stride_ft"]
        starts = combined([*rows, progression(tiles, step, beat, first * step)], beat)
        for at in range(0, pixels, chunk):
            moved = {(s + at * config.act_bytes) % beat: n for s, n in starts.items()}
            total += beats(moved, min(chunk, pixels - at) * config.act_bytes, beat)
    return total

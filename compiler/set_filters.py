"""The filter stream of a row-stationary array: a weight for each of its rows in a line."""

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.words import encode_word
from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet


def set_stream(
    mapping: Mapping,
    pe_set: PeSet,
    filters: NDArray[np.signedinteger],
    bias: NDArray[np.int64],
    scale: NDArray[np.float32],
) -> bytes:
    """Lines of a layer in DRAM.

    For each group, filter-block group, reduction tile and filter block: the biases (first tile) and
    scales (last tile), a filter after the other; then for each plane group and pass the weights of
    every filter for every channel in a PE for every filter column, filters innermost.

    Parameters and result are those of `stillflow.compiler.filters.filter_stream`.
    """
    config, w = mapping.config, mapping.work
    blocks, bits = mapping.blocks, config.weight_bits
    depth = pe_set.depth_of(mapping.k_planes)
    channels = mapping.plane_groups * mapping.k_planes + pe_set.channels * depth
    weights = np.zeros((w.G, blocks * pe_set.filters, channels, w.R, w.S), dtype=np.int64)
    weights[:, : w.M, : filters.shape[2]] = filters
    biases = np.zeros((w.G, blocks * pe_set.filters), dtype=np.int64)
    biases[:, : w.M] = bias
    scales = np.full((w.G, blocks * pe_set.filters), encode_word(1.0), dtype=np.int64)
    scales[:, : w.M] = np.vectorize(encode_word, otypes=[np.int64])(scale)
    bias_lines = _in_lines(biases, config.bias_lines, mapping)
    scale_lines = _in_lines(scales, config.scale_lines, mapping)
    pieces = []
    for group in range(w.G):
        for first in range(0, blocks, mapping.mb):
            group_blocks = range(first, min(first + mapping.mb, blocks))
            parts = list(np.ndindex(mapping.c_count, mapping.r_count, mapping.s_count))
            for part in parts:
                for block in group_blocks:
                    mine = slice(block * pe_set.filters, (block + 1) * pe_set.filters)
                    if part == parts[0]:
                        pieces.append(bias_lines[group, mine].reshape(-1, config.rows))
                    if part == parts[-1]:
                        pieces.append(scale_lines[group, mine].reshape(-1, config.rows))
                    pieces += _passes(mapping, pe_set, weights[group, mine], part)
    lines = np.concatenate(pieces)
    padded = np.zeros((len(lines), config.filter_line_bytes * 8 // bits), dtype=np.int64)
    padded[:, : config.rows] = lines
    return (padded & ((1 << bits) - 1)).astype(f"<u{bits // 8}").tobytes()


def _in_lines(words: NDArray[np.int64], lines: int, mapping: Mapping) -> NDArray[np.int64]:
    """Words in slices, lowest first, over the words of lines: [..., lines, rows]."""
    bits, rows = mapping.config.weight_bits, mapping.config.rows
    shifts = np.minimum(np.arange(lines * rows) * bits, 63)
    return (words[..., None] >> shifts).reshape(*words.shape, lines, rows)


def _passes(
    mapping: Mapping, pe_set: PeSet, weights: NDArray[np.int64], part: tuple[int, ...]
) -> list[NDArray[np.int64]]:
    """Weight lines of a filter block in a reduction tile, pass by pass: [lines, rows]."""
    c_tile, r_tile, s_tile = part
    window_rows, window_columns = mapping.window
    row = np.arange(pe_set.rows)
    passes = []
    for plane_group in range(
        c_tile * mapping.groups, min((c_tile + 1) * mapping.groups, mapping.plane_groups)
    ):
        final = plane_group == mapping.plane_groups - 1
        planes = mapping.k_planes_last if final else mapping.k_planes
        first = plane_group * mapping.k_planes
        depth = np.arange(pe_set.depth_of(planes))
        for r_part, s_part in np.ndindex(mapping.k_r, mapping.k_s):
            r = r_tile * window_rows + r_part * pe_set.filter_rows + row // pe_set.channels
            s = s_tile * window_columns + s_part * pe_set.columns + np.arange(pe_set.columns)
            c = first + depth[:, None] * pe_set.channels + row % pe_set.channels
            # Filter columns, channels, filters, rows.
            taken = weights[:, c[None], r[None, None], s[:, None, None]].transpose(1, 2, 0, 3)
            lines = np.zeros((*taken.shape[:3], mapping.config.rows), dtype=np.int64)
            lines[..., : pe_set.rows] = taken
            passes.append(lines.reshape(-1, mapping.config.rows))
    return passes

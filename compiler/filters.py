"""The filter stream: weights, biases and scales as lines, in the order the array takes them."""

import math

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.set_filters import set_stream
from stillflow.compiler.words import encode_word, words_to_lines
from stillflow.hw.fir import Fir
from stillflow.hw.mapping import Mapping


def _reduction_order(
    mapping: Mapping, planes: int, first: tuple[int, int, int]
) -> NDArray[np.intp]:
    """``c, r, s`` of each line of a plane group, shape [lines, 3]; c may pass the last channel.

    ``first`` is where the plane group begins.
    """
    w = mapping.work
    if mapping.fir:
        return _taps_in_order(mapping, mapping.fir)
    first_c, first_r, first_s = first
    element = np.arange(mapping.k_elements)
    plane = np.arange(planes)
    s, r = first_s + np.arange(mapping.k_s), first_r + np.arange(mapping.window[0])
    r, s, plane, element = np.meshgrid(r, s, plane, element, indexing="ij")
    if w.packed:
        c = element % w.C
        s = s + element // w.C
    else:
        c = first_c + plane * mapping.config.channel_block + element
    return np.stack([c.ravel(), r.ravel(), s.ravel()], axis=1)


def _taps_in_order(mapping: Mapping, fir: Fir) -> NDArray[np.intp]:
    """``c, r, s`` of each tap, block by block, column by column; may pass the filter's end."""
    r0, s0 = np.arange(mapping.k_r) * fir.tap_rows, np.arange(mapping.k_s) * fir.tap_columns
    r0, s0, s, r = np.meshgrid(
        r0, s0, np.arange(fir.tap_columns), np.arange(fir.tap_rows), indexing="ij"
    )
    return np.stack([np.zeros(r.size, np.intp), (r0 + r).ravel(), (s0 + s).ravel()], axis=1)


def filter_stream(
    mapping: Mapping,
    filters: NDArray[np.signedinteger],
    bias: NDArray[np.int64],
    scale: NDArray[np.float32],
) -> bytes:
    """Lines of a layer in DRAM.

    For each group, filter-block group, reduction tile, filter block and plane group: the weights
    chunk by chunk; behind the first chunk of a tile the biases (first tile) and scales (last tile),
    or before it where psums stay in the array, in depthwise layers and in PE sets.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    filters : int[G, M, C, R, S]
        Weights of each group of the work; depthwise int[G, M, 1, R, S].
    bias : int[G, M]
        Added to the psum; ifmap zero point included.
    scale : float32[G, M]
        Requantisation scales.

    Returns
    -------
    bytes
        ``filter_lines`` lines of ``filter_line_bytes``.
    """
    if mapping.pe_set:
        return set_stream(mapping, mapping.pe_set, filters, bias, scale)
    config, w = mapping.config, mapping.work
    blocks, columns = mapping.blocks, config.m_block
    bits = config.weight_bits
    C, R, S = max(w.C, mapping.planes * config.channel_block), w.R, w.S
    if mapping.fir:  # a tap block at the filter's end may have taps too many
        C, R, S = 1, mapping.k_r * mapping.fir.tap_rows, mapping.k_s * mapping.fir.tap_columns
    weights = np.zeros((w.G, blocks * columns, C, R, S), dtype=np.int64)
    weights[:, : w.M, : filters.shape[2], : w.R, : w.S] = filters
    biases = np.zeros((w.G, blocks * columns), dtype=np.int64)
    biases[:, : w.M] = bias
    encoded = np.full((w.G, blocks * columns), encode_word(1.0), dtype=np.int64)
    encoded[:, : w.M] = np.vectorize(encode_word, otypes=[np.int64])(scale)
    params = {
        "bias": words_to_lines(biases.reshape(w.G, blocks, columns), config.bias_lines, bits),
        "scale": words_to_lines(encoded.reshape(w.G, blocks, columns), config.scale_lines, bits),
    }

    pieces = []
    for group in range(w.G):
        tiles = _reduction_tiles(
            mapping, weights[group], params["bias"][group], params["scale"][group]
        )
        for first in range(0, blocks, mapping.mb):
            pieces += [tile[first : first + mapping.mb].ravel() for tile in tiles]
    lines = np.concatenate(pieces).reshape(-1, columns)
    padded = np.zeros((len(lines), config.filter_line_bytes * 8 // bits), dtype=np.int64)
    padded[:, :columns] = lines
    return (padded & ((1 << bits) - 1)).astype(f"<u{bits // 8}").tobytes()


def _reduction_tiles(
    mapping: Mapping,
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    scale: NDArray[np.int64],
) -> list[NDArray[np.int64]]:
    """Lines of each reduction tile: [blocks, lines, columns]."""
    config, columns = mapping.config, mapping.config.m_block
    tiles = []
    parts = mapping.c_count, mapping.r_count, mapping.s_count
    for c_tile, r_tile, s_tile in np.ndindex(parts):
        begin = c_tile * mapping.groups
        end = min(begin + mapping.groups, mapping.plane_groups)
        order, first_chunk = [], 0
        for group in range(begin, end):
            final = group == mapping.plane_groups - 1
            planes = mapping.k_planes_last if final else mapping.k_planes
            channel = group * mapping.k_planes * config.channel_block
            first = channel, r_tile * mapping.window[0], s_tile * mapping.window[1]
            order.append(_reduction_order(mapping, planes, first))
            if group == begin:
                first_chunk = 0 if mapping.params_first else mapping.chunk_lengths(planes)[0]
        c, r, s = np.concatenate(order).T
        lines = weights[:, c, r, s].reshape(mapping.blocks, columns, -1).transpose(0, 2, 1)
        pieces = [lines[:, :first_chunk]]
        if not tiles:
            pieces.append(bias)
        if len(tiles) == math.prod(parts) - 1:
            pieces.append(scale)
        tiles.append(np.concatenate([*pieces, lines[:, first_chunk:]], axis=1))
    return tiles

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.filters import encode_word, filter_stream
from stillflow.compiler.mapper import candidates
from stillflow.compiler.work import plan_layer
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import TINY
from stillflow.hw.tensor import blocked
from tests.networks import CONFIGS, draw_plan, in_window_tiles


def draw_parameters(mapping, seed):
    """Weights [G, M, C, R, S], biases and scales [G, M] over the whole range of their words."""
    config, w = mapping.config, mapping.work
    rng = np.random.default_rng(seed)
    top = 1 << (config.weight_bits - 1)
    filters = rng.integers(-top, top, (w.G, w.M, 1 if mapping.fir else w.C, w.R, w.S))
    bias = rng.integers(-(1 << (config.acc_bits - 1)), 1 << (config.acc_bits - 1), (w.G, w.M))
    scale = np.exp2(rng.uniform(-40, 20, (w.G, w.M))).astype(np.float32)
    return filters, bias, scale


def positions(mapping, tile):
    """``c, r, s`` of the weights of a reduction tile, and how many belong to its first chunk."""
    m, w, block = mapping, mapping.work, mapping.config.channel_block
    order, chunk = [], 0
    if m.fir:
        rows, columns = m.fir.tap_rows, m.fir.tap_columns
        for r0 in range(0, m.k_r * rows, rows):
            for s0 in range(0, m.k_s * columns, columns):
                order += [(0, r0 + r, s0 + s) for s in range(columns) for r in range(rows)]
        return order, 0
    tile, rest = divmod(tile, m.windows)
    r_tile, s_tile = divmod(rest, m.s_count)
    rows, columns = w.R // m.r_count, w.S // m.s_count
    window = [
        (r_tile * rows + r, s_tile * columns + s) for r in range(rows) for s in range(columns)
    ]
    for group in range(tile * m.groups, min((tile + 1) * m.groups, m.plane_groups)):
        first = group * m.k_planes
        planes = range(first, min(first + m.k_planes, m.planes))
        for r, s in window:
            if w.packed:
                order += [(c, r, s) for c in range(w.C)]
            else:
                order += [(p * block + i, r, s) for p in planes for i in range(min(w.C, block))]
        if group == tile * m.groups and not m.psums_stay:
            run = len(order) // {1: rows * m.k_s, 2: rows, 3: 1}[m.k_break]
            chunk = min(m.config.rows, run)
    return order, chunk


def read_stream(mapping, stream):
    """Weights, biases and scale words as the lines say, by group, filter and position."""
    m, config, w = mapping, mapping.config, mapping.work
    columns, bits = config.m_block, config.weight_bits
    lines = np.frombuffer(stream, f"<i{bits // 8}").reshape(m.filter_lines, -1)
    assert lines.shape[1] * bits // 8 == config.filter_line_bytes
    assert not lines[:, columns:].any()
    left = iter(lines[:, :columns].astype(object))
    weights, biases, scales = {}, {}, {}

    def take_word(count):
        word = sum((next(left) & ((1 << bits) - 1)) << (bits * i) for i in range(count))
        return word & ((1 << (bits * count)) - 1)

    for g in range(w.G):
        for first in range(0, m.blocks, m.mb):
            tiles = m.c_count * m.windows
            for tile in range(tiles):
                order, chunk = positions(m, tile)
                for b in range(first, min(first + m.mb, m.blocks)):
                    for number, position in enumerate([None, *order]):
                        if position is not None:
                            assert (g, b, position) not in weights
                            weights[g, b, position] = next(left)
                        if number == chunk and tile == 0:
                            biases[g, b] = take_word(config.bias_lines)
                        if number == chunk and tile == tiles - 1:
                            scales[g, b] = take_word(config.scale_lines)
    assert next(left, None) is None
    return weights, biases, scales


def assert_stream_holds(mapping, filters, bias, scale):
    config, w = mapping.config, mapping.work
    columns, width = config.m_block, config.bias_lines * config.weight_bits
    weights, biases, scales = read_stream(mapping, filter_stream(mapping, filters, bias, scale))
    seen = np.zeros(filters.shape, bool)
    for (g, b, (c, r, s)), line in weights.items():
        exists = c < filters.shape[2] and r < w.R and s < w.S
        here = filters[g, b * columns : (b + 1) * columns, c, r, s] if exists else []
        assert [*line] == [*here, *[0] * (columns - len(here))]
        if exists:
            seen[g, b * columns : (b + 1) * columns, c, r, s] = True
    assert seen.all()
    for g, m in np.ndindex(w.G, w.M):
        b, column = divmod(m, columns)
        assert biases[g, b][column] == int(bias[g, m]) % (1 << width)
        word = int(scales[g, b][column])
        assert (word & 0xFFFFFF) * 2.0 ** -(word >> 24) == scale[g, m]


# Row stationary, the stream is another one: `test_set_filters`.
@pytest.mark.parametrize("name", [n for n, c in CONFIGS.items() if not c.has_pe_sets])
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_lines_give_back_weights_biases_and_scales(name, seed):
    random = Random(seed)
    nests = list(candidates(draw_plan(random, CONFIGS[name]), CONFIGS[name]))
    kinds = sorted({(m.c_count > 1, m.m_outer, m.mb == m.blocks) for m in nests})
    kind = random.choice(kinds)
    mapping = random.choice(
        [m for m in nests if (m.c_count > 1, m.m_outer, m.mb == m.blocks) == kind]
    )
    if random.random() < 0.5:
        mapping = in_window_tiles(random, mapping)
    assert_stream_holds(mapping, *draw_parameters(mapping, seed))


def test_filters_beyond_the_last_have_zero_weights_and_a_scale_that_exists():
    shape = ConvShape(C=4, M=5, H=3, W=3, R=2, S=2)
    layout = blocked(1, 4, 3, 3, block=4, element_bytes=1)
    mapping = next(candidates(plan_layer(shape, layout, TINY), TINY))
    filters, bias, scale = draw_parameters(mapping, 1)
    _, biases, scales = read_stream(mapping, filter_stream(mapping, filters, bias, scale))
    assert [*biases[0, 1]][1:] == [0, 0, 0]
    assert [*scales[0, 1]][1:] == [encode_word(1.0)] * 3


def test_a_scale_word_is_significand_and_shift():
    assert encode_word(1.0) == 1 << 23 | 23 << 24
    assert encode_word(0.75) == 3 << 22 | 24 << 24
    with pytest.raises(ValueError, match=r"^scale must be a positive float32, not 0\.1$"):
        encode_word(0.1)

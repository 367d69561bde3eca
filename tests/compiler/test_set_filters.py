"""The stream of a row-stationary array, word by word."""

from itertools import islice
from random import Random

import numpy as np
import pytest

from stillflow.compiler.filters import filter_stream
from stillflow.compiler.mapper import candidates
from stillflow.compiler.words import encode_word
from stillflow.compiler.work import plan_layer
from stillflow.hw.layer import ConvShape
from stillflow.hw.tensor import blocked
from tests.networks import ODD_RS, TINY_RS


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("config", [TINY_RS, ODD_RS], ids=lambda config: config.name)
def test_every_row_gets_its_weights_in_the_order_of_their_use(config, seed):
    random = Random(seed)
    G = random.choice([1, 2])
    shape = ConvShape(
        G=G, C=G * random.randint(1, 9), M=G * random.randint(1, 9), H=7, W=6,
        R=random.randint(1, 4), S=random.randint(1, 4),
    )  # fmt: skip
    layout = blocked(1, shape.C, 7, 6, block=1, element_bytes=config.act_bytes, groups=G)
    nests = list(islice(candidates(plan_layer(shape, layout, config), config), 400))
    m = random.choice(nests)
    rng = np.random.default_rng(seed)
    C, M, top = shape.C // G, shape.M // G, 1 << (config.weight_bits - 1)
    filters = rng.integers(-top, top, (G, M, C, shape.R, shape.S))
    bias = rng.integers(-(1 << 20), 1 << 20, (G, M))
    scale = rng.uniform(1e-4, 1e-2, (G, M)).astype(np.float32)
    words = np.frombuffer(filter_stream(m, filters, bias, scale), f"<i{config.weight_bits // 8}")
    lines = iter(words.reshape(-1, config.filter_line_bytes * 8 // config.weight_bits).tolist())

    def gathered(count):
        """Join the slices of the next lines."""
        number = 0
        taken = [word for line in islice(lines, count) for word in line[: config.rows]]
        for place, word in enumerate(taken):
            number |= (word & (2 * top - 1)) << (place * config.weight_bits)
        return number

    s = m.pe_set
    assert s is not None
    for g in range(G):
        for first in range(0, m.blocks, m.mb):
            for group_tile in range(m.c_count):
                for block in range(first, min(first + m.mb, m.blocks)):
                    mine = range(block * s.filters, (block + 1) * s.filters)
                    if group_tile == 0:
                        for f in mine:
                            wanted = int(bias[g, f]) if f < M else 0
                            mask = (1 << config.acc_bits) - 1
                            assert gathered(config.bias_lines) & mask == wanted & mask
                    if group_tile == m.c_count - 1:
                        for f in mine:
                            wanted = float(scale[g, f]) if f < M else 1.0
                            assert gathered(config.scale_lines) & 0xFFFF_FFFF == encode_word(wanted)
                    groups = range(
                        group_tile * m.groups, min((group_tile + 1) * m.groups, m.plane_groups)
                    )
                    for group in groups:
                        planes = min(m.k_planes, C - group * m.k_planes)
                        for r0 in range(0, shape.R, s.filter_rows):
                            for s0 in range(0, shape.S, s.columns):
                                for column in range(s0, s0 + s.columns):
                                    for q in range(s.depth_of(planes)):
                                        for f in mine:
                                            line = next(lines)
                                            for row in range(config.rows):
                                                r, c = divmod(row, s.channels)
                                                c += group * m.k_planes + q * s.channels
                                                held = r < s.filter_rows and c < C and f < M
                                                weight = (
                                                    int(filters[g, f, c, r0 + r, column])
                                                    if held else 0
                                                )  # fmt: skip
                                                assert line[row] == weight
    assert next(lines, None) is None

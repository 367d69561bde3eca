import re
from dataclasses import replace
from math import prod
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.mapper import candidates, choose_mapping
from stillflow.compiler.printer import print_nest
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import ConvShape
from stillflow.hw.mapping import Mapping
from stillflow.hw.presets import TINY
from stillflow.hw.tensor import blocked
from tests.networks import CONFIGS, draw_plan, in_window_tiles

LOOP = re.compile(r"^(DRAM|GLB|PE|) *\| ( *)((?:par-)?for(?: rows| cols)?) (\w) in \[0:(\d+)\)")


def loops_of(text):
    """Level, depth, keyword, letter and count of each loop, outermost first."""
    loops, level = [], ""
    for line in text.splitlines():
        if found := LOOP.match(line.strip()):
            level = found[1] or level
            loops.append((level, len(found[2]) // 2, found[3], found[4], int(found[5])))
    return loops


def mapping_of(shape, **options):
    layout = blocked(
        shape.N, shape.C, shape.H, shape.W, block=TINY.channel_block, element_bytes=TINY.act_bytes
    )
    plan = plan_layer(shape, layout, TINY)
    return (
        Mapping(config=TINY, work=plan.work, **options) if options else choose_mapping(plan, TINY)
    )


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(CONFIGS)), seed=st.integers(0, 2**32 - 1))
def test_loops_multiply_to_the_macs_of_the_padded_nest(name, seed):
    random, config = Random(seed), CONFIGS[name]
    m = random.choice(list(candidates(draw_plan(random, config), config)))
    m = in_window_tiles(random, m)
    w = m.work
    loops = loops_of(print_nest(m))
    counts = {letter: prod(c for *_, x, c in loops if x == letter) for letter in "gmnefcrskp"}
    n, e, f = m.tile_counts
    assert counts["g"] == w.G
    assert counts["m"] == m.m_count * m.mb * m.block_filters >= w.M
    if m.psums_stay:
        assert (counts["n"], counts["e"], counts["f"]) == (n, e, f)
        assert counts["p"] == m.pixel_groups * config.rows >= m.tile_pixels
    elif m.fir:
        assert (counts["n"], counts["f"], counts["p"]) == (n * m.pn, f * m.pf, 1)
        assert counts["e"] >= e * m.pe
    elif m.pe_set:
        assert (counts["n"], counts["f"]) == (n, f * m.pf)
        assert counts["e"] == e * m.strips_of(m.pe) * m.strip_rows >= w.E
    else:
        assert (counts["n"], counts["e"], counts["f"]) == (n * m.pn, e * m.pe, f * m.pf)
    pixels = counts["n"] * counts["e"] * counts["f"] * counts["p"]
    assert pixels >= w.N * w.E * w.F
    if m.pe_set:
        assert (counts["r"], counts["s"]) == (w.R, w.S)
        assert counts["c"] >= w.C
    else:
        assert (counts["c"], counts["r"], counts["s"]) == (m.c_count, m.r_count, m.s_count)
        # Each chunk has at most as many lines as the array has rows.
        assert counts["c"] * counts["k"] >= m.slab_lines[0] * (m.plane_groups - 1)
    depth = 1 if m.fir else w.C
    assert prod(counts.values()) >= w.G * w.N * w.M * depth * w.R * w.S * w.E * w.F


def test_a_layer_that_fits_exactly_has_no_padding():
    shape = ConvShape(C=8, M=8, H=6, W=6, R=3, S=3)
    loops = loops_of(print_nest(mapping_of(shape)))
    assert prod(count for *_, count in loops) == shape.macs


def test_the_nest_reads_as_documented():
    shape = ConvShape(G=2, C=16, M=32, H=10, W=10, R=3, S=3)
    mapping = mapping_of(shape, pn=1, pe=4, pf=8, mb=2, groups=1)
    assert print_nest(mapping).splitlines() == [
        " DRAM | for g in [0:2)  # groups",
        "      |   for e in [0:2)  # tiles of 4 rows",
        "      |     for m in [0:2)  # filter groups",
        "      |       for c in [0:2)  # reduction tiles of 1 plane groups",
        "  GLB |         for m in [0:2)  # blocks of 4 filters",
        "      |           for k in [0:9)  # chunks of up to 4 of c, r, s",
        "      |             for e in [0:4)  # rows",
        "      |               for f in [0:8)  # columns",
        "   PE |                 par-for rows k in [0:4)",
        "      |                   par-for cols m in [0:4)",
        "      # ifmap tile 240 of 4,096 elements, 17 slots; psums 64 of 128 entries",
    ]


def test_a_row_stationary_nest_reads_as_documented():
    config = replace(TINY, dataflow=Dataflow.ROW_STATIONARY)
    shape = ConvShape(C=2, M=6, H=8, W=8, R=3, S=3)
    layout = blocked(1, 2, 8, 8, block=1, element_bytes=1)
    mapping = choose_mapping(plan_layer(shape, layout, config), config)
    assert print_nest(mapping).splitlines() == [
        " DRAM | for f in [0:3)  # tiles of 2 columns",
        "  GLB |   for e in [0:2)  # strips of 4 rows",
        "      |     for f in [0:2)  # columns",
        "   PE |       for s in [0:3)  # filter columns",
        "      |         for c in [0:2)  # channels",
        "      |           for m in [0:6)  # filters",
        "      |             par-for rows r in [0:3)  # filter rows",
        "      |               par-for rows c in [0:1)  # channels",
        "      |                 par-for cols e in [0:4)  # ofmap rows",
        (
            "      # ifmap tile 68 of 1,280 elements, 18 slots; psums 24 of 316 entries; "
            "filters stay on chip for all pixel tiles"
        ),
    ]


@pytest.mark.parametrize(
    ("options", "first"),
    [({"m_outer": True, "filter_resident": True}, "m"), ({"filter_resident": False}, "e")],
)
def test_the_order_of_the_loops_is_the_mappings(options, first):
    shape = ConvShape(C=8, M=32, H=10, W=10, R=3, S=3)
    blocks = {"mb": 4} if options.get("m_outer") else {"mb": 8}
    mapping = mapping_of(shape, pn=1, pe=4, pf=8, groups=2, **blocks, **options)
    text = print_nest(mapping)
    assert next(letter for _, _, _, letter, _ in loops_of(text)) == first
    stays = "filters stay on chip for all pixel tiles" in text
    assert stays is mapping.filter_resident


def test_depth_grows_by_one_and_loops_of_one_are_left_out():
    loops = loops_of(print_nest(mapping_of(ConvShape(C=1, M=1))))
    assert [depth for _, depth, *_ in loops] == [0, 1]
    assert [(level, count) for level, *_, count in loops] == [("PE", 4), ("PE", 4)]

from dataclasses import replace
from itertools import islice, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.estimate import cost, estimate_cycles
from stillflow.compiler.lower import lower, pack
from stillflow.compiler.mapper import (
    TOLERANCE,
    MappingError,
    candidates,
    choose_mapping,
)
from stillflow.compiler.objective import Objective
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EDGE8, EDGE32, EYERISS, TINY
from stillflow.hw.tensor import packed
from tests.compiler.test_lower import place_of
from tests.networks import CONFIGS, ODD_RS, TINY_RS, draw_plan

seeds = st.integers(0, 2**32 - 1).map(Random)
names = st.sampled_from(sorted(CONFIGS))


def plan_of(shape, config):
    return plan_layer(shape, place_of(shape, config).ifmap_layout, config)


def w_of_tile(mapping):
    """Ofmap columns of a depthwise tile: all of them."""
    assert mapping.pf == mapping.work.F
    return mapping.pf


@settings(max_examples=40)
@given(name=names, random=seeds)
def test_every_candidate_fits_and_covers_the_layer(name, random):
    config = CONFIGS[name]
    plan = draw_plan(random, config)
    work = plan.work
    found = list(islice(candidates(plan, config), 500))
    assert found
    for m in found:
        assert m.work == work
        assert m.slots >= 1
        assert m.slots * m.slot_size <= config.ifmap_elements
        if m.pe_set:
            vectors = -(-m.pe // config.m_block) * m.pf * m.pe_set.filters
            assert vectors * (m.mb if m.tiled else 1) <= config.psum_depth
        elif m.tiled or not (m.psums_stay or m.fir):
            assert m.pn * m.pe * m.pf * (m.mb if m.tiled else 1) <= config.psum_depth
        if m.fir:
            assert m.fir.strip * w_of_tile(m) + config.store_pixels <= config.psum_depth + 1
            assert m.fir.chain == config.rows
        if m.psums_stay and m.pixel_groups > 1:
            assert m.visit_lines <= config.filter_lines
        assert not m.filter_resident or m.resident_lines <= config.filter_lines
        # A tiled reduction keeps psums of a group's filters: these cannot be outermost.
        assert not (m.m_outer and m.tiled)
        assert m.windows == 1 or m.pe_set
        for total, tile, count, last in zip(
            (work.N, work.E, work.F), (m.pn, m.pe, m.pf), m.tile_counts, m.last_pixels, strict=True
        ):
            assert (count - 1) * tile + last == total
            assert 1 <= last <= tile


@settings(max_examples=40)
@given(name=names, random=seeds)
def test_the_choice_is_a_candidate_and_always_the_same(name, random):
    config = CONFIGS[name]
    plan = draw_plan(random, config)
    by_cycles = choose_mapping(plan, config)
    dram, energy = Objective(minimise="dram"), Objective(minimise="energy")
    by_dram = choose_mapping(plan, config, objective=dram)
    by_energy = choose_mapping(plan, config, objective=energy)
    every = list(candidates(plan, config))
    assert by_cycles in every
    assert by_dram in every
    assert by_energy in every
    choose_mapping.cache_clear()
    assert by_cycles == choose_mapping(plan, config)
    assert by_dram == choose_mapping(plan, config, objective=dram)
    # Each is the best in its own respect, cycles up to what counts as equal.
    assert cost(by_dram, dram) == min(cost(m, dram) for m in every)
    assert cost(by_energy, energy) == min(cost(m, energy) for m in every)
    fewest = min(estimate_cycles(m) for m in every)
    assert estimate_cycles(by_cycles) <= fewest + fewest // TOLERANCE


WIDE_RS = replace(EDGE32, name="wide_rs", dataflow=Dataflow.ROW_STATIONARY)
HARD = [
    ConvShape(C=4, M=4, H=3000, W=3, R=2, S=2, stride=(1400, 1)),  # rows that no pixel uses
    ConvShape(C=1, M=1),
    ConvShape(C=3, M=96, H=227, W=227, R=11, S=11, stride=(4, 4)),
    ConvShape(C=1, M=1, H=32, W=32, R=32, S=32),  # fills tiny's ifmap buffer
    ConvShape(C=1, M=3, H=40, W=3, R=31, S=1, pad=(15, 0, 15, 0)),
    ConvShape(C=5, M=5, H=20, W=20, R=2, S=2, stride=(7, 9)),  # stride over the filter
    ConvShape(G=1024, C=1024, M=1024, H=7, W=7, R=3, S=3, pad=(1, 1, 1, 1)),
    ConvShape(G=7, C=7, M=7, H=5, W=5, R=3, S=3),
    ConvShape(C=2048, M=1001, N=3),
    ConvShape(C=512, M=4096, H=7, W=7, R=7, S=7),
    ConvShape(C=8, M=8, H=30, W=30, R=3, S=3, dilation=(9, 9)),
    ConvShape(C=64, M=64, H=1, W=3000, R=1, S=3),
    ConvShape(C=4, M=4, H=300, W=2, R=3, S=2, N=9),
    PoolShape(C=192, H=28, W=28, R=3, S=3, pad=(1, 1, 1, 1)),
    PoolShape(C=1, H=32, W=32, R=32, S=32),
    ConvShape(C=3, M=40, H=224, W=224, R=160, S=160),
    ConvShape(C=2, M=2, H=1, W=60_000, R=1, S=59_999),
    ConvShape(C=300, M=7, H=60_000, W=1, R=60_000, S=1),
    PoolShape(C=70, H=997, W=991, R=997, S=991),
]


@pytest.mark.parametrize(
    "config",
    [TINY, EDGE8, EDGE32, EYERISS, TINY_RS, ODD_RS, WIDE_RS],
    ids=lambda config: config.name,
)
@pytest.mark.parametrize("shape", HARD, ids=repr)
def test_hard_shapes_have_a_nest_whose_descriptor_packs(shape, config):
    plan = plan_of(shape, config)
    mapping = choose_mapping(plan, config)
    pack(lower(mapping, plan, place_of(shape, config)))


def fitting(shape, config, slots):
    """Divisors of the window with which a pixel's window tile fits the buffer so many times."""
    work = plan_of(shape, config).work
    found = []
    for r_count, s_count in product(range(1, work.R + 1), range(1, work.S + 1)):
        if work.R % r_count == 0 and work.S % s_count == 0:
            pixels = work.R // r_count * work.S // s_count
            if slots * pixels * config.channel_block <= config.ifmap_elements:
                found.append((r_count, s_count))
    return found


@pytest.mark.parametrize(("R", "S"), [(33, 32), (31, 64), (64, 31), (37, 41), (36, 100)])
def test_a_window_larger_than_the_buffer_comes_in_the_fewest_tiles_that_fit(R, S):
    shape = ConvShape(C=1, M=1, H=R, W=S, R=R, S=S)
    tiles = {(m.r_count, m.s_count) for m in candidates(plan_of(shape, TINY), TINY)}
    least = {
        min(fitting(shape, TINY, slots), key=lambda tile: (tile[0] * tile[1], tile[1]))
        for slots in (1, 2)
    }
    assert tiles == least
    assert (1, 1) not in tiles


def test_a_window_of_more_columns_than_a_loop_counts_comes_in_tiles():
    config = replace(EDGE32, glb_kib=1024)
    shape = ConvShape(C=5, M=1, H=1, W=14_000, R=1, S=14_000)
    layout = packed(1, 5, 1, 14_000, beat=config.axi_bytes, element_bytes=1)
    mapping = choose_mapping(plan_layer(shape, layout, config), config)
    assert mapping.s_count > 1
    assert mapping.k_elements < 1 << 16


def test_a_packed_pixel_larger_than_the_buffer_is_refused():
    shape = ConvShape(C=4097, M=1)
    layout = packed(1, 4097, 1, 1, beat=TINY.axi_bytes, element_bytes=1)
    message = r"^a packed pixel of 4097 elements must fit the ifmap buffer of 4096 elements$"
    with pytest.raises(MappingError, match=message):
        choose_mapping(plan_layer(shape, layout, TINY), TINY)

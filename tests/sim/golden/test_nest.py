"""The nest, walked literally, computes what the golden model computes without one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.sim.golden.events import Fill, FilterLine
from tests.hw.sequencer.nests import CONFIGS, NO_LOCAL_REUSE, NO_SHRINK, OUTPUT_STATIONARY, nests
from tests.hw.sequencer.values import draw_values, gather, join, scatter


def execute(nest, values):
    """Carry out every event of the nest; return the complete psums by DRAM byte address."""
    mapping, config = nest.mapping, nest.mapping.config
    stream = values.lines()[:, : config.m_block]
    on_chip = np.zeros(config.ifmap_elements, np.int64)
    resident, loads = set(), 0
    # Where psums stay, those of a whole reduction have no place in the psum buffer.
    entries = max(config.psum_depth, mapping.tile_pixels * mapping.psums_stay)
    psums = np.zeros((entries, config.m_block), np.int64)
    biases = np.zeros(config.m_block, np.int64)
    ofmap = {}
    for event in nest.walk():
        if isinstance(event, Fill):
            on_chip[event.element] = values.word_at(event.address)
        elif isinstance(event, FilterLine):
            resident.add(event.index)
            loads += 1
        else:
            assert resident.issuperset((*event.weights, *event.bias, *event.scale))
            if event.bias:
                biases = join(stream[list(event.bias)], config.weight_bits, config.acc_bits)
            lanes, weights = np.array(event.elements), stream[list(event.weights)]
            for pixel in event.pixels:
                sums = on_chip[lanes + pixel.offset] @ weights.astype(np.int64)
                if event.first:
                    psums[pixel.psum] = biases + sums
                elif nest.mapping.work.maximum:
                    psums[pixel.psum] = np.maximum(psums[pixel.psum], sums)
                else:
                    psums[pixel.psum] += sums
                if event.final:
                    scatter(nest, event, pixel, psums[pixel.psum], ofmap)
    assert not mapping.filter_resident or loads == mapping.filter_lines
    return ofmap


@settings(max_examples=120, phases=NO_SHRINK)
@given(
    drawn=nests(configs=CONFIGS + OUTPUT_STATIONARY + NO_LOCAL_REUSE),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_literal_walk_of_any_nest_gives_the_golden_psums(drawn, seed):
    shape, nest = drawn
    values = draw_values(shape, nest, np.random.default_rng(seed))
    ofmap = execute(nest, values)
    np.testing.assert_array_equal(gather(ofmap, nest.place), values.psums)


@settings(max_examples=80, phases=NO_SHRINK)
@given(drawn=nests())
def test_no_two_lanes_of_a_vector_meet_in_a_bank(drawn):
    _, nest = drawn
    banks = nest.mapping.config.ifmap_banks
    for step in nest.walk():
        if isinstance(step, Fill | FilterLine):
            continue
        ahead = [element - step.elements[0] - lane for lane, element in enumerate(step.elements)]
        assert all(distance % banks == 0 for distance in ahead)


@settings(max_examples=80, phases=NO_SHRINK)
@given(drawn=nests(configs=CONFIGS + OUTPUT_STATIONARY + NO_LOCAL_REUSE))
def test_counts_of_the_mapping_are_those_of_the_walk(drawn):
    _, nest = drawn
    mapping = nest.mapping
    config, work = mapping.config, mapping.work
    events = list(nest.walk())
    fills = [event for event in events if isinstance(event, Fill)]
    steps = [event for event in events if not isinstance(event, Fill | FilterLine)]
    assert {fill.tile for fill in fills} == set(range(mapping.tiles))
    assert max(fill.element for fill in fills) < mapping.slots * mapping.slot_size
    assert mapping.slots * mapping.slot_size <= config.ifmap_elements
    if not mapping.psums_stay:
        assert max(p.psum for step in steps for p in step.pixels) < mapping.psum_entries
    assert mapping.psum_entries <= config.psum_depth
    macs = sum(len(step.pixels) * len(step.elements) for step in steps)
    reduction = work.C * work.R * work.S if work.packed else mapping.windows * sum(
        mapping.chunk_lengths(mapping.k_planes) * (mapping.plane_groups - 1)
        + mapping.chunk_lengths(mapping.k_planes_last)
    )  # fmt: skip
    assert macs == work.G * mapping.blocks * work.N * work.E * work.F * reduction

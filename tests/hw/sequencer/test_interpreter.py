"""The nest, walked literally, computes what the golden model computes without one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.filters import filter_stream
from stillflow.compiler.tensors import store_tensor
from stillflow.hw.layer import PoolShape
from stillflow.sim.golden.conv import conv
from stillflow.sim.golden.pool import max_pool
from tests.hw.sequencer.interpreter import Fill, FilterLine
from tests.hw.sequencer.nests import nests

PAD = 3


def execute(nest, ifmap, filters, bias, scale):
    """Carry out every event of the nest; return the complete psums by DRAM byte address.

    Parameters
    ----------
    ifmap : intx[N, C, H, W]
    filters, bias, scale
        Of the work's groups, as `filter_stream` takes them.
    """
    mapping, place = nest.mapping, nest.place
    config = mapping.config
    dram = np.frombuffer(store_tensor(ifmap, place.ifmap_layout), ifmap.dtype)
    stream = np.frombuffer(
        filter_stream(mapping, filters, bias, scale), f"<i{config.weight_bits // 8}"
    ).reshape(mapping.filter_lines, -1)[:, : config.m_block]
    on_chip = np.zeros(config.ifmap_elements, np.int64)
    resident, loads = set(), 0
    psums = np.zeros((config.psum_depth, config.m_block), np.int64)
    biases = np.zeros(config.m_block, np.int64)
    ofmap = {}
    for event in nest.walk():
        if isinstance(event, Fill):
            word = PAD
            if event.address is not None:
                word = dram[(event.address - place.ifmap) // config.act_bytes]
            on_chip[event.element] = word
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
                    store(nest, event, pixel, psums[pixel.psum], ofmap)
    assert not mapping.filter_resident or loads == mapping.filter_lines
    return ofmap


def join(slices, slice_bits, bits):
    """Words of slices, lowest first: [slices, columns] to [columns]."""
    words = np.zeros(slices.shape[1], object)
    for number, part in enumerate(slices):
        words |= (part.astype(object) & ((1 << slice_bits) - 1)) << (slice_bits * number)
    words &= (1 << bits) - 1
    return np.where(words >> (bits - 1), words - (1 << bits), words).astype(np.int64)


def store(nest, step, pixel, psums, ofmap):
    config, block = nest.mapping.config, nest.mapping.config.channel_block
    for unit in range(nest.ofmap_units(step.block)):
        address = nest.ofmap_address(step.g, step.block, unit, pixel)
        for channel in range(block):
            place = address + channel * config.act_bytes
            assert place not in ofmap
            ofmap[place] = psums[unit * block + channel]


def gather(ofmap, place):
    """Psums [N, C, H, W] from their DRAM addresses."""
    layout = place.ofmap_layout
    n, c, h, w = np.indices((layout.N, layout.C, layout.H, layout.W))
    addresses = (
        place.ofmap
        + n * layout.image_bytes
        + c // layout.pixel * layout.plane_bytes
        + h * layout.row_bytes
        + (w * layout.pixel + c % layout.pixel) * layout.element_bytes
    )
    assert len(ofmap) == layout.bytes // layout.element_bytes
    return np.vectorize(ofmap.__getitem__, otypes=[np.int64])(addresses)


def spread_groups(shape, work, filters):
    """Filters [G, M, C, R, S] of the work, zeros where its groups join several of the layer's."""
    spread = np.zeros((work.G, work.M, work.C, shape.R, shape.S), filters.dtype)
    for m in range(shape.M):
        first = m // (shape.M // shape.G) * (shape.C // shape.G) % work.C
        spread[m // work.M, m % work.M, first : first + shape.C // shape.G] = filters[m]
    return spread


@settings(max_examples=80)
@given(drawn=nests(), seed=st.integers(0, 2**32 - 1))
def test_a_literal_walk_of_any_nest_gives_the_golden_psums(drawn, seed):
    shape, nest = drawn
    rng = np.random.default_rng(seed)
    work, dtype = nest.mapping.work, f"int{nest.mapping.config.act_bits}"
    ifmap = rng.integers(-128, 128, (shape.N, shape.C, shape.H, shape.W)).astype(dtype)
    scale = np.ones((work.G, work.M), np.float32)
    if isinstance(shape, PoolShape):
        filters = np.eye(work.M, dtype=np.int8)[None, :, :, None, None]
        filters = np.broadcast_to(filters, (1, work.M, work.C, work.R, work.S))
        bias = np.zeros((1, work.M), np.int64)
        padded = np.pad(ifmap, [(0, 0), (0, 0), shape.pad[::2], shape.pad[1::2]],
                        constant_values=PAD)  # fmt: skip
        unpadded = PoolShape(C=shape.C, N=shape.N, H=padded.shape[2], W=padded.shape[3],
                             R=shape.R, S=shape.S, stride=shape.stride)  # fmt: skip
        wanted = max_pool(padded, unpadded)
    else:
        filters = rng.integers(-128, 128, (shape.M, shape.C // shape.G, shape.R, shape.S))
        bias = rng.integers(-(1 << 24), 1 << 24, shape.M)
        wanted = conv(ifmap, filters, bias, shape, PAD)
        filters = spread_groups(shape, work, filters)
        bias = bias.reshape(work.G, work.M) - PAD * filters.sum(axis=(2, 3, 4))
    psums = gather(execute(nest, ifmap, filters, bias, scale), nest.place)
    np.testing.assert_array_equal(psums, wanted)


@settings(max_examples=80)
@given(drawn=nests())
def test_no_two_lanes_of_a_vector_meet_in_a_bank(drawn):
    _, nest = drawn
    banks = nest.mapping.config.ifmap_banks
    for step in nest.walk():
        if isinstance(step, Fill | FilterLine):
            continue
        ahead = [element - step.elements[0] - lane for lane, element in enumerate(step.elements)]
        assert all(distance % banks == 0 for distance in ahead)


@settings(max_examples=80)
@given(drawn=nests())
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
    assert max(p.psum for step in steps for p in step.pixels) < mapping.psum_entries
    assert mapping.psum_entries <= config.psum_depth
    macs = sum(len(step.pixels) * len(step.elements) for step in steps)
    reduction = work.C * work.R * work.S if work.packed else sum(
        mapping.chunk_lengths(mapping.k_planes) * (mapping.plane_groups - 1)
        + mapping.chunk_lengths(mapping.k_planes_last)
    )  # fmt: skip
    assert macs == work.G * mapping.blocks * work.N * work.E * work.F * reduction

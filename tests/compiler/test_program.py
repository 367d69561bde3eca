from random import Random
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.graph import ConvLayer, Network, PoolLayer, Port, Tensor
from stillflow.compiler.lower import pack, unpack
from stillflow.compiler.program import (
    ALIGNMENT,
    CompileError,
    compile_network,
    map_network,
)
from stillflow.hw.csr import RECORD_BYTES
from stillflow.hw.descriptor import BYTES, Op
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EDGE8, TINY
from tests.networks import CONFIGS, draw_network, network_of

seeds = st.integers(0, 2**32 - 1).map(Random)


def tensor(name, shape, dtype: Literal["int8", "uint8"] = "int8", zero_point=0):
    return Tensor(name=name, shape=shape, dtype=dtype, scale=1.0, zero_point=zero_point)


def conv_network(shape, *, inputs=True, source=None, target=None, **values):
    """Make a network of one convolution with filters of ones."""
    source = source or tensor("x", (shape.N, shape.C, shape.H, shape.W))
    target = target or tensor("y", (shape.N, shape.M, shape.E, shape.F))
    weights = np.ones((shape.M, shape.C // shape.G, shape.R, shape.S), np.int8)
    parameters = {"bias": np.zeros(shape.M, np.int64), "scale": np.ones(shape.M, np.float32)}
    parameters |= {"act_min": -128, "act_max": 127}
    layer = ConvLayer(
        name="conv", op="conv", shape=shape, ifmap="x", ofmap="y", filters=weights,
        **parameters | values,
    )  # fmt: skip
    return network_of([source, target], [layer], inputs=inputs)


def regions(program):
    """Everything that lies in DRAM: name, first byte, size."""
    found = [("records", program.record_address, RECORD_BYTES * (len(program.layers) + 1))]
    found += [(n, program.addresses[n], program.layouts[n].bytes) for n in program.layouts]
    return found + [(f"segment {a}", a, len(data)) for a, data in program.segments.items()]


def assert_nothing_overlaps(program):
    end = 0
    for place, address, size in sorted(regions(program), key=lambda region: region[1]):
        assert address % ALIGNMENT == 0, place
        assert address >= end, place
        assert size > 0, place
        end = address + size
    assert end <= program.size
    assert program.size % ALIGNMENT == 0


@settings(max_examples=30)
@given(name=st.sampled_from(sorted(CONFIGS)), random=seeds)
def test_nothing_overlaps_and_everything_begins_on_a_page(name, random):
    network = draw_network(random, CONFIGS[name], layers=random.randint(1, 4))
    assert_nothing_overlaps(compile_network(network, CONFIGS[name]))


def test_descriptors_and_records_of_many_layers_have_room():
    # 33 records are more than a page, and so are 32 descriptors.
    program = compile_network(draw_network(Random(2), TINY, layers=32), TINY)
    assert RECORD_BYTES * 32 == ALIGNMENT < BYTES * 32
    assert_nothing_overlaps(program)


@settings(max_examples=30)
@given(name=st.sampled_from(sorted(CONFIGS)), random=seeds)
def test_descriptors_and_streams_are_the_segments(name, random):
    network = draw_network(random, CONFIGS[name], layers=random.randint(1, 4))
    names = []
    program = compile_network(network, CONFIGS[name], progress=names.append)
    assert names == [layer.name for layer in network.layers]
    assert [compiled.layer for compiled in program.layers] == list(network.layers)
    tables = [layer for layer in network.layers if layer.table is not None]
    assert len(program.segments) == 1 + len(network.layers) + len(tables)
    descriptors = program.segments[program.program_address]
    assert len(descriptors) == BYTES * len(network.layers)
    for index, compiled in enumerate(program.layers):
        image = descriptors[BYTES * index : BYTES * (index + 1)]
        assert image == pack(compiled.descriptor)
        mapping, fields = compiled.mapping, unpack(image)
        stream = program.segments[fields["filter_address"]]
        assert len(stream) == mapping.filter_lines * CONFIGS[name].filter_line_bytes
        assert fields["ofmap_address"] == program.addresses[compiled.layer.ofmap]
        assert fields["table"] == (compiled.layer.table is not None)
        if compiled.layer.table is not None:
            assert len(program.segments[fields["table_address"]]) == 256
        if compiled.layer.joined is not None:
            assert fields["residual_address"] == program.addresses[compiled.layer.joined.residual]


def test_the_image_does_not_change_from_run_to_run():
    images = [
        compile_network(draw_network(Random(7), TINY, layers=3), TINY).segments for _ in range(2)
    ]
    assert images[0] == images[1]


def test_unsigned_words_move_down_with_their_bounds_and_zero_points():
    shape = ConvShape(C=4, M=4, H=4, W=4, R=3, S=3, pad=(1, 1, 1, 1))
    network = conv_network(
        shape, act_min=3, act_max=250,
        source=tensor("x", (1, 4, 4, 4), "uint8", 130),
        target=tensor("y", (1, 4, 4, 4), "uint8", 7),
    )  # fmt: skip
    fields = compile_network(network, TINY).layers[0].descriptor
    words = [fields[name] for name in ("pad_value", "zero_point", "act_min", "act_max")]
    assert words == [2, -121, -125, 122]


def test_max_pooling_pads_with_the_smallest_word_and_keeps_words():
    shape = PoolShape(C=4, H=4, W=4, R=2, S=2, pad=(1, 0, 0, 0))
    tensors = [tensor("x", (1, 4, 4, 4), "uint8", 9), tensor("y", (1, 4, 4, 3), "uint8", 9)]
    layer = PoolLayer(name="pool", op="maxpool", shape=shape, ifmap="x", ofmap="y")
    fields = compile_network(network_of(tensors, [layer]), TINY).layers[0].descriptor
    words = [fields[name] for name in ("op", "pad_value", "zero_point", "act_min", "act_max")]
    assert words == [Op.MAXIMUM, -128, 0, -128, 127]


# -- errors --------------------------------------------------------------------------------------


def test_sums_that_may_overflow_are_refused():
    # 2^17 products of 2^14 need 32 bits and a sign.
    shape = ConvShape(C=1 << 17, M=1)
    with pytest.raises(
        CompileError,
        match=r"^conv: psums of 131072 products need 33 bits; acc_bits is 32$",
    ):
        compile_network(conv_network(shape), TINY)


def test_sums_that_just_fit_are_taken():
    compile_network(conv_network(ConvShape(C=(1 << 17) - 1, M=1)), TINY)


def test_a_bias_counts_as_a_part_of_the_sum():
    bias = np.array([1 << 31])
    with pytest.raises(
        CompileError, match=r"^conv: psums of 1 products need 33 bits; acc_bits is 32$"
    ):
        compile_network(conv_network(ConvShape(C=1, M=1), bias=bias), TINY)


def test_the_zeros_between_merged_groups_are_no_products():
    # 5 groups in one: 5 * 2^15 products would overflow, but all but 2^15 are with zero.
    shape = ConvShape(G=5, C=5 << 7, M=5, H=16, W=16, R=16, S=16)
    compile_network(conv_network(shape), TINY)


def test_a_loop_beyond_the_counters_is_named():
    network = conv_network(ConvShape(G=70_000, C=280_000, M=280_000))
    with pytest.raises(CompileError, match=r"^conv: g_count must be in 0\.\.65535, not 70000$"):
        compile_network(network, TINY)


def test_a_scale_that_no_lane_holds_is_named():
    network = conv_network(ConvShape(C=1, M=1), scale=np.array([2.0**30], np.float32))
    with pytest.raises(
        CompileError, match=r"^conv: scale must be in 2\^-232\.\.2\^24, not 1073741824\.0$"
    ):
        compile_network(network, TINY)


def test_more_than_the_address_space_is_refused():
    big = tensor("big", (1, 1 << 16, 1 << 8, 1 << 8))
    network = conv_network(ConvShape(C=1, M=1))
    network = Network(
        name="large", outputs=network.outputs,
        inputs=(*network.inputs, Port(name="big", shape=big.shape, dtype="int8", tensor="big")),
        tensors=network.tensors | {"big": big}, layers=network.layers,
    )  # fmt: skip
    with pytest.raises(CompileError, match=r"^large: \d+ bytes exceed 32 address bits$"):
        compile_network(network, TINY)


def test_nests_without_a_program_are_those_of_the_program():
    network = draw_network(Random(21), EDGE8, layers=4)
    program = compile_network(network, EDGE8)
    nests = [mapping for _, mapping in map_network(network, EDGE8)]
    assert nests == [compiled.mapping for compiled in program.layers]

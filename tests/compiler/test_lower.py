import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.lower import lower, pack, unpack
from stillflow.compiler.mapper import choose_mapping
from stillflow.compiler.placement import Placement
from stillflow.compiler.program import compile_network
from stillflow.compiler.work import plan_layer
from stillflow.hw.descriptor import BYTES, FIELDS, MAGIC, WORDS, Op
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.mapping import Mapping
from stillflow.hw.presets import TINY
from stillflow.hw.tensor import blocked
from tests.networks import CONFIGS, draw_network

ZEROS = {field.name: 0 for field in FIELDS if field.name != "checksum"}


def place_of(shape, config, **addresses):
    """Place a layer by itself."""
    sizes = {"block": config.channel_block, "element_bytes": config.act_bytes}
    pool = isinstance(shape, PoolShape)
    filters = shape.C if pool else shape.M
    places: dict[str, Any] = {"ifmap": 4096, "filters": 8192, "ofmap": 12288} | addresses
    return Placement(
        **places,
        ifmap_layout=blocked(shape.N, shape.C, shape.H, shape.W, **sizes),
        ofmap_layout=blocked(shape.N, filters, shape.E, shape.F, **sizes),
        op=Op.MAXIMUM if pool else Op.ACCUMULATE,
        pad_value=-3, zero_point=5, act_min=-7, act_max=100,
    )  # fmt: skip


def words_of(image):
    return struct.unpack(f"<{WORDS}I", image)


@settings(max_examples=60)
@given(name=st.sampled_from(sorted(CONFIGS)), seed=st.integers(0, 2**32 - 1))
def test_descriptors_survive_packing(name, seed):
    network = draw_network(Random(seed), CONFIGS[name])
    (layer,) = compile_network(network, CONFIGS[name]).layers
    fields = layer.descriptor
    assert fields.keys() == ZEROS.keys()
    image = pack(fields)
    assert len(image) == BYTES
    assert sum(words_of(image)) % 2**32 == 0
    found = unpack(image)
    del found["checksum"]
    wide = {field.name for field in FIELDS if field.bits == 32}
    assert found == {k: v % 2**32 if k in wide else v for k, v in fields.items()}


@pytest.mark.parametrize("field", [f for f in FIELDS if f.name != "checksum"], ids=lambda f: f.name)
def test_each_field_reaches_its_bounds_and_not_further(field):
    low = -(1 << (field.bits - 1)) if field.signed else 0
    high = low + (1 << field.bits) - 1
    for value in (low, high):
        found = unpack(pack(ZEROS | {field.name: value}))
        assert {k: v for k, v in found.items() if v and k != "checksum"} == (
            {field.name: value} if value else {}
        )
    for value in (low - 1, high + 1):
        if field.bits == 32:  # addresses and strides count modulo 2^32
            found = unpack(pack(ZEROS | {field.name: value}))
            assert found[field.name] == value % 2**32
            continue
        message = rf"^{field.name} must be in {low}\.\.{high}, not {value}$"
        with pytest.raises(ValueError, match=message):
            pack(ZEROS | {field.name: value})


def lowered(shape, config=TINY, **addresses):
    place = place_of(shape, config, **addresses)
    plan = plan_layer(shape, place.ifmap_layout, config)
    return lower(choose_mapping(plan, config), plan, place)


def test_words_and_addresses_are_those_of_the_placement():
    shape = ConvShape(C=8, M=4, H=5, W=6, R=3, S=3, pad=(2, 1, 0, 0))
    fields = lowered(shape, ifmap=1 << 20, filters=2 << 20, ofmap=3 << 20)
    assert (fields["magic"], fields["op"]) == (MAGIC, Op.ACCUMULATE)
    words = [fields[name] for name in ("pad_value", "zero_point", "act_min", "act_max")]
    assert words == [-3, 5, -7, 100]
    # The first element is padding: two rows of six blocks of four and one block ahead.
    assert fields["ifmap_address"] == (1 << 20) - (2 * 6 + 1) * 4
    assert (fields["h_origin"], fields["w_origin"]) == (-2, -4)
    assert (fields["filter_address"], fields["ofmap_address"]) == (2 << 20, 3 << 20)


def test_a_padded_ifmap_at_the_first_address_wraps_and_is_packed():
    fields = lowered(ConvShape(C=4, M=4, H=4, W=4, R=3, S=3, pad=(1, 1, 1, 1)), ifmap=0)
    assert fields["ifmap_address"] == -20
    assert unpack(pack(fields))["ifmap_address"] == 2**32 - 20


def test_skipped_rows_are_a_stride_of_the_ifmap():
    fields = lowered(ConvShape(C=4, M=4, H=9, W=5, stride=(2, 2)))
    assert fields["ifmap_stride_h"] == 2 * 5 * 4
    assert fields["h_size"] == 5


def test_window_tiles_move_by_their_rows_and_columns():
    shape = ConvShape(C=4, M=4, H=90, W=90, R=40, S=30, dilation=(2, 3), pad=(3, 2, 0, 0))
    place = place_of(shape, TINY)
    plan = plan_layer(shape, place.ifmap_layout, TINY)
    mapping = Mapping(
        config=TINY, work=plan.work, pn=1, pe=1, pf=1, mb=1, groups=1, r_count=10, s_count=6
    )
    fields = lower(mapping, plan, place)
    assert (fields["r_count"], fields["s_count"]) == (10, 6)
    assert (fields["k_r"], fields["k_s"]) == (4, 5)
    assert (fields["h_step_rt"], fields["w_step_st"]) == (4 * 2, 5 * 3 * 4)
    assert fields["ifmap_stride_rt"] == 4 * 2 * 90 * 4
    assert fields["ifmap_stride_st"] == 5 * 3 * 4
    assert fields["psum_stride"] == 1


def test_pooling_takes_the_larger_value_of_planes_as_images():
    shape = PoolShape(N=2, C=10, H=6, W=6, R=2, S=2, stride=(2, 2))
    fields = lowered(shape)
    assert fields["op"] == Op.MAXIMUM
    assert fields["ifmap_stride_n"] == 6 * 6 * 4
    assert fields["ofmap_stride_n"] == 3 * 3 * 4
    images = (fields["n_count"] - 1) * fields["pn"] + fields["pn_last"]
    assert images == 2 * 3

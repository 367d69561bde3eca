from dataclasses import replace

import pytest

from stillflow.compiler.frontend import load_network
from stillflow.compiler.limits import check_fields
from stillflow.compiler.models import DIGITS, DIGITS_RESIDUAL
from stillflow.compiler.program import CompileError, compile_network
from stillflow.hw.descriptor import FIELDS
from stillflow.hw.presets import EDGE16, EYERISS, TINY


def test_wide_configs_keep_every_bit_but_of_lengths():
    lengths = {f.name for f in FIELDS if f.bits in (24, 24 + f.signed) and f.name[:5] != "pool_"}
    assert {"load_width", "w_origin", "k_stride_r"} <= lengths
    for config in (TINY, EDGE16, EYERISS):
        assert {f.kept_bits(config) - f.signed for f in FIELDS if f.name in lengths} == {
            config.length_bits
        }

    def lost(config):
        return {f.name for f in FIELDS if f.kept_bits(config) != f.bits} - lengths

    runs = {f.name for f in FIELDS if f.name.startswith(("residual_stride_", "residual_run"))}
    pools = {f.name for f in FIELDS if f.name.startswith("pool_")}
    assert not lost(EDGE16)
    for config in (TINY, EYERISS):  # of windows they keep whether there are any
        assert lost(config) == runs | pools - {"pool_r", "pool_s"}
    assert lost(replace(EDGE16, finisher=False)) == runs


def test_narrow_configs_keep_counts_lengths_and_addresses():
    narrow = replace(TINY, address_bits=18, count_bits=9)
    kept = {field.name: field.kept_bits(narrow) for field in FIELDS}
    assert (kept["magic"], kept["checksum"]) == (16, 32)
    assert (kept["g_count"], kept["h_size"], kept["h_origin"]) == (9, 9, 10)
    assert (kept["load_width"], kept["w_origin"], kept["stride_n"]) == (13, 14, 14)
    assert kept["ifmap_address"] == kept["ofmap_stride_g"] == 18
    assert kept["zero_point"] == kept["pad_value"] == 16
    assert kept["set_depth"] == 8


@pytest.mark.parametrize(
    ("model", "keys", "message"),
    [
        (DIGITS, {"address_bits": 16}, "bytes exceed 16 address bits"),
        (DIGITS, {"count_bits": 8, "glb_kib": 4}, None),
        (DIGITS_RESIDUAL, {"finisher": False}, "finisher must be true for a layer that joins"),
    ],
)
def test_what_does_not_fit_is_refused(model, keys, message):
    network = load_network(model)
    config = replace(TINY, **keys)
    if message is None:
        assert compile_network(network, config).size
        return
    with pytest.raises(CompileError, match=message):
        compile_network(network, config)


def test_a_count_that_is_too_large_names_the_key():
    network = load_network(DIGITS)
    narrow = replace(TINY, count_bits=8)
    large = replace(network.layers[0], shape=replace(network.layers[0].shape, H=300, W=300))
    tensors = dict(network.tensors)
    for name, channels, side in ((large.ifmap, 1, 300), (large.ofmap, 6, 296)):
        tensors[name] = replace(tensors[name], shape=(1, channels, side, side))
    made = replace(network, layers=(large,), tensors=tensors, inputs=(), outputs=())
    with pytest.raises(CompileError, match=r"conv1: count_bits must be larger: \w+ is \d+, at mo"):
        compile_network(made, narrow)


def test_a_row_that_is_too_long_is_refused_where_counts_are_widest():
    network = load_network(DIGITS)
    long = replace(network.layers[0], shape=replace(network.layers[0].shape, H=5, W=600_000))
    tensors = dict(network.tensors)
    for name, channels, size in ((long.ifmap, 1, (5, 600_000)), (long.ofmap, 6, (1, 599_996))):
        tensors[name] = replace(tensors[name], shape=(1, channels, *size))
    made = replace(network, layers=(long,), tensors=tensors, inputs=(), outputs=())
    with pytest.raises(CompileError, match=r"conv1: the layer is too large .*: w_size is \d+"):
        compile_network(made, TINY)


def test_a_filter_segment_is_as_long_as_its_parameters_make_it():
    fields = compile_network(load_network(DIGITS), TINY).layers[0].descriptor
    check_fields(fields, TINY)
    parameters = TINY.bias_lines + TINY.scale_lines
    longest = (1 << TINY.length_bits) - 1 - parameters
    check_fields({**fields, "slab_lines": longest}, TINY)
    with pytest.raises(ValueError, match=r"filter segment must be shorter: \d+ beats in \d+ bits"):
        check_fields({**fields, "slab_lines": longest + 1}, TINY)

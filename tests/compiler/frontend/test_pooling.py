"""Pooling against ONNX Runtime, on words and on real values."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network

WINDOWS = [
    {"kernel_shape": [2, 3], "dilations": [2, 2], "strides": [2, 1]},
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [1, 3], "pads": [2, 0, 0, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"},
]


@pytest.mark.parametrize("size", [5, 6, 8])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_pooled_words_match_onnx_runtime(models, compare, dtype, window, size):
    rng = np.random.default_rng(7)
    path = models.save(
        [helper.make_node("MaxPool", ["x"], ["p"], "pool", **window),
         helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"], "dequantise")],
        {"x": (np.dtype(dtype).name, (2, 3, size, 7))},
        {"y": "float32"},
        {"s": np.float32(0.3), "z": dtype(4)},
    )  # fmt: skip
    info = np.iinfo(dtype)
    x = rng.integers(info.min, 1, (2, 3, size, 7), dtype)
    network = compare(path, {"x": x})
    assert [network.tensors[name].zero_point for name in ("x", "p")] == [4, 4]
    assert [network.tensors[name].scale for name in ("x", "p")] == [np.float32(0.3)] * 2


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_between_dequantize_and_quantize_matches_onnx_runtime(models, compare, window):
    same = (0.25, np.uint8(100))
    pool = helper.make_node("MaxPool", ["d"], ["r"], "pool", **window)
    path = models.between([pool], (1, 4, 6, 7), x=same, y=same)
    x = np.random.default_rng(8).normal(0, 9, (1, 4, 6, 7)).astype(np.float32)
    assert [layer.op for layer in compare(path, {"x": x}).layers] == ["maxpool"]


def test_pooling_of_real_values_quantises_the_layer_before_it(models, compare):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["a"], "relu"),
        helper.make_node("MaxPool", ["a"], ["p"], "pool", kernel_shape=[2, 2]),
        helper.make_node("Clip", ["p", "low", "high"], ["r"], "clip"),
    ]
    rng = np.random.default_rng(9)
    words = rng.integers(-64, 64, (4, 2, 3, 3)).astype(np.int8)
    path = models.between(
        nodes,
        (1, 2, 7, 7),
        {"w": (words, 2.0**-6, None, 0)},  # powers of two: exact in ONNX Runtime's float32, too
        {"low": np.float32(1), "high": np.float32(50)},
    )
    network = compare(path, {"x": rng.normal(0, 3, (1, 2, 7, 7)).astype(np.float32)})
    conv, pool = network.layers
    assert (conv.act_min, conv.act_max, conv.fused) == (-1, 97, ("relu", "clip"))
    assert (pool.op, pool.ifmap) == ("maxpool", conv.ofmap)


def pool_error(models, message, *, outputs=("r",), **attributes):
    pool = helper.make_node(
        "MaxPool", ["d"], list(outputs), "pool", kernel_shape=[2, 2], **attributes
    )
    path = models.between([pool], (1, 2, 6, 6), y=(0.25, np.uint8(128)))
    match = rf"^[^\n]*: node 'pool' \(MaxPool\): {message}$"
    with pytest.raises(FrontendError, match=match):
        load_network(path)


def test_indices_are_refused(models):
    pool_error(models, r"output Indices must be left out", outputs=("r", "i"))


def test_padding_as_large_as_the_window_is_refused(models):
    pool_error(models, r"pads must be smaller than the 2x2 window", pads=[0, 2, 0, 0])


@pytest.mark.parametrize(
    ("shape", "kernel", "message"),
    [
        (
            [1, 2, 4, 9],
            [2, 2],
            (
                r"node 'quantise y' \(QuantizeLinear\): ifmap of 'pool' must be \[N, C, H, W\] as "
                r"it was computed \(\[1, 2, 6, 6\]\), not \[1, 2, 4, 9\]"
            ),
        ),
    ],
)
def test_pooling_of_another_shape_is_refused(models, shape, kernel, message):
    nodes = [
        helper.make_node("Reshape", ["d", "shape"], ["f"], "reshape"),
        helper.make_node("MaxPool", ["f"], ["r"], "pool", kernel_shape=kernel),
    ]
    same = (0.25, np.uint8(128))
    path = models.between(nodes, (1, 2, 6, 6), None, {"shape": np.array(shape)}, x=same, y=same)
    with pytest.raises(FrontendError, match=rf"^[^\n]*: {message}$"):
        load_network(path)


def test_another_quantisation_behind_pooling_is_a_table_before_it(models, compare):
    pool = helper.make_node("MaxPool", ["d"], ["r"], "pool", kernel_shape=[2, 2], dilations=[2, 1])
    path = models.between([pool], (1, 2, 6, 6), y=(0.5, np.uint8(128)))
    x = np.random.default_rng(8).normal(0, 12, (1, 2, 6, 6)).astype(np.float32)
    network = compare(path, {"x": x})
    assert [layer.op for layer in network.layers] == ["avgpool", "maxpool"]


AVERAGES = [
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [1, 3]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    {"kernel_shape": [3, 2], "pads": [2, 0, 0, 1], "count_include_pad": 1},
    {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "count_include_pad": 1},
]
#: Scales whose sums float32 holds exactly: ONNX Runtime rounds ties the same way if zero is even.
EXACT = {"x": (0.25, np.uint8(128)), "y": (0.5, np.int8(-4))}


@pytest.mark.parametrize("window", AVERAGES)
def test_means_between_dequantize_and_quantize_are_off_by_one_step_at_most(models, compare, window):
    pool = helper.make_node("AveragePool", ["d"], ["r"], "pool", **window)
    path = models.between([pool], (2, 4, 6, 7), x=(0.3, np.uint8(100)), y=(0.2, np.uint8(90)))
    x = np.random.default_rng(8).normal(0, 12, (2, 4, 6, 7)).astype(np.float32)
    network = compare(path, {"x": x}, rounded=None)
    (layer,) = network.layers
    assert layer.op == "avgpool"
    pixels = layer.shape.R * layer.shape.S
    assert layer.scale == np.float32(0.3) / (np.float32(0.2) * np.float32(pixels))


def test_means_that_float32_holds_are_exact_in_another_type_too(models, compare):
    pool = helper.make_node("AveragePool", ["d"], ["r"], "pool", kernel_shape=[2, 2])
    path = models.between([pool], (2, 4, 6, 7), **EXACT)
    x = np.random.default_rng(8).normal(0, 12, (2, 4, 6, 7)).astype(np.float32)
    compare(path, {"x": x})


GLOBAL = [
    (helper.make_node("GlobalAveragePool", ["d"], ["r"], "pool"), {}),
    (helper.make_node("ReduceMean", ["d"], ["r"], "pool", axes=[-1, 2]), {}),
    (helper.make_node("ReduceMean", ["d"], ["r"], "pool", axes=[2, 3], keepdims=0), {}),
]


@pytest.mark.parametrize(("node", "constants"), GLOBAL)
def test_the_mean_of_a_plane(models, compare, node, constants):
    path = models.between([node], (2, 5, 4, 8), None, constants, **EXACT)
    x = np.random.default_rng(4).normal(0, 12, (2, 5, 4, 8)).astype(np.float32)
    (layer,) = compare(path, {"x": x}).layers
    assert (layer.op, layer.shape.R, layer.shape.S) == ("avgpool", 4, 8)


def test_the_mean_of_a_plane_feeds_a_matrix_product(models, compare):
    nodes = [
        helper.make_node("Conv", ["d", "k"], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"], "quantise c"),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["cd"], "dequantise c"),
        helper.make_node("GlobalAveragePool", ["cd"], ["m"], "pool"),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["mq"], "quantise m"),
        helper.make_node("DequantizeLinear", ["mq", "s", "z"], ["md"], "dequantise m"),
        helper.make_node("Flatten", ["md"], ["f"], "flatten"),
        helper.make_node("MatMul", ["f", "w"], ["r"], "product"),
    ]
    rng = np.random.default_rng(5)
    weights = {
        "k": (rng.integers(-64, 64, (4, 2, 3, 3)).astype(np.int8), 2.0**-6, None, 0),
        "w": (rng.integers(-64, 64, (4, 3)).astype(np.int8), 2.0**-6, None, 0),
    }
    path = models.between(nodes, (1, 2, 6, 6), weights, {"s": np.float32(0.25), "z": np.uint8(64)})
    network = compare(path, {"x": rng.normal(0, 12, (1, 2, 6, 6)).astype(np.float32)})
    assert [layer.op for layer in network.layers] == ["conv", "avgpool", "fc"]


def test_relu_and_clip_join_the_mean_before_them(models, compare):
    nodes = [
        helper.make_node("AveragePool", ["d"], ["p"], "pool", kernel_shape=[2, 2]),
        helper.make_node("Relu", ["p"], ["a"], "relu"),
        helper.make_node("Clip", ["a", "low", "high"], ["r"], "clip"),
    ]
    bounds = {"low": np.float32(1), "high": np.float32(6)}
    path = models.between(nodes, (1, 3, 6, 7), None, bounds, **EXACT)
    x = np.random.default_rng(6).normal(0, 12, (1, 3, 6, 7)).astype(np.float32)
    (layer,) = compare(path, {"x": x}).layers
    assert (layer.act_min, layer.act_max, layer.fused) == (-2, 8, ("relu", "clip"))


@pytest.mark.parametrize("op", ["QLinearAveragePool", "QLinearGlobalAveragePool"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_means_of_words_match_onnx_runtime(models, compare, op, dtype):
    more: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 1]} if "Global" not in op else {}
    node = helper.make_node(
        op, ["x", "xs", "xz", "ys", "yz"], ["p"], "pool", domain="com.microsoft", **more
    )
    last = helper.make_node("DequantizeLinear", ["p", "ys", "yz"], ["y"], "dequantise")
    path = models.save(
        [node, last],
        {"x": (np.dtype(dtype).name, (2, 3, 7, 6))},
        {"y": "float32"},
        {"xs": np.float32(0.5), "xz": dtype(6), "ys": np.float32(0.25), "yz": dtype(8)},
    )
    info = np.iinfo(dtype)
    x = np.random.default_rng(7).integers(info.min, info.max, (2, 3, 7, 6), dtype)
    network = compare(path, {"x": x}, rounded=None if more else 0)
    assert [layer.op for layer in network.layers] == ["avgpool"]


EDGES = [
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "pads": [2, 0, 0, 1]},
    {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [4, 4], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [6, 7], "pads": [3, 3, 2, 3]},
]


@pytest.mark.parametrize("window", EDGES, ids=str)
def test_means_of_fewer_pixels_at_the_edges_have_layers_of_their_own(models, compare, window):
    pool = helper.make_node("AveragePool", ["d"], ["r"], "pool", **window)
    path = models.between([pool], (2, 4, 6, 7), x=(0.3, np.uint8(100)), y=(0.2, np.uint8(90)))
    x = np.random.default_rng(8).normal(0, 12, (2, 4, 6, 7)).astype(np.float32)
    network = compare(path, {"x": x}, rounded=None)
    assert len(network.layers) > 1
    _, _, E, F = network.tensors["v"].shape
    assert sum(layer.shape.E * layer.shape.F for layer in network.layers) == E * F
    parts = [network.tensors[layer.ofmap].part for layer in network.layers]
    assert {part.whole for part in parts} == {"v"}
    assert (parts[0].row, parts[0].column) == (0, 0)


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("ReduceMean", {"axes": [1]}, r"axes must be the plane's, \[2, 3\], not \[1\]"),
        ("ReduceMean", {}, r"axes must be the plane's, \[2, 3\], not \[\]"),
    ],
)
def test_other_means_are_refused(models, op, attributes, message):
    node = helper.make_node(op, ["d"], ["r"], "pool", **attributes)
    path = models.between([node], (1, 2, 6, 6))
    with pytest.raises(FrontendError, match=rf"^[^\n]*: node 'pool' \({op}\): {message}$"):
        load_network(path)

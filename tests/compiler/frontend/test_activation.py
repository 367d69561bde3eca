"""ReLU and Clip as saturation bounds, against ONNX Runtime."""

from math import inf

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.graph import ConvLayer

#: Scales are powers of two, so ONNX Runtime is exact whether or not it fuses the activation.
WEIGHTS = {"w": (np.arange(-36, 36).reshape(4, 2, 3, 3).astype(np.int8), 2.0**-5, None, 0)}
CONV = helper.make_node("Conv", ["d", "w"], ["c"], "conv")


def images():
    return {"x": np.random.default_rng(10).normal(0, 4, (1, 2, 8, 8)).astype(np.float32)}


@pytest.mark.parametrize("zero", [np.int8(-128), np.int8(-5), np.uint8(0), np.uint8(40)])
def test_relu_clips_at_the_zero_point(models, compare, zero):
    relu = helper.make_node("Relu", ["c"], ["r"], "relu")
    path = models.between([CONV, relu], (1, 2, 8, 8), WEIGHTS, y=(0.25, zero))
    (layer,) = compare(path, images()).layers
    assert layer.act_min == zero
    assert layer.act_max == np.iinfo(zero.dtype).max
    assert layer.fused == ("relu",)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.0, 6.0, (40, 64)),
        (-1.1, 3.3, (36, 53)),
        (-1.125, 0.375, (36, 42)),  # halves round to even, then the zero point is added
        (None, 3.0, (0, 52)),
        (-2.0, None, (32, 255)),
        (-inf, inf, (0, 255)),
        (-1e30, 1e38, (0, 255)),
        (5.0, 2.0, (48, 48)),
    ],
)
def test_clip_bounds_are_quantised(models, compare, low, high, words):
    constants = {}
    for name, value in (("low", low), ("high", high)):
        if value is not None:
            constants[name] = np.float32(value)
    inputs = ["c", "low" if low is not None else "", "high" if high is not None else ""]
    clip = helper.make_node("Clip", inputs, ["r"], "clip")
    path = models.between([CONV, clip], (1, 2, 8, 8), WEIGHTS, constants, y=(0.25, np.uint8(40)))
    (layer,) = compare(path, images()).layers
    assert (layer.act_min, layer.act_max) == words


def test_clips_follow_each_other(models, compare):
    nodes = [
        CONV,
        helper.make_node("Relu", ["c"], ["a"], "relu"),
        helper.make_node("Clip", ["a", "low", "high"], ["r"], "clip"),
    ]
    constants = {"low": np.float32(-9), "high": np.float32(-1)}
    path = models.between(nodes, (1, 2, 8, 8), WEIGHTS, constants)
    (layer,) = compare(path, images()).layers
    assert layer.act_min == layer.act_max == -3 - 2
    assert layer.fused == ("relu", "clip")


def test_clip_attributes_of_old_models_are_read(models):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
        helper.make_node("QLinearConv", ["q", "s", "z", "w", "s", "z8", "s", "z"], ["c"], "conv"),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["d"], "dequantise"),
        helper.make_node("Clip", ["d"], ["a"], "clip", min=-2.0, max=3.0),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["y"], "quantise y"),
    ]
    path = models.save(
        nodes,
        {"x": ("float32", (1, 1, 2, 2))},
        {"y": "uint8"},
        {"s": np.float32(0.5), "z": np.uint8(9), "z8": np.int8(0), "w": np.ones((1, 1, 1, 1), "b")},
        opset=10,
    )
    (layer,) = load_network(path).layers
    assert isinstance(layer, ConvLayer)
    assert (layer.act_min, layer.act_max) == (5, 15)
    assert (layer.ofmap, layer.fused) == ("y", ("clip",))


def requantised(models, *, second="y.scale", more=(), outputs=None):
    """Conv, QuantizeLinear, DequantizeLinear, Relu: how symmetric activations are quantised."""
    nodes = [
        CONV,
        helper.make_node("QuantizeLinear", ["c", "y.scale", "y.zero"], ["cq"], "quantise c"),
        helper.make_node("DequantizeLinear", ["cq", "y.scale", "y.zero"], ["cd"], "dequantise c"),
        helper.make_node("Relu", ["cd"], ["r0"], "relu"),
        helper.make_node("QuantizeLinear", ["r0", second, "y.zero"], ["rq"], "quantise r"),
        helper.make_node("DequantizeLinear", ["rq", second, "y.zero"], ["r"], "dequantise r"),
    ]
    return models.between([*nodes, *more], (1, 2, 8, 8), WEIGHTS, {"other": np.float32(0.3)})


def test_relu_on_words_joins_the_convolution(models, compare):
    (layer,) = compare(requantised(models), images()).layers
    assert (layer.act_min, layer.ofmap, layer.fused) == (-3, "rq", ("relu",))


def test_relu_that_changes_the_scale_is_a_table_of_the_convolution(models, compare):
    layer, _ = compare(requantised(models, second="other"), images()).layers
    assert layer.table is not None
    assert layer.fused == ("relu",)


def test_relu_whose_ifmap_has_another_reader_is_a_pass(models, compare):
    other = helper.make_node("MaxPool", ["cd"], ["unused"], "pool", kernel_shape=[2, 2])
    network = compare(requantised(models, more=[other]), images())
    assert [layer.name for layer in network.layers if layer.table is not None] == ["relu"]


def test_relu_of_a_graph_input_is_a_pass(models, compare):
    same = (0.25, np.uint8(128))
    relu = helper.make_node("Relu", ["d"], ["r"], "relu")
    (layer,) = compare(models.between([relu], (1, 2, 8, 8), x=same, y=same), images()).layers
    assert layer.table is not None


def test_relu_before_the_quantised_output_joins_the_convolution(models, compare):
    nodes = [
        helper.make_node("QLinearConv", ["x", "s", "z", "w", "s", "z8", "s", "z"], ["c"], "conv"),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["d"], "dequantise"),
        helper.make_node("Relu", ["d"], ["y"], "relu"),
    ]
    path = models.save(
        nodes,
        {"x": ("uint8", (1, 1, 4, 4))},
        {"y": "float32"},
        {"s": np.float32(0.5), "z": np.uint8(9), "z8": np.int8(0), "w": np.ones((1, 1, 1, 1), "b")},
    )
    x = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    (layer,) = compare(path, {"x": x}).layers
    assert layer.act_min == 9


def test_relu_of_the_float_input_is_refused(models):
    path = models.save(
        [
            helper.make_node("Relu", ["x"], ["a"], "relu"),
            helper.make_node("QuantizeLinear", ["a", "s", "z"], ["y"], "quantise"),
        ],
        {"x": ("float32", (1, 4))},
        {"y": "uint8"},
        {"s": np.float32(0.5), "z": np.uint8(9)},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'quantise' \(QuantizeLinear\): graph input 'x' must be quantised "
        r"before it is clipped$",
    ):
        load_network(path)


def test_relu_of_words_is_refused(models):
    path = models.save(
        [
            helper.make_node("Relu", ["x"], ["a"], "relu"),
            helper.make_node("DequantizeLinear", ["a", "s"], ["y"], "dequantise"),
        ],
        {"x": ("int8", (1, 4))},
        {"y": "float32"},
        {"s": np.float32(0.5)},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'relu' \(Relu\): it must stand between DequantizeLinear and "
        r"QuantizeLinear$",
    ):
        load_network(path)


def test_computed_bounds_are_refused(models):
    nodes = [
        CONV,
        helper.make_node("Clip", ["c", "x"], ["r"], "clip"),
    ]
    with pytest.raises(
        FrontendError, match=r"^[^\n]*: node 'clip' \(Clip\): input 'x' must be constant$"
    ):
        load_network(models.between(nodes, (1, 2, 8, 8), WEIGHTS))


def test_bounds_per_channel_are_refused(models):
    nodes = [CONV, helper.make_node("Clip", ["c", "low"], ["r"], "clip")]
    path = models.between(nodes, (1, 2, 8, 8), WEIGHTS, {"low": np.zeros(4, np.float32)})
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'clip' \(Clip\): bound 'low' must be one number, not 4$",
    ):
        load_network(path)

"""Conv and QLinearConv against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network

PADDINGS = [
    {},
    {"pads": [1, 2, 0, 1]},
    {"auto_pad": "SAME_UPPER"},
    {"auto_pad": "SAME_LOWER"},
    {"auto_pad": "VALID"},
]


def draw_case(seed):
    """Shapes, attributes, filters, scales; 7-bit weights, so no CPU saturates in ONNX Runtime."""
    rng = np.random.default_rng(seed)
    N, G = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    C, M = G * int(rng.integers(1, 4)), G * int(rng.integers(1, 4))
    R, S = (int(size) for size in rng.integers(1, 4, 2))
    attributes = {
        "group": G,
        "strides": [int(step) for step in rng.integers(1, 4, 2)],
        **PADDINGS[seed % len(PADDINGS)],
    }
    if "SAME" not in attributes.get("auto_pad", ""):
        attributes["dilations"] = [int(step) for step in rng.integers(1, 3, 2)]
    words = rng.integers(-64, 64, (M, C // G, R, S)).astype(np.int8)
    zero = None
    if seed % 4 == 3:
        words = (words.astype(np.int16) + 128).astype(np.uint8)
        zero = np.uint8(128)
    scale = rng.uniform(0.001, 0.02, M).astype(np.float32)
    if seed % 3 == 0:
        scale = scale[0]
    elif zero is not None:
        zero = np.full(M, 128, np.uint8)
    bias = rng.integers(-2000, 2000, M).astype(np.int32) if seed % 2 else None
    dtype = np.int8 if seed % 5 < 2 and zero is None else np.uint8  # what ONNX Runtime has
    x = (0.031, dtype(rng.integers(5, 100)))
    y = (0.17, dtype(rng.integers(0, 100)))
    return rng, (N, C, 9, 8), attributes, words, scale, zero, bias, x, y


@pytest.mark.parametrize("seed", range(40))
def test_conv_between_dequantize_and_quantize_matches_onnx_runtime(models, compare, seed):
    rng, shape, attributes, words, scale, zero, bias, x, y = draw_case(seed)
    weights: dict[str, tuple] = {"w": (words, scale, zero, 0)}
    inputs = ["d", "w"]
    if bias is not None:
        weights["b"] = (bias, np.float32(x[0]) * scale, None, 0)
        inputs.append("b")
    conv = helper.make_node("Conv", inputs, ["r"], "conv", **attributes)
    path = models.between([conv], shape, weights, x=x, y=y)
    network = compare(path, {"x": rng.normal(0, 3, shape).astype(np.float32)})
    (layer,) = network.layers
    assert (layer.name, layer.op, layer.shape.G) == ("conv", "conv", attributes["group"])


@pytest.mark.parametrize("seed", range(40))
def test_qlinear_conv_matches_onnx_runtime(models, compare, seed):
    rng, shape, attributes, words, scale, zero, bias, x, y = draw_case(seed)
    zero = np.zeros(np.shape(scale), np.int8) if zero is None else zero
    constants = {
        "xs": np.float32(x[0]), "xz": x[1], "w": words, "ws": scale, "wz": zero,
        "ys": np.float32(y[0]), "yz": y[1],
    }  # fmt: skip
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    if bias is not None:
        constants["b"] = bias
        inputs.append("b")
    path = models.save(
        [helper.make_node("QLinearConv", inputs, ["y"], "conv", **attributes)],
        {"x": (x[1].dtype.name, shape)},
        {"y": y[1].dtype.name},
        constants,
    )
    info = np.iinfo(x[1].dtype)
    network = compare(path, {"x": rng.integers(info.min, info.max, shape, x[1].dtype)})
    assert network.tensors["x"].zero_point == x[1]
    assert network.tensors["x"].scale == np.float32(x[0])
    assert network.inputs[0].dtype == x[1].dtype.name


def conv_error(models, message, shape=(1, 2, 5, 5), inputs=("d", "w"), *more, weights=None,
               constants=None, **attributes):  # fmt: skip
    """Load a model with one Conv and check the error."""
    weights = {"w": (np.ones((4, 2, 3, 3), np.int8), 0.5, None, 0)} | (weights or {})
    conv = helper.make_node("Conv", list(inputs), ["r"], "conv", **attributes)
    path = models.between([*more, conv], shape, weights, constants)
    with pytest.raises(
        FrontendError, match=rf"^[^\n]*model\.onnx: node 'conv' \(Conv\): {message}$"
    ):
        load_network(path)


def test_a_float_ifmap_is_refused(models):
    clip = helper.make_node("Relu", ["x"], ["f"], "relu")
    conv_error(
        models,
        r"input 'f' is float: put QuantizeLinear and DequantizeLinear before it",
        (1, 2, 5, 5),
        ("f", "w"),
        clip,
    )


def test_a_constant_ifmap_is_refused(models):
    conv_error(
        models,
        r"input 'i' must be an activation, not a constant",
        inputs=("i", "w"),
        weights={"i": (np.ones((1, 2, 5, 5), np.int8), 0.5, None, 0)},
    )


def test_another_rank_of_ifmap_is_refused(models):
    flat = helper.make_node("Reshape", ["d", "shape"], ["f"], "reshape")
    conv_error(
        models,
        r"ifmap must be \[N, C, H, W\] as it was computed \(\[1, 2, 5, 5\]\), not \[1, 2, 25, 1\]",
        (1, 2, 5, 5),
        ("f", "w"),
        flat,
        constants={"shape": np.array([1, 2, 25, 1])},
        weights={"w": (np.ones((4, 2, 3, 1), np.int8), 0.5, None, 0)},
    )


def test_a_filter_larger_than_the_ifmap_is_refused(models):
    conv_error(
        models,
        r"the 3x3 filter must fit the padded 2x5 ifmap",
        (1, 2, 2, 5),
    )


def test_an_unknown_padding_is_refused(models):
    conv_error(
        models,
        r"auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, not 'SAME'",
        auto_pad="SAME",
    )


def test_another_type_than_the_inputs_is_refused(models):
    path = models.save(
        [
            helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"], "first"),
            helper.make_node("DequantizeLinear", ["x", "s2", "z"], ["y2"], "second"),
        ],
        {"x": ("uint8", (1, 2))},
        {"y": "float32", "y2": "float32"},
        {"s": np.float32(1), "z": np.uint8(3), "s2": np.float32(2)},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'second' \(DequantizeLinear\): 'x' must stay uint8 scale 1 zero "
        r"point 3, not become uint8 scale 2 zero point 3$",
    ):
        load_network(path)

"""QuantizeLinear and DequantizeLinear, of activations and of constants."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_float_weights_behind_quantize_are_quantised(models, compare, signed, per_channel):
    rng = np.random.default_rng(13)
    weights = rng.normal(0, 1, (4, 2, 3, 3)).astype(np.float32)
    scale = rng.uniform(0.05, 0.09, 4 if per_channel else ()).astype(np.float32)
    zero = np.full(scale.shape, 0 if signed else 128, np.int8 if signed else np.uint8)
    names = ["ws", "wz"]
    nodes = [
        helper.make_node("QuantizeLinear", ["w", *names], ["wq"], "quantise w", axis=0),
        helper.make_node("DequantizeLinear", ["wq", *names], ["wd"], "dequantise w", axis=0),
        helper.make_node("Conv", ["d", "wd"], ["r"], "conv"),
    ]
    path = models.between(nodes, (1, 2, 6, 6), constants={"w": weights, "ws": scale, "wz": zero})
    network = compare(path, {"x": rng.normal(0, 9, (1, 2, 6, 6)).astype(np.float32)})
    expected = np.rint(weights / scale.reshape(-1, 1, 1, 1))
    np.testing.assert_array_equal(network.layers[0].filters, expected)


def test_one_value_quantised_twice_alike_is_one_tensor(models, compare):
    path = models.save(
        [
            helper.make_node("QuantizeLinear", ["x", "s"], ["q1"], "first"),
            helper.make_node("QuantizeLinear", ["x", "s"], ["q2"], "second"),
        ],
        {"x": ("float32", (1, 3))},
        {"q1": "uint8", "q2": "uint8"},
        {"s": np.float32(0.5)},
    )
    network = compare(path, {"x": np.array([[1, 2.25, 3.75]], np.float32)})
    assert list(network.tensors) == ["q1", "q1/copy", "q2/copy"]
    assert [layer.ifmap for layer in network.layers] == ["q1", "q1"]


def test_a_convolution_quantised_twice_differently_is_computed_twice(models, compare):
    words = np.arange(-9, 9).reshape(1, 2, 3, 3).astype(np.int8)
    conv = helper.make_node("Conv", ["d", "w"], ["r"], "conv")
    other = helper.make_node("QuantizeLinear", ["r", "s2", "z2"], ["v2"], "other")
    path = models.between(
        [conv, other],
        (1, 2, 5, 5),
        {"w": (words, 0.125, None, 0)},
        {"s2": np.float32(2), "z2": np.uint8(9)},
    )
    x = np.random.default_rng(14).normal(0, 3, (1, 2, 5, 5)).astype(np.float32)
    network = compare(path, {"x": x})
    assert [layer.ofmap for layer in network.layers] == ["v2", "v"]


def error(models, message, nodes, dtype="float32", outputs=None, opset=17, **constants):
    path = models.save(
        nodes, {"x": (dtype, (1, 4))}, outputs or {"y": "uint8"}, constants, opset=opset
    )
    with pytest.raises(FrontendError, match=rf"^[^\n]*model\.onnx: node {message}$"):
        load_network(path)


def test_words_cannot_be_quantised_again(models):
    error(
        models,
        r"'again' \(QuantizeLinear\): input 'x' must be float, not quantised already",
        [helper.make_node("QuantizeLinear", ["x", "s"], ["y"], "again", domain="com.microsoft")],
        dtype="uint8",
        s=np.float32(1),
    )


def test_real_values_cannot_be_dequantised(models):
    error(
        models,
        r"'wrong' \(DequantizeLinear\): input 'x' must be quantised, not float",
        [helper.make_node("DequantizeLinear", ["x", "s"], ["y"], "wrong", domain="com.microsoft")],
        outputs={"y": "float32"},
        s=np.float32(1),
    )


def test_sixteen_bit_activations_are_refused(models):
    error(
        models,
        r"'q' \(QuantizeLinear\): activation zero point 'z' must be one int8 or uint8, not "
        r"int16\[\]",
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "q"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], "d"),
        ],
        outputs={"y": "float32"},
        opset=21,
        s=np.float32(1),
        z=np.int16(0),
    )


def test_blocked_scales_are_refused(models):
    error(
        models,
        r"'q' \(QuantizeLinear\): block_size must be 0, not 2",
        [helper.make_node("QuantizeLinear", ["x", "s"], ["y"], "q", axis=1, block_size=2)],
        opset=21,
        s=np.ones((1, 2), np.float32),
    )


def test_computed_scales_are_refused(models):
    error(
        models,
        r"'q' \(QuantizeLinear\): input 'x' must be constant",
        [helper.make_node("QuantizeLinear", ["x", "x"], ["y"], "q")],
    )


def test_constants_of_sixteen_bits_are_refused(models):
    error(
        models,
        r"'w' \(QuantizeLinear\): constants must become int8 or uint8, not int16",
        [
            helper.make_node("QuantizeLinear", ["c", "s", "z"], ["w"], "w"),
            helper.make_node("QuantizeLinear", ["x", "s"], ["y"], "q"),
        ],
        opset=21,
        c=np.ones(3, np.float32),
        s=np.float32(1),
        z=np.int16(0),
    )


def test_constants_with_scales_along_a_wrong_axis_are_refused(models):
    error(
        models,
        r"'w' \(QuantizeLinear\): axis 0 of \[2, 3\] must have 3 indices",
        [
            helper.make_node("QuantizeLinear", ["c", "s"], ["w"], "w", axis=0),
            helper.make_node("QuantizeLinear", ["x", "one"], ["y"], "q"),
        ],
        c=np.ones((2, 3), np.float32),
        s=np.ones(3, np.float32),
        one=np.float32(1),
    )


def test_float64_scales_of_constants_are_refused(models):
    error(
        models,
        r"'w' \(DequantizeLinear\): scale 's' must be float32, not float64",
        [
            helper.make_node("DequantizeLinear", ["c", "s"], ["w"], "w", domain="com.microsoft"),
            helper.make_node("QuantizeLinear", ["x", "one"], ["y"], "q"),
        ],
        c=np.ones(3, np.int8),
        s=np.float64(1),
        one=np.float32(1),
    )


def test_float_constants_cannot_be_dequantised(models):
    error(
        models,
        r"'w' \(DequantizeLinear\): input 'c' must be integer, not float32",
        [
            helper.make_node("DequantizeLinear", ["c", "s"], ["w"], "w", domain="com.microsoft"),
            helper.make_node("QuantizeLinear", ["x", "s"], ["y"], "q"),
        ],
        c=np.ones(3, np.float32),
        s=np.float32(1),
    )

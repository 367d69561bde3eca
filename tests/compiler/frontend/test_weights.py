"""Weights, biases and scales that cannot be used."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network


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


def test_float_weights_are_refused(models):
    conv_error(
        models,
        r"weights 'f' are float32: quantise them to int8 behind a DequantizeLinear",
        inputs=("d", "f"),
        constants={"f": np.ones((4, 2, 3, 3), np.float32)},
    )


def test_computed_weights_are_refused(models):
    conv_error(models, r"weights 'd' must be constant, not computed", (2, 2, 3, 3), ("d", "d"))


@pytest.mark.parametrize(("dtype", "centre"), [(np.int8, 0), (np.uint8, 128)])
def test_another_zero_point_of_weights_is_refused(models, dtype, centre):
    words = np.ones((4, 2, 3, 3), dtype)
    zeros = np.full(4, centre, dtype)
    zeros[2] = 5
    conv_error(
        models,
        rf"weights 'w' must have zero point {centre} \({np.dtype(dtype)}\), not 5: "
        r"quantise them symmetrically",
        weights={"w": (words, np.ones(4), zeros, 0)},
    )


def test_weights_of_another_type_are_refused(models):
    conv_error(
        models,
        r"weights 'w' must be int8 or uint8, not int32",
        weights={"w": (np.ones((4, 2, 3, 3), np.int32), 0.5, None, 0)},
    )


def test_scales_along_another_axis_are_refused(models):
    conv_error(
        models,
        r"weights 'w' must have a scale per filter \(axis 0\), not along axis 1",
        weights={"w": (np.ones((4, 2, 3, 3), np.int8), np.ones(2), None, 1)},
    )


def test_a_bias_of_another_type_is_refused(models):
    conv_error(
        models,
        r"bias 'b' must be a constant, float32 or int32 behind a DequantizeLinear",
        inputs=("d", "w", "b"),
        weights={"b": (np.ones(4, np.int8), 0.125, None, 0)},
    )


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_a_float_bias_that_is_not_finite_is_refused(models, number):
    conv_error(
        models,
        r"bias 'b' must be finite",
        inputs=("d", "w", "b"),
        constants={"b": np.full(4, number, np.float32)},
    )


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_float_bias_of_a_product_matches_onnx_runtime(models, compare, transposed):
    rng = np.random.default_rng(20)
    words = rng.integers(-64, 64, (6, 9) if transposed else (9, 6)).astype(np.int8)
    gemm = helper.make_node("Gemm", ["d", "w", "b"], ["r"], "gemm", transB=transposed)
    path = models.between(
        [gemm],
        (5, 9),
        {"w": (words, rng.uniform(0.01, 0.02, 6), np.zeros(6, np.int8), 1 - transposed)},
        {"b": rng.normal(0, 4, 6).astype(np.float32)},
    )
    x = rng.normal(0, 12, (5, 9)).astype(np.float32)
    (layer,) = compare(path, {"x": x}, rounded=None).layers
    assert layer.tolerance == 1


def test_a_float_bias_is_rounded_to_steps_of_a_psum(models, compare):
    """As PyTorch exports what it trained with quantisation in the loop."""
    rng = np.random.default_rng(19)
    words = rng.integers(-64, 64, (4, 2, 3, 3)).astype(np.int8)
    scale = rng.uniform(0.005, 0.01, 4).astype(np.float32)
    bias = rng.normal(0, 8, 4).astype(np.float32)
    conv = helper.make_node("Conv", ["d", "w", "b"], ["r"], "conv")
    path = models.between(
        [conv], (3, 2, 9, 9), {"w": (words, scale, np.zeros(4, np.int8), 0)}, {"b": bias}
    )
    x = rng.normal(0, 12, (3, 2, 9, 9)).astype(np.float32)
    (layer,) = compare(path, {"x": x}, rounded=None).layers
    np.testing.assert_array_equal(layer.bias, np.rint(bias / (0.25 * scale.astype(np.float64))))
    assert layer.tolerance == 1


def test_a_bias_of_another_scale_is_refused(models):
    conv_error(
        models,
        r"bias 'b' must have the scale of ifmap times weights",
        inputs=("d", "w", "b"),
        weights={"b": (np.ones(4, np.int32), 0.1, None, 0)},
    )


def test_a_bias_with_a_zero_point_is_refused(models):
    conv_error(
        models,
        r"bias 'b' must have zero point 0",
        inputs=("d", "w", "b"),
        weights={"b": (np.ones(4, np.int32), 0.125, np.int32(1), 0)},
    )


def test_a_bias_of_another_length_is_refused(models):
    conv_error(
        models,
        r"bias 'b' must have 4 numbers, not 3",
        inputs=("d", "w", "b"),
        weights={"b": (np.ones(3, np.int32), 0.125, None, 0)},
    )


def qlinear_conv_error(models, message, **changes):
    """Load a model with one QLinearConv and check the error."""
    constants = {
        "xs": np.float32(1), "xz": np.uint8(0), "w": np.ones((4, 2, 3, 3), np.int8),
        "ws": np.ones(4, np.float32), "wz": np.zeros(4, np.int8), "ys": np.float32(1),
        "yz": np.uint8(0), "b": np.ones(4, np.int32),
    } | changes  # fmt: skip
    path = models.save(
        [helper.make_node("QLinearConv", ["x", *constants], ["y"], "conv")],
        {"x": ("uint8", (1, 2, 5, 5))},
        {"y": "uint8"},
        constants,
    )
    with pytest.raises(FrontendError, match=rf"^[^\n]*: node 'conv' \(QLinearConv\): {message}$"):
        load_network(path)


def test_channels_that_do_not_match_are_refused(models):
    qlinear_conv_error(
        models,
        r"weights must have 2/1 channels for the ifmap's 2 in 1 groups, not 3",
        w=np.ones((4, 3, 3, 3), np.int8),
    )


def test_weights_of_another_rank_are_refused(models):
    weights = {"w": (np.ones((4, 2, 3), np.int8), 0.5, None, 0)}
    conv = helper.make_node("Conv", ["d", "w"], ["r"], "conv")
    path = models.between([conv], (1, 2, 5, 5), weights)
    with pytest.raises(
        FrontendError, match=r"^[^\n]*: is not a valid ONNX model[^\n]*node name: conv[^\n]*$"
    ):
        load_network(path)


def test_too_many_scales_are_refused(models):
    qlinear_conv_error(
        models,
        r"scale 'ws' must be one number per tensor or per index of axis 0 of \[4, 2, 3, 3\], "
        r"not \[3\]",
        ws=np.ones(3, np.float32),
        wz=np.zeros(3, np.int8),
    )


def test_too_few_zero_points_are_refused(models):
    qlinear_conv_error(models, r"there must be 4 zero points, not 3", wz=np.zeros(3, np.int8))


@pytest.mark.parametrize("scale", [0, -1, np.inf, np.nan])
@pytest.mark.parametrize("name", ["xs", "ws", "ys"])
def test_a_scale_that_is_not_positive_is_refused(models, name, scale):
    value = np.full(4 if name == "ws" else (), scale, np.float32)
    message = rf"scale '{name}' must be positive and finite"
    qlinear_conv_error(models, message, **{name: value})


def test_activation_scales_per_channel_are_refused(models):
    qlinear_conv_error(
        models,
        r"activation scale 'xs' must be one float32 \(per tensor\), not float32\[2\]",
        xs=np.ones(2, np.float32),
    )


def test_activation_zero_points_per_channel_are_refused(models):
    qlinear_conv_error(
        models,
        r"activation zero point 'xz' must be one int8 or uint8, not uint8\[2\]",
        xz=np.ones(2, np.uint8),
    )

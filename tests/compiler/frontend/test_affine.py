"""Constants that are multiplied and added, and batch normalisation, against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network

SHAPE = (2, 4, 5, 6)


def noise():
    return np.random.default_rng(3).normal(0, 12, SHAPE).astype(np.float32)


def vary(*shape):
    return np.random.default_rng(6).uniform(-1.5, 1.5, shape).astype(np.float32)


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
@pytest.mark.parametrize(
    ("constant", "kind"),
    [(np.float32(0.7), "avgpool"), (vary(4, 1, 1), "scale"), (vary(1, 4, 1, 1), "scale")],
    ids=["one", "channels", "all axes"],
)
def test_constants_match_onnx_runtime(models, compare, op, constant, kind):
    node = helper.make_node(op, ["d", "c"], ["r"], "affine")
    path = models.between([node], SHAPE, constants={"c": constant})
    (layer,) = compare(path, {"x": noise()}, rounded=None).layers
    assert layer.op == kind


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub"])
def test_the_constant_may_come_first(models, compare, op):
    node = helper.make_node(op, ["c", "d"], ["r"], "affine")
    path = models.between([node], SHAPE, constants={"c": vary(4, 1, 1)})
    compare(path, {"x": noise()}, rounded=None)


def test_a_factor_of_zero_leaves_the_offset(models, compare):
    node = helper.make_node("Mul", ["d", "c"], ["r"], "affine")
    constant = np.array([0.0, 1.0, -1.0, 0.0], np.float32).reshape(4, 1, 1)
    compare(models.between([node], SHAPE, constants={"c": constant}), {"x": noise()}, rounded=None)


def moments(channels):
    rng = np.random.default_rng(8)
    return {
        "gamma": rng.uniform(-1.5, 1.5, channels).astype(np.float32),
        "beta": rng.normal(0, 2, channels).astype(np.float32),
        "mean": rng.normal(0, 2, channels).astype(np.float32),
        "var": rng.uniform(0.5, 2, channels).astype(np.float32),
    }


def test_batch_normalisation_of_words_is_a_pass(models, compare):
    node = helper.make_node("BatchNormalization", ["d", *moments(4)], ["r"], "bn", epsilon=1e-3)
    (layer,) = compare(
        models.between([node], SHAPE, constants=moments(4)), {"x": noise()}, rounded=None
    ).layers
    assert layer.op == "scale"


def test_batch_normalisation_behind_a_convolution_costs_nothing(models, compare):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", *moments(7)], ["b"], "bn"),
        helper.make_node("Relu", ["b"], ["r"], "relu"),
    ]
    words = np.random.default_rng(4).integers(-64, 64, (7, 4, 3, 3)).astype(np.int8)
    path = models.between(nodes, SHAPE, {"w": (words, 0.01, None, 0)}, moments(7))
    (layer,) = compare(path, {"x": noise()}, rounded=None).layers
    assert layer.fused == ("bn", "relu")
    assert layer.tolerance == 1


def test_a_batch_normalisation_left_by_training_costs_nothing(models, compare):
    """PyTorch scales weights for it before it quantises them, and divides psums again."""
    nodes = [
        helper.make_node("QuantizeLinear", ["f", "s", "z"], ["q.w"], "quantise w", axis=0),
        helper.make_node("DequantizeLinear", ["q.w", "s", "z"], ["w"], "dequantise w", axis=0),
        helper.make_node("Conv", ["d", "w", "none"], ["c"], "conv"),
        helper.make_node("Div", ["c", "factor"], ["e"], "divide"),
        helper.make_node("BatchNormalization", ["e", *moments(7)], ["b"], "bn"),
        helper.make_node("Relu", ["b"], ["r"], "relu"),
    ]
    constants = {
        "f": vary(7, 4, 3, 3), "s": np.abs(vary(7)) / 64 + np.float32(0.01),
        "z": np.zeros(7, np.int8), "none": np.zeros(7, np.float32),
        "factor": moments(7)["gamma"].reshape(1, 7, 1, 1), **moments(7),
    }  # fmt: skip
    path = models.between(nodes, SHAPE, constants=constants, x=(0.25, np.uint8(128)))
    (layer,) = compare(path, {"x": noise()}, rounded=None).layers
    assert layer.fused == ("divide", "bn", "relu")


def test_offsets_behind_a_float_bias_are_rounded_once(models, compare):
    nodes = [
        helper.make_node("Conv", ["d", "w", "bias"], ["c"], "conv"),
        helper.make_node("Add", ["c", "more"], ["r"], "add"),
    ]
    words = np.random.default_rng(4).integers(-64, 64, (7, 4, 3, 3)).astype(np.int8)
    step = np.float32(0.25 * 0.01)
    part = np.full((7, 1, 1), 0.4 * step, np.float32)
    constants = {"bias": part.reshape(7), "more": part}
    path = models.between(nodes, SHAPE, {"w": (words, 0.01, None, 0)}, constants)
    (layer,) = compare(path, {"x": noise()}, rounded=None).layers
    assert set(layer.bias) == {1}


def test_weights_that_cannot_change_sign_are_refused(models):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", *moments(7)], ["r"], "bn"),
    ]
    words = np.full((7, 4, 1, 1), -128, np.int8)
    path = models.between(nodes, SHAPE, {"w": (words, 0.01, None, 0)}, moments(7))
    with pytest.raises(FrontendError, match=r"'bn' .*: weights of -128 cannot change their sign"):
        load_network(path)


def test_constants_of_other_shapes_are_refused(models):
    node = helper.make_node("Mul", ["d", "c"], ["r"], "affine")
    with pytest.raises(FrontendError, match=r"must be one number, or one for each channel"):
        load_network(models.between([node], SHAPE, constants={"c": vary(5, 6)}))

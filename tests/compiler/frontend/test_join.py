"""Additions against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network


def quantised(name, scale, zero):
    """Quantise a real value ``name`` and see it as ``name.d``; nodes and constants."""
    constants = {f"{name}.scale": np.float32(scale), f"{name}.zero": zero}
    inputs = [f"{name}.scale", f"{name}.zero"]
    return [
        helper.make_node("QuantizeLinear", [name, *inputs], [f"{name}.q"], f"quantise {name}"),
        helper.make_node("DequantizeLinear", [f"{name}.q", *inputs], [f"{name}.d"], f"see {name}"),
    ], constants


def residual_block(models, *, after=(), shared=False, swapped=False):
    """Write a model of a convolution and the shortcut around it."""
    seen, constants = quantised("c", 0.3, np.uint8(120))
    operands = ["d", "c.d"] if swapped else ["c.d", "d"]
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        *seen,
        helper.make_node("Add", operands, ["s" if after or shared else "r"], "add"),
        *after,
    ]
    if shared:
        more, others = quantised("s", 0.4, np.uint8(110))
        constants |= others
        nodes += [*more, helper.make_node("Add", ["s.d", "c.d"], ["r"], "again")]
    rng = np.random.default_rng(4)
    words = rng.integers(-64, 64, (4, 4, 3, 3)).astype(np.int8)
    return models.between(nodes, (2, 4, 6, 7), {"w": (words, 0.01, None, 0)}, constants)


def noise(shape=(2, 4, 6, 7), spread=14):
    return np.random.default_rng(3).normal(0, spread, shape).astype(np.float32)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_shortcut_is_added_in_the_convolutions_pass(models, compare, swapped):
    network = compare(residual_block(models, swapped=swapped), {"x": noise()}, rounded=None)
    (layer,) = network.layers
    assert layer.fused == ("add",)
    assert layer.joined.op == "add"
    assert (layer.joined.own, layer.joined.residual) == ("c.q", "q")
    assert network.stored == {"q", "v"}


def test_relu_behind_an_addition_bounds_the_sum_only(models, compare):
    relu = [helper.make_node("Relu", ["s"], ["r"], "relu")]
    network = compare(residual_block(models, after=relu), {"x": noise()}, rounded=None)
    (layer,) = network.layers
    assert layer.fused == ("add", "relu")
    assert (layer.act_min, layer.act_max) == (0, 255)
    assert (layer.joined.act_min, layer.joined.act_max) == (-3, 127)


def test_a_convolution_that_others_read_is_added_in_a_pass_of_its_own(models, compare):
    network = compare(residual_block(models, shared=True), {"x": noise()}, rounded=None)
    assert [layer.op for layer in network.layers] == ["conv", "avgpool", "avgpool"]
    assert [layer.joined is None for layer in network.layers] == [True, False, False]


@pytest.mark.parametrize(
    "scales", [(0.1, 0.1, 0.2), (0.5, 0.013, 0.31), (0.02, 0.9, 0.9), (1.0, 1.0, 0.3)]
)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_sums_of_words_are_at_most_one_step_off(models, compare, scales, dtype):
    info = np.iinfo(dtype)
    middle = (info.min + info.max) // 2
    constants = {
        name: value
        for number, scale in enumerate(scales)
        for name, value in ((f"s{number}", np.float32(scale)), (f"z{number}", dtype(middle + 3)))
    }
    inputs = ["a", "s0", "z0", "b", "s1", "z1", "s2", "z2"]
    nodes = [
        helper.make_node("QLinearAdd", inputs, ["v"], "add", domain="com.microsoft"),
        helper.make_node("DequantizeLinear", ["v", "s2", "z2"], ["y"], "dequantise"),
    ]
    kind = np.dtype(dtype).name
    path = models.save(
        nodes, {"a": (kind, (1, 8, 32, 32)), "b": (kind, (1, 8, 32, 32))}, {"y": "float32"},
        constants,
    )  # fmt: skip
    rng = np.random.default_rng(9)
    words = {
        name: rng.integers(info.min, info.max, (1, 8, 32, 32), dtype, endpoint=True)
        for name in "ab"
    }
    network = compare(path, words, rounded=None)
    assert len(network.layers) == 1


def test_a_tensor_may_be_added_to_itself(models, compare):
    path = models.between([helper.make_node("Add", ["d", "d"], ["r"], "twice")], (1, 3, 4, 4))
    compare(path, {"x": noise((1, 3, 4, 4))}, rounded=None)


def test_operands_of_different_shape_are_refused(models):
    nodes = [
        helper.make_node("GlobalAveragePool", ["d"], ["m"], "mean"),
        *(seen := quantised("m", 0.1, np.uint8(128)))[0],
        helper.make_node("Add", ["d", "m.d"], ["r"], "add"),
    ]
    path = models.between(nodes, (1, 3, 4, 4), constants=seen[1])
    with pytest.raises(FrontendError, match=r"'add' \(Add\): operands must have one shape"):
        load_network(path)


@pytest.mark.parametrize("op", ["Sub", "Mul"])
def test_differences_and_products_are_within_their_tolerance(models, compare, op):
    seen, constants = quantised("c", 0.3, np.uint8(120))
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        *seen,
        helper.make_node(op, ["c.d", "d"], ["r"], "join"),
    ]
    words = np.random.default_rng(4).integers(-64, 64, (4, 4, 1, 1)).astype(np.int8)
    y = (0.5, np.int8(-3)) if op == "Sub" else (6.0, np.int8(3))
    path = models.between(nodes, (2, 4, 6, 7), {"w": (words, 0.01, None, 0)}, constants, y=y)
    network = compare(path, {"x": noise()}, rounded=None)
    joined = network.layers[-1].joined
    assert joined.op == ("add" if op == "Sub" else "mul")
    assert joined.tolerance <= 2

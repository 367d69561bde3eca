"""Softmax and ArgMax at the end, which the host does."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from tests.compiler.frontend.test_join import quantised


def ending(models, *nodes, dtype="float32"):
    """Write a model of a product and what the host makes of it."""
    words = np.random.default_rng(4).integers(-64, 64, (6, 10)).astype(np.int8)
    seen, constants = quantised("g", 0.2, np.uint8(120))
    before, more = quantised("x", 0.25, np.uint8(128))
    constants |= more | {"end.scale": np.float32(1 / 256), "end.zero": np.uint8(0)}
    constants |= {
        "w.words": words, "w.scale": np.float32(0.01), "shape": np.array([2, 1, 10]),
    }  # fmt: skip
    first = [
        *before,
        helper.make_node("DequantizeLinear", ["w.words", "w.scale"], ["w"], "weights"),
        helper.make_node("Gemm", ["x.d", "w"], ["g"], "gemm"),
        *seen,
    ]
    return models.save([*first, *nodes], {"x": ("float32", (2, 6))}, {"y": dtype}, constants)


def noise():
    return {"x": np.random.default_rng(2).normal(0, 9, (2, 6)).astype(np.float32)}


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_host_normalises(models, compare, op, axis):
    path = ending(models, helper.make_node(op, ["g.d"], ["y"], "end", axis=axis))
    network = compare(path, noise())
    assert [layer.op for layer in network.layers] == ["fc"]
    assert network.outputs[0].host.name == "end"


def test_what_the_host_makes_may_be_seen_in_another_shape(models, compare):
    nodes = [
        helper.make_node("Softmax", ["g.d"], ["s"], "end"),
        helper.make_node("Reshape", ["s", "shape"], ["y"], "see"),
    ]
    network = compare(ending(models, *nodes), noise())
    assert network.outputs[0].shape == (2, 1, 10)


def test_what_the_host_makes_may_be_quantised(models, compare):
    inputs = ["end.scale", "end.zero"]
    nodes = [
        helper.make_node("Softmax", ["g.d"], ["s"], "end"),
        helper.make_node("QuantizeLinear", ["s", *inputs], ["q"], "quantise s"),
        helper.make_node("DequantizeLinear", ["q", *inputs], ["y"], "see s"),
    ]
    network = compare(ending(models, *nodes), noise())
    assert network.outputs[0].host.step == 1 / 256


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_host_finds_the_largest(models, compare, axis, keepdims):
    node = helper.make_node("ArgMax", ["g.d"], ["y"], "end", axis=axis, keepdims=keepdims)
    compare(ending(models, node, dtype="int64"), noise())


def test_nothing_follows_what_the_host_does(models):
    nodes = [
        helper.make_node("Softmax", ["g.d"], ["s"], "end"),
        helper.make_node("Relu", ["s"], ["y"], "relu"),
    ]
    with pytest.raises(
        FrontendError, match=r"'relu' \(Relu\): 'end' before it is done by the host"
    ):
        load_network(ending(models, *nodes))

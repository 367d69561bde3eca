"""Padding with a constant against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from tests.compiler.frontend.test_join import quantised

X = (0.25, np.uint8(128))


def noise(shape=(2, 3, 5, 6)):
    return np.random.default_rng(3).normal(0, 9, shape).astype(np.float32)


def padded(models, pads, value=None, *, opset=17, y=X, **attributes):
    constants: dict[str, object] = {"pads": np.array(pads, np.int64)}
    inputs = ["d", "pads"]
    if value is not None:
        constants["value"] = np.float32(value)
        inputs.append("value")
    node = helper.make_node("Pad", inputs, ["r"], "pad", **attributes)
    return models.between([node], (2, 3, 5, 6), constants=constants, x=X, y=y, opset=opset)


@pytest.mark.parametrize("pads", [[1, 2, 3, 0], [0, 0, 4, 4], [2, 2, 2, 2]])
@pytest.mark.parametrize("value", [None, 0.0, 3.2, -100.0])
def test_planes_get_a_border(models, compare, pads, value):
    top, left, bottom, right = pads
    path = padded(models, [0, 0, top, left, 0, 0, bottom, right], value)
    (layer,) = compare(path, {"x": noise()}).layers
    assert layer.shape.pad == (top, left, bottom, right)


def test_negative_padding_cuts(models, compare):
    compare(padded(models, [0, 0, -1, 2, 0, 0, 1, -3]), {"x": noise()})


def test_another_scale_is_a_requantisation_in_the_same_pass(models, compare):
    path = padded(models, [0, 0, 1, 1, 0, 0, 1, 1], 1.0, y=(0.31, np.uint8(100)))
    (layer,) = compare(path, {"x": noise()}, rounded=None).layers
    assert layer.scale != 1.0


@pytest.mark.parametrize("shared", [False, True])
def test_a_convolution_takes_zeros_that_stand_before_it(models, compare, shared):
    seen, constants = quantised("p", *X)
    nodes = [
        helper.make_node("Pad", ["d", "pads"], ["p"], "pad"),
        *seen,
        helper.make_node("Conv", ["p.d", "w"], ["c" if shared else "r"], "conv", strides=[2, 1],
                         pads=[0, 1, 0, 0]),
    ]  # fmt: skip
    if shared:
        more, others = quantised("c", *X)
        constants |= others
        nodes += [
            *more,
            helper.make_node("GlobalAveragePool", ["p.d"], ["m"], "mean"),
            *(mean := quantised("m", *X))[0],
            helper.make_node("GlobalAveragePool", ["c.d"], ["n"], "other"),
            *(other := quantised("n", *X))[0],
            helper.make_node("Add", ["m.d", "n.d"], ["r"], "add"),
        ]
        constants |= mean[1] | other[1]
    rng = np.random.default_rng(4)
    words = rng.integers(-64, 64, (3, 3, 3, 3)).astype(np.int8)
    constants["pads"] = np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64)
    path = models.between(nodes, (2, 3, 5, 6), {"w": (words, 0.01, None, 0)}, constants, x=X, y=X)
    network = compare(path, {"x": noise()}, rounded=None)
    conv = next(layer for layer in network.layers if layer.op == "conv")
    assert conv.shape.pad == ((0, 1, 0, 0) if shared else (1, 1, 2, 1))
    assert (network.layers[0].name == "pad") is shared


@pytest.mark.parametrize(
    ("pads", "attributes", "message"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], {"mode": "reflect"}, "mode must be constant, not 'reflect'"),
        ([0, 1, 1, 1, 0, 0, 1, 1], {}, "batch and channels must not be padded"),
    ],
)
def test_other_padding_is_refused(models, pads, attributes, message):
    with pytest.raises(FrontendError, match=rf"'pad' \(Pad\): {message}$"):
        load_network(padded(models, pads, **attributes))

"""Inputs that ONNX's checker lets through, in operators that it does not know."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.graph import ConvLayer

QGEMM = ["x", "s", "z", "w", "s", "wz", "b", "s", "z"]
CONSTANTS = {
    "s": np.float32(1), "z": np.uint8(0), "w": np.ones((3, 4), np.int8), "wz": np.int8(0),
    "b": np.zeros(4, np.int32),
}  # fmt: skip


def qgemm_error(models, message, inputs=QGEMM, **changes):
    node = helper.make_node("QGemm", inputs, ["y"], "fc", domain="com.microsoft")
    path = models.save([node], {"x": ("uint8", (1, 3))}, {"y": "uint8"}, CONSTANTS | changes)
    with pytest.raises(FrontendError, match=rf"^[^\n]*: node 'fc' \(QGemm\): {message}$"):
        load_network(path)


def test_a_missing_input_is_named(models):
    qgemm_error(models, r"input 0 must be given", ["", *QGEMM[1:]])


def test_a_bias_of_another_type_is_refused(models):
    qgemm_error(models, r"bias 'b' must be int32, not int64", b=np.zeros(4, np.int64))


def test_bounds_behind_dequantize_are_read(models):
    """ONNX Runtime 1.31 aborts on such a model, so it is no oracle here."""
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("Clip", ["c", "low", "high"], ["r"], "clip"),
    ]
    weights = {
        "w": (np.ones((1, 2, 1, 1), np.int8), 0.5, None, 0),
        "low": (np.int8(-3), 0.5, np.int8(1), 0),
        "high": (np.array(7, np.int8), 0.25, None, 0),
    }
    (layer,) = load_network(models.between(nodes, (1, 2, 5, 5), weights)).layers
    assert isinstance(layer, ConvLayer)
    assert (layer.act_min, layer.act_max) == (-3 - 4, -3 + 4)  # 7/4 in steps of 1/2: 3.5, to even


def test_reals_of_a_constant_follow_its_axis(models):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("Clip", ["c", "low"], ["r"], "clip"),
    ]
    weights = {
        "w": (np.ones((1, 2, 1, 1), np.int8), 0.5, None, 0),
        "low": (np.ones((2, 3), np.int8), np.ones(3), np.zeros(3, np.int8), 1),
    }
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'clip' \(Clip\): bound 'low' must be one number, not 6$",
    ):
        load_network(models.between(nodes, (1, 2, 5, 5), weights))


def test_an_initializer_that_contradicts_itself_is_named(models):
    path = models.save(
        [helper.make_node("QuantizeLinear", ["x", "s"], ["y"], "q")],
        {"x": ("float32", (1, 3))},
        {"y": "uint8"},
        CONSTANTS,
    )
    model = onnx.load(path)
    wrong = TensorProto(name="wrong", data_type=TensorProto.INT8, dims=[1], int32_data=[1, 2, 3])
    model.graph.initializer.append(wrong)
    onnx.save(model, path)
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: initializer 'wrong' must match its type and shape: [^\n]+$",
    ):
        load_network(path)


def test_a_clipped_tensor_has_no_other_reader_through_pooling(models):
    """Pooling read twice, once clipped: the convolution cannot do both."""
    same = {"y.scale": np.float32(0.5), "y.zero": np.int8(-3)}
    quantisation = list(same)
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", *quantisation], ["cq"], "quantise c"),
        helper.make_node("DequantizeLinear", ["cq", *quantisation], ["cd"], "dequantise c"),
        helper.make_node("MaxPool", ["cd"], ["p"], "pool", kernel_shape=[2, 2]),
        helper.make_node("Relu", ["p"], ["a"], "relu"),
        helper.make_node("QuantizeLinear", ["a", *quantisation], ["aq"], "quantise a"),
        helper.make_node("Identity", ["p"], ["r"], "second reader"),
    ]
    weights = {"w": (np.ones((1, 2, 1, 1), np.int8), 0.5, None, 0)}
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'quantise y' \(QuantizeLinear\): activation behind 'cq' must be its "
        r"only reader$",
    ):
        load_network(models.between(nodes, (1, 2, 5, 5), weights))

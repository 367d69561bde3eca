"""Functions by table against ONNX Runtime, for every word."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network

EVERY = np.arange(256).reshape(1, 4, 8, 8)
FUNCTIONS = [
    ("Sigmoid", {}), ("Tanh", {}), ("LeakyRelu", {"alpha": 0.1}), ("LeakyRelu", {}),
    ("HardSigmoid", {"alpha": 0.3}), ("HardSwish", {}), ("Elu", {"alpha": 0.7}), ("Selu", {}),
    ("Celu", {"alpha": 2.0}), ("Softplus", {}), ("Softsign", {}), ("ThresholdedRelu", {}),
    ("Abs", {}), ("Neg", {}), ("Exp", {}), ("Sqrt", {}), ("Log", {}),
    ("Floor", {}), ("Ceil", {}), ("Round", {}), ("Sign", {}), ("Erf", {}), ("Mish", {}),
    ("Sin", {}), ("Cos", {}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "attributes"), FUNCTIONS)
@pytest.mark.parametrize("x", [(0.037, np.uint8(117)), (0.031, np.int8(-9))])
def test_every_word_is_onnx_runtimes(models, compare, op, attributes, x):
    node = helper.make_node(op, ["d"], ["r"], "function", **attributes)
    path = models.between([node], EVERY.shape, x=x, y=(0.02, np.int8(-20)), opset=18)
    info = np.iinfo(x[1].dtype)
    words = EVERY + info.min
    network = compare(path, {"x": ((words - int(x[1])) * np.float32(x[0])).astype(np.float32)})
    assert [layer.op for layer in network.layers] == ["avgpool"]


@pytest.mark.parametrize("op", ["QLinearSigmoid", "QLinearLeakyRelu"])
def test_quantised_functions_match_onnx_runtime(models, compare, op):
    scales = {"s": np.float32(0.05), "z": np.uint8(140), "t": np.float32(0.02), "u": np.uint8(30)}
    node = helper.make_node(op, ["x", "s", "z", "t", "u"], ["v"], "f", domain="com.microsoft")
    after = helper.make_node("DequantizeLinear", ["v", "t", "u"], ["y"], "dequantise")
    shape = EVERY.shape
    path = models.save([node, after], {"x": ("uint8", shape)}, {"y": "float32"}, scales)
    compare(path, {"x": EVERY.astype(np.uint8)})


def test_a_function_behind_a_convolution_costs_no_pass(models, compare):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", "c.scale", "c.zero"], ["cq"], "quantise c"),
        helper.make_node("DequantizeLinear", ["cq", "c.scale", "c.zero"], ["cd"], "dequantise c"),
        helper.make_node("Sigmoid", ["cd"], ["r"], "sigmoid"),
    ]
    rng = np.random.default_rng(4)
    words = rng.integers(-64, 64, (8, 4, 3, 3)).astype(np.int8)
    constants = {"c.scale": np.float32(0.3), "c.zero": np.uint8(120)}
    path = models.between(
        nodes, (1, 4, 7, 7), {"w": (words, 0.01, None, 0)}, constants, y=(1 / 256, np.uint8(0))
    )
    network = compare(path, {"x": rng.normal(0, 9, (1, 4, 7, 7)).astype(np.float32)})
    (layer,) = network.layers
    assert layer.table is not None
    assert layer.fused == ("sigmoid",)


def test_slopes_of_each_channel_are_refused(models):
    node = helper.make_node("PRelu", ["d", "slopes"], ["r"], "prelu")
    slopes = np.full((4, 1, 1), 0.1, np.float32)
    path = models.between([node], EVERY.shape, constants={"slopes": slopes})
    with pytest.raises(FrontendError, match=r"'prelu' \(PRelu\): slope must be one number"):
        load_network(path)

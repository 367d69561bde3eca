"""Operators that move no element."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network


@pytest.mark.parametrize(
    ("node", "shape"),
    [
        (helper.make_node("Flatten", ["d"], ["r"], "f"), (2, 24)),
        (helper.make_node("Flatten", ["d"], ["r"], "f", axis=-1), (24, 2)),
        (helper.make_node("Flatten", ["d"], ["r"], "f", axis=0), (1, 48)),
        (helper.make_node("Reshape", ["d", "shape"], ["r"], "f"), (2, 4, 6)),
        (helper.make_node("Identity", ["d"], ["r"], "f"), (2, 4, 3, 2)),
    ],
)
def test_an_output_has_the_shape_that_onnx_runtime_gives(models, compare, node, shape):
    same = (0.25, np.uint8(128))
    path = models.between(
        [node], (2, 4, 3, 2), constants={"shape": np.array([0, 0, -1])}, x=same, y=same
    )
    x = np.random.default_rng(11).normal(0, 9, (2, 4, 3, 2)).astype(np.float32)
    network = compare(path, {"x": x})
    (layer,) = network.layers
    assert (layer.name, layer.shape.R, layer.scale) == ("y", 1, 1.0)
    assert network.outputs[0].shape == shape


def test_a_float_input_is_reshaped_before_it_is_quantised(models, compare):
    path = models.save(
        [
            helper.make_node("Reshape", ["x", "shape"], ["image"], "reshape"),
            helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"], "quantise"),
            helper.make_node("MaxPool", ["q"], ["p"], "pool", kernel_shape=[2, 2]),
            helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"], "dequantise"),
        ],
        {"x": ("float32", ("batch", 36))},
        {"y": "float32"},
        {"s": np.float32(0.5), "z": np.uint8(9), "shape": np.array([-1, 1, 6, 6])},
    )
    x = np.random.default_rng(12).normal(0, 9, (1, 36)).astype(np.float32)
    network = compare(path, {"x": x})
    assert network.inputs[0].shape == (1, 36)
    assert network.tensors["q"].shape == (1, 1, 6, 6)


@pytest.mark.parametrize(
    "value",
    [
        {"value": numpy_helper.from_array(np.array(0.5, np.float32))},
        {"value_float": 0.5},
    ],
)
def test_constants_may_be_nodes(models, compare, value):
    path = models.save(
        [
            helper.make_node("Constant", [], ["s"], "scale", **value),
            helper.make_node("QuantizeLinear", ["x", "s"], ["q"], "quantise"),
        ],
        {"x": ("float32", (1, 3))},
        {"q": "uint8"},
        {},
    )
    network = compare(path, {"x": np.array([[0.2, 0.3, 9]], np.float32)})
    assert network.tensors["q"].scale == 0.5


def test_a_reshape_to_integer_constants_works(models, compare):
    path = models.save(
        [
            helper.make_node("Constant", [], ["shape"], "shape", value_ints=[1, 6]),
            helper.make_node("Reshape", ["x", "shape"], ["f"], "reshape"),
            helper.make_node("QuantizeLinear", ["f", "s"], ["q"], "quantise"),
        ],
        {"x": ("float32", (1, 3, 2))},
        {"q": "uint8"},
        {"s": np.float32(0.25)},
    )
    compare(path, {"x": np.arange(6, dtype=np.float32).reshape(1, 3, 2)})


def test_a_computed_shape_is_refused(models):
    path = models.save(
        [
            helper.make_node("QuantizeLinear", ["x", "s"], ["q"], "quantise"),
            helper.make_node("Shape", ["q"], ["shape"], "shape of q"),
            helper.make_node("Reshape", ["q", "shape"], ["y"], "reshape"),
        ],
        {"x": ("float32", (1, 3))},
        {"y": "uint8"},
        {"s": np.float32(0.25)},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'shape of q' \(Shape\): operator is not supported: use [^\n]*$",
    ):
        load_network(path)


def test_another_number_of_elements_is_refused(models):
    path = models.save(
        [
            helper.make_node("QGemm", ["x", "s", "z", "w", "s", "wz", "b", "s", "z"], ["v"], "fc",
                             domain="com.microsoft"),
            helper.make_node("Reshape", ["v", "shape"], ["y"], "reshape"),
        ],
        {"x": ("uint8", (1, 3))},
        {"y": "uint8"},
        {"s": np.float32(1), "z": np.uint8(0), "w": np.ones((3, 4), np.int8), "wz": np.int8(0),
         "b": np.zeros(4, np.int32), "shape": np.array([1, -1, 3])},
    )  # fmt: skip
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'reshape' \(Reshape\): \[1, 4\] cannot be reshaped to \[1, 1, 3\]$",
    ):
        load_network(path)


def test_a_constant_of_text_is_refused(models):
    path = models.save(
        [
            helper.make_node("Constant", [], ["t"], "text", value_string="hello"),
            helper.make_node("QuantizeLinear", ["x", "s"], ["q"], "quantise"),
        ],
        {"x": ("float32", (1, 3))},
        {"q": "uint8"},
        {"s": np.float32(0.25)},
    )
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'text' \(Constant\): attribute value_string is not supported: use "
        r"value$",
    ):
        load_network(path)

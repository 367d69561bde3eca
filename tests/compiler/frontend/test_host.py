"""Quantising and dequantising on the host, against ONNX Runtime."""

import re

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from stillflow.compiler.frontend.host import dequantize, quantize
from stillflow.compiler.graph import Port, Tensor


def reference(op, dtype):
    """Make a session that quantises or dequantises with scale and zero point as inputs."""
    words = TensorProto.INT8 if dtype == "int8" else TensorProto.UINT8
    x, y = (TensorProto.FLOAT, words) if op == "QuantizeLinear" else (words, TensorProto.FLOAT)
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "s", "z"], ["y"])],
        "graph",
        [info("x", x, ["n"]), info("s", TensorProto.FLOAT, []), info("z", words, [])],
        [info("y", y, ["n"])],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


SESSIONS = {
    (op, dtype): reference(op, dtype)
    for op in ("QuantizeLinear", "DequantizeLinear")
    for dtype in ("int8", "uint8")
}
scales = st.floats(2.0**-20, 2.0**20, width=32)


def ends(dtype, scale, zero, n):
    tensor = Tensor(name="q", shape=(1, n, 1, 1), dtype=dtype, scale=scale, zero_point=zero)
    return Port(name="x", shape=(n,), dtype="float32", tensor="q"), tensor


@given(
    dtype=st.sampled_from(["int8", "uint8"]),
    scale=scales,
    zero=st.integers(0, 127),
    steps=st.lists(st.integers(-600, 600), min_size=1, max_size=40),
    others=st.lists(st.floats(width=32), max_size=10),
)
def test_quantize_matches_onnx_runtime(dtype, scale, zero, steps, others):
    with np.errstate(over="ignore"):
        halves = np.array(steps, np.float32) * np.float32(scale) / 2  # ties, and near them
    x = np.concatenate([halves, np.array(others, np.float32)])
    port, tensor = ends(dtype, scale, zero, len(x))
    (expected,) = SESSIONS["QuantizeLinear", dtype].run(
        None, {"x": x, "s": np.array(scale, np.float32), "z": np.array(zero, dtype)}
    )
    words = quantize(port, tensor, x)
    assert words.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(words.reshape(-1), expected)


@given(dtype=st.sampled_from(["int8", "uint8"]), scale=scales, zero=st.integers(0, 127))
def test_dequantize_matches_onnx_runtime(dtype, scale, zero):
    x = np.arange(256, dtype=np.uint8).view(dtype)
    port, tensor = ends(dtype, scale, zero, 256)
    (expected,) = SESSIONS["DequantizeLinear", dtype].run(
        None, {"x": x, "s": np.array(scale, np.float32), "z": np.array(zero, dtype)}
    )
    real = dequantize(port, tensor, x.reshape(1, 256, 1, 1))
    assert real.dtype == np.float32
    np.testing.assert_array_equal(real, expected)


def test_words_pass_unchanged():
    tensor = Tensor(name="q", shape=(1, 6, 1, 1), dtype="uint8", scale=0.5, zero_point=3)
    port = Port(name="x", shape=(1, 6), dtype="uint8", tensor="q")
    x = np.arange(6, dtype=np.uint8).reshape(1, 6)
    words = quantize(port, tensor, x)
    np.testing.assert_array_equal(words, x.reshape(1, 6, 1, 1))
    np.testing.assert_array_equal(dequantize(port, tensor, words), x)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), "input x must be float32, not float64"),
        (np.zeros(5, np.float32), "input x must have shape [4], not [5]"),
    ],
)
def test_another_input_is_refused(array, message):
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        quantize(*ends("int8", 1.0, 0, 4), array)


def test_words_of_another_shape_are_refused():
    port, tensor = ends("int8", 1.0, 0, 4)
    message = "tensor q must be int8[1, 4, 1, 1], not int8[4]"
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        dequantize(port, tensor, np.zeros(4, np.int8))

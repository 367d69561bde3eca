"""Gemm, MatMul, QGemm and QLinearMatMul against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network


def draw_weights(rng, inputs, transposed, per_channel):
    words = rng.integers(-64, 64, (5, inputs)).astype(np.int8)
    scale = rng.uniform(0.001, 0.02, 5 if per_channel else ()).astype(np.float32)
    return (words if transposed else np.ascontiguousarray(words.T)), scale


@pytest.mark.parametrize("bias_shape", [None, (5,), (1, 5)])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_gemm_behind_a_flatten_matches_onnx_runtime(
    models, compare, dtype, transposed, per_channel, bias_shape
):
    rng = np.random.default_rng(4)
    words, scale = draw_weights(rng, 24, transposed, per_channel)
    weights = {"w": (words, scale, None, 0 if transposed else 1)}
    inputs = ["f", "w"]
    if bias_shape:
        bias = rng.integers(-900, 900, bias_shape).astype(np.int32)
        weights["b"] = (bias, np.float32(0.03) * scale, None, len(bias_shape) - 1)
        inputs.append("b")
    nodes = [
        helper.make_node("Flatten", ["d"], ["f"], "flatten"),
        helper.make_node("Gemm", inputs, ["r"], "fc", transB=int(transposed)),
    ]
    path = models.between(nodes, (3, 2, 3, 4), weights, x=(0.03, dtype(9)), y=(0.2, dtype(30)))
    network = compare(path, {"x": rng.normal(0, 2, (3, 2, 3, 4)).astype(np.float32)})
    (layer,) = network.layers
    assert (layer.op, layer.shape.R, layer.shape.S) == ("fc", 3, 4)
    assert layer.filters.shape == (5, 2, 3, 4)


@pytest.mark.parametrize("per_channel", [False, True])
def test_matmul_matches_onnx_runtime(models, compare, per_channel):
    rng = np.random.default_rng(5)
    words, scale = draw_weights(rng, 30, False, per_channel)
    path = models.between(
        [helper.make_node("MatMul", ["d", "w"], ["r"], "product")],
        (2, 30),
        {"w": (words, scale, None, -1)},
        y=(0.11, np.uint8(100)),
    )
    compare(path, {"x": rng.normal(0, 9, (2, 30)).astype(np.float32)})


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("op", ["QGemm", "QLinearMatMul"])
def test_quantised_products_match_onnx_runtime(models, compare, op, dtype, transposed, per_channel):
    rng = np.random.default_rng(6)
    transposed = transposed and op == "QGemm"
    words, scale = draw_weights(rng, 40, transposed, per_channel)
    constants = {
        "xs": np.float32(0.07), "xz": dtype(20), "w": words, "ws": scale,
        "wz": np.zeros(scale.shape, np.int8), "b": rng.integers(-900, 900, 5).astype(np.int32),
        "ys": np.float32(0.4), "yz": dtype(60),
    }  # fmt: skip
    attributes = {"transB": int(transposed), "domain": "com.microsoft"}
    if op == "QLinearMatMul":
        constants.pop("b")
        attributes = {}
    path = models.save(
        [helper.make_node(op, ["x", *constants], ["v"], "product", **attributes),
         helper.make_node("DequantizeLinear", ["v", "ys", "yz"], ["y"], "dequantise")],
        {"x": (np.dtype(dtype).name, (2, 40))},
        {"y": "float32"},
        constants,
    )  # fmt: skip
    info = np.iinfo(dtype)
    compare(path, {"x": rng.integers(info.min, info.max, (2, 40), dtype)})


def gemm_error(models, message, nodes=(), shape=(1, 6), weights=(6, 5), op="Gemm", **attributes):
    source = nodes[-1].output[0] if nodes else "d"
    path = models.between(
        [*nodes, helper.make_node(op, [source, "w"], ["r"], "fc", **attributes)],
        shape,
        {"w": (np.ones(weights, np.int8), 0.5, None, 1)},
        {"shape": np.array([-1, 6])},
    )
    with pytest.raises(FrontendError, match=rf"^[^\n]*: node 'fc' \({op}\): {message}$"):
        load_network(path)


def test_a_factor_is_refused(models):
    gemm_error(models, r"alpha must be 1\.0, not 2\.0", alpha=2.0)


def test_a_transposed_ifmap_is_refused(models):
    gemm_error(models, r"transA must be 0, not 1", shape=(6, 1), transA=1)


def test_a_flatten_into_the_batch_is_refused(models):
    reshape = helper.make_node("Reshape", ["d", "shape"], ["f"], "reshape")
    gemm_error(models, r"ifmap must be \[1, 12\], not \[2, 6\]", [reshape], (1, 2, 2, 3))


def test_a_product_over_the_last_axis_of_four_is_refused(models):
    gemm_error(
        models, r"ifmap must be \[1, 12\], not \[1, 2, 1, 6\]", (), (1, 2, 1, 6), op="MatMul"
    )


def test_weights_of_another_size_are_refused(models):
    constants = {
        "xs": np.float32(1), "xz": np.uint8(0), "w": np.ones((7, 5), np.int8),
        "ws": np.float32(1), "wz": np.int8(0), "b": np.ones(5, np.int32),
        "ys": np.float32(1), "yz": np.uint8(0),
    }  # fmt: skip
    path = models.save(
        [helper.make_node("QGemm", ["x", *constants], ["v"], "fc", domain="com.microsoft"),
         helper.make_node("DequantizeLinear", ["v", "ys", "yz"], ["y"], "dequantise")],
        {"x": ("uint8", (1, 6))},
        {"y": "float32"},
        constants,
    )  # fmt: skip
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'fc' \(QGemm\): weights must take 6 inputs, not be \[7, 5\]$",
    ):
        load_network(path)


def test_a_quantised_product_with_float_output_is_refused(models):
    constants = {
        "xs": np.float32(1), "xz": np.uint8(0), "w": np.ones((6, 5), np.int8),
        "ws": np.float32(1), "wz": np.int8(0),
    }  # fmt: skip
    path = models.save(
        [helper.make_node("QGemm", ["x", *constants], ["v"], "fc", domain="com.microsoft"),
         helper.make_node("Identity", ["xs"], ["y"], "other")],
        {"x": ("uint8", (1, 6))},
        {"y": "float32"},
        constants,
    )  # fmt: skip
    with pytest.raises(
        FrontendError,
        match=r"^[^\n]*: node 'fc' \(QGemm\): y_scale must be given, so that the output is "
        r"quantised$",
    ):
        load_network(path)

"""ONNX Runtime as an oracle of integer sums. What saturates does so on x86 without VNNI only."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from stillflow.sim.session import open_session

X_ZERO, W_SCALE, Y_SCALE = 10, np.float32(0.1), np.float32(20)


def draw(dtype):
    """Words near the largest: sums of two products do not fit 16 bits."""
    rng = np.random.default_rng(0)
    high = np.iinfo(dtype).max
    x = rng.integers(high - 30, high, (1, 16, 6, 6), dtype, endpoint=True)
    return x, rng.integers(-127, 127, (8, 16, 1, 1), np.int8, endpoint=True)


def model_of(nodes, dtype, weights):
    word = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    constants = {
        "xs": np.float32(0.1), "xz": dtype(X_ZERO), "w": weights, "ws": np.full(8, W_SCALE),
        "wz": np.zeros(8, np.int8), "ys": Y_SCALE, "yz": dtype(100), "b": np.zeros(8, np.int32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", word, (1, 16, 6, 6))],
        [helper.make_tensor_value_info("y", word, None)],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def between(*, zero="wz", convolutions=1):
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["d"]),
        helper.make_node("Identity", ["wz"], ["same"]),
    ]
    for number in range(convolutions):
        nodes += [
            helper.make_node("DequantizeLinear", ["w", "ws", zero], [f"w{number}"], axis=0),
            helper.make_node("Conv", ["d", f"w{number}"], [f"c{number}"]),
            helper.make_node("QuantizeLinear", [f"c{number}", "ys", "yz"], [f"y{number or ''}"]),
        ]
    return nodes


def integer():
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    return [helper.make_node("QLinearConv", inputs, ["y"])]


def exact(x, weights, dtype):
    sums = np.einsum("nchw,mc->nmhw", x.astype(np.int64) - X_ZERO, weights[:, :, 0, 0])
    scale = np.float32(0.1) * W_SCALE / Y_SCALE
    info = np.iinfo(dtype)
    return np.clip(np.rint(sums * scale) + 100, info.min, info.max)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize(
    "nodes",
    [between(), between(convolutions=2), between(zero="same", convolutions=2), integer()],
    ids=["real", "shared zero points", "zero points through Identity", "integer"],
)
def test_sums_of_products_are_exact(nodes, dtype):
    x, weights = draw(dtype)
    session = open_session(model_of(nodes, dtype, weights))
    (y,) = session.run(["y"], {"x": x})
    expected = exact(x, weights, dtype)
    assert np.unique(expected).size > 20
    np.testing.assert_array_equal(y, expected)


def test_what_it_cannot_run_is_an_error():
    with pytest.raises(Exception, match="Nonsense"):
        open_session(
            model_of([helper.make_node("Nonsense", ["x"], ["y"])], np.uint8, draw("u1")[1])
        )

"""The converter of any float model."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stillflow.compiler.frontend import load_network
from stillflow.compiler.zoo.convert import quantise_model


def model_of(nodes, constants, shape=(1, 3, 6, 6), kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_layers_behind_each_other_become_one_pass(tmp_path):
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv"),
        helper.make_node("BatchNormalization", ["c", "g", "h", "m", "v"], ["n"], "bn"),
        helper.make_node("Relu", ["n"], ["r"], "relu"),
        helper.make_node("MaxPool", ["r"], ["y"], "pool", kernel_shape=[2, 2]),
    ]
    constants = {"w": rng.normal(size=(4, 3, 3, 3)).astype("f"), "b": np.ones(4, "f")}
    constants |= {name: rng.uniform(0.5, 1, 4).astype("f") for name in "ghmv"}
    x = rng.normal(size=(1, 3, 6, 6)).astype("f")
    path = tmp_path / "model.onnx"
    onnx.save(quantise_model(model_of(nodes, constants), {"x": x}), path)
    conv, pool = load_network(path).layers
    assert conv.fused == ("bn", "relu")
    assert pool.op == "maxpool"


def test_words_stay_close_to_the_real_values(tmp_path):
    rng = np.random.default_rng(1)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], "gemm", alpha=0.5, beta=2.0)
    constants = {"w": rng.normal(size=(6, 5)).astype("f"), "b": rng.normal(size=5).astype("f")}
    x = rng.normal(size=(2, 6)).astype("f")
    made = quantise_model(model_of([node], constants, (2, 6)), {"x": x})
    import onnxruntime

    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": x})
    wanted = 0.5 * x @ constants["w"] + 2 * constants["b"]
    assert np.abs(np.asarray(found) - wanted).max() < np.ptp(wanted) / 50


def test_a_model_without_float_input_is_refused():
    node = helper.make_node("Cast", ["x"], ["y"], "cast", to=TensorProto.FLOAT)
    model = model_of([node], {}, (2, 2), TensorProto.INT32)
    with pytest.raises(ValueError, match=r"^there must be a float input$"):
        quantise_model(model, {"x": np.zeros((2, 2), np.int32)})

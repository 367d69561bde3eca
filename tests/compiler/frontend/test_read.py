"""Files that hold no whole model, and models of another batch."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.host import quantize
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.frontend.read import read_model
from stillflow.compiler.models import DIGITS
from stillflow.sim.golden.network import run_network
from stillflow.sim.oracle import Oracle


def test_a_model_cut_short_is_named(tmp_path):
    whole = DIGITS.read_bytes()
    path = tmp_path / "cut.onnx"
    step = max(len(whole) // 150, 1)
    for length in [
        *range(60),
        *range(60, len(whole) - 60, step),
        *range(len(whole) - 60, len(whole)),
    ]:
        path.write_bytes(whole[:length])
        with pytest.raises(FrontendError, match=r"^[^\n]*cut\.onnx: [^\n]*cut short: [^\n]+$"):
            read_model(path)


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("no model\n")
    with pytest.raises(FrontendError, match=r"^[^\n]*text\.onnx: is not an ONNX model, [^\n]+$"):
        read_model(path)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "none.onnx"
    with pytest.raises(
        FrontendError, match=r"^[^\n]*none\.onnx: cannot be read: No such file or directory$"
    ):
        read_model(path)


def test_a_directory_is_named(tmp_path):
    with pytest.raises(FrontendError, match=r"^[^\n]*: cannot be read: Is a directory$"):
        read_model(tmp_path)


@pytest.mark.parametrize("own", [1, 3])
@pytest.mark.parametrize("as_node", [False, True])
def test_another_batch_reaches_the_shapes_of_activations(models, own, as_node):
    """PyTorch writes ``x.flatten(1)`` as a Reshape to constant sizes."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantise"),
        helper.make_node("Reshape", ["q", "shape"], ["flat"], "reshape"),
        helper.make_node("DequantizeLinear", ["flat", "s", "z"], ["d"], "dequantise"),
        helper.make_node("Reshape", ["w", "of weights"], ["v"], "of a constant"),
        helper.make_node("DequantizeLinear", ["v", "s"], ["weights"], "dequantise weights"),
        helper.make_node("Gemm", ["d", "weights"], ["m"], "multiply", transB=1),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["p"], "quantise again"),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"], "dequantise again"),
    ]
    constants = {
        "s": np.float32(0.5), "z": np.uint8(9), "w": np.arange(8 * own, dtype=np.int8),
        "of weights": np.array([own, 8]),  # not the batch, although it is the same number
    }  # fmt: skip
    shape = np.array([own, 8])
    if as_node:
        value = numpy_helper.from_array(shape)
        nodes.insert(0, helper.make_node("Constant", [], ["shape"], "constant", value=value))
    else:
        constants["shape"] = shape
    path = models.save(nodes, {"x": ("float32", [own, 2, 2, 2])}, {"y": "float32"}, constants)
    assert load_network(path).outputs[0].shape == (own, own)
    network = load_network(path, 5)
    (port,) = network.inputs
    x = np.random.default_rng(0).normal(0, 9, (5, 2, 2, 2)).astype(np.float32)
    words = run_network(network, {port.tensor: quantize(port, network.tensors[port.tensor], x)})
    oracle = Oracle(path, network, 5)
    answers = oracle.run({"x": x}, words)
    assert answers["y"].shape == network.outputs[0].shape == (5, own)
    assert oracle.differences(words, answers).wrong == 0

"""Models made in the tests, and ONNX Runtime as their oracle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stillflow.compiler.frontend.host import dequantize, quantize
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.graph import Network
from stillflow.sim.golden.network import run_network
from stillflow.sim.oracle import Oracle


@dataclass(frozen=True)
class ModelFiles:
    """Writes models into a test's own directory."""

    directory: Path

    def save(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, tuple[str, Sequence[int | str]]],
        outputs: Mapping[str, str],
        constants: Mapping[str, object],
        opset: int = 17,
    ) -> Path:
        """Write a model; inputs are (dtype, shape), outputs dtypes, by name."""
        kinds = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}
        kinds |= {"double": TensorProto.DOUBLE, "int64": TensorProto.INT64}
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(n, kinds[d], s) for n, (d, s) in inputs.items()],
            [helper.make_tensor_value_info(n, kinds[d], None) for n, d in outputs.items()],
            [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        path = self.directory / "model.onnx"
        onnx.save(model, path)
        return path

    def between(
        self,
        nodes: Sequence[onnx.NodeProto],
        shape: Sequence[int | str],
        weights: Mapping[str, tuple] | None = None,
        constants: Mapping[str, object] | None = None,
        *,
        x: tuple[float, np.integer] = (0.25, np.uint8(128)),
        y: tuple[float, np.integer] = (0.5, np.int8(-3)),
        opset: int = 17,
    ) -> Path:
        """Write a QDQ model around nodes that read ``d`` and write ``r``.

        ``weights`` are (words, scale, zero point or None, axis) by the name behind their
        DequantizeLinear; ``x`` and ``y`` are scale and zero point of input and output.
        """
        made = {
            "x.scale": np.float32(x[0]), "x.zero": x[1],
            "y.scale": np.float32(y[0]), "y.zero": y[1],
            **(constants or {}),
        }  # fmt: skip
        before = [
            helper.make_node("QuantizeLinear", ["x", "x.scale", "x.zero"], ["q"], "quantise x"),
            helper.make_node("DequantizeLinear", ["q", "x.scale", "x.zero"], ["d"], "dequantise"),
        ]
        for name, (words, scale, zero, axis) in (weights or {}).items():
            made |= {f"{name}.words": words, f"{name}.scale": np.asarray(scale, np.float32)}
            inputs = [f"{name}.words", f"{name}.scale"]
            if zero is not None:
                made[f"{name}.zero"] = zero
                inputs.append(f"{name}.zero")
            before.append(
                helper.make_node(
                    "DequantizeLinear", inputs, [name], f"dequantise {name}", axis=axis
                )
            )
        after = [
            helper.make_node("QuantizeLinear", ["r", "y.scale", "y.zero"], ["v"], "quantise y"),
            helper.make_node("DequantizeLinear", ["v", "y.scale", "y.zero"], ["y"], "dequantise y"),
        ]
        return self.save(
            [*before, *nodes, *after], {"x": ("float32", shape)}, {"y": "float32"}, made, opset
        )


@pytest.fixture
def models(tmp_path: Path) -> ModelFiles:
    return ModelFiles(tmp_path)


def compare_with_ort(
    path: Path, inputs: Mapping[str, np.ndarray], rounded: int | None = 0
) -> Network:
    """Check every tensor of words, and every output, of one inference; return the network.

    ``rounded`` words of averages are one step off ONNX Runtime's; None is any number of them.
    """
    network = load_network(path)
    oracle = Oracle(path, network)
    words = run_network(
        network,
        {p.tensor: quantize(p, network.tensors[p.tensor], inputs[p.name]) for p in network.inputs},
    )
    expected = oracle.run(inputs, words)
    outputs = {
        port.name: dequantize(port, network.tensors[port.tensor], words[port.tensor])
        for port in network.outputs
    }
    for name, array in outputs.items():
        assert array.dtype == expected[name].dtype
    found = oracle.differences({**words, **outputs}, expected)
    assert found.wrong == 0
    assert rounded in (None, found.rounded)
    return network


@pytest.fixture
def compare() -> Callable[..., Network]:
    return compare_with_ort

"""ONNX Runtime as the second witness for whole networks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from stillflow.compiler.graph import Network


class Oracle:
    """A quantised model in ONNX Runtime, with every quantised tensor exposed.

    Parameters
    ----------
    path : Path
        The model.
    network : Network
        What the front end made of it: its tensors are looked up by name.
    """

    def __init__(self, path: Path, network: Network) -> None:
        self.network = network
        model = onnx.load(path)
        inner = onnx.shape_inference.infer_shapes(model)
        known = {value.name: value for value in inner.graph.value_info}
        outputs = {value.name for value in model.graph.output}
        inputs = {value.name for value in model.graph.input}
        for name in network.tensors:
            if name in known and name not in outputs | inputs:
                model.graph.output.append(known[name])
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Graph outputs and quantised tensors by name; tensors in the network's shape."""
        names = [output.name for output in self.session.get_outputs()]
        values = dict(zip(names, self.session.run(names, dict(inputs)), strict=True))
        ports = {port.name for port in self.network.outputs}
        return {
            name: np.asarray(value)
            if name in ports
            else np.asarray(value).reshape(self.network.tensors[name].shape)
            for name, value in values.items()
        }

"""A float ONNX graph, layer by layer, with random weights."""

from math import sqrt
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class FloatGraph:
    """Network under construction: one image in, scores out.

    Weights are normal with the spread that keeps the size of activations behind ReLU (He et al.
    2015), each filter scaled by a factor of its own between a half and twice; so filters differ in
    range as trained ones do. Biases are small. The same seed gives the same weights.

    Parameters
    ----------
    name : str
        Of the graph.
    channels, size : int
        Of the input image, ``[1, channels, size, size]``.
    seed : int
        Of the weights.
    """

    def __init__(self, name: str, *, channels: int, size: int, seed: int) -> None:
        self.name = name
        self.input = "image"
        self.shape = (1, channels, size, size)
        self._channels = {self.input: channels}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def conv(
        self, name: str, source: str, filters: int, kernel: int, *, stride: int = 1, pad: int = 0,
        groups: int = 1, gain: float = 1.0, normalised: bool = False,
    ) -> str:  # fmt: skip
        """Convolve; ``normalised`` puts a batch normalisation behind, instead of a bias."""
        channels = self._channels[source] // groups
        weights = [f"{name}.weight"]
        self._spread(weights[0], (filters, channels, kernel, kernel), gain)
        if not normalised:
            self._small(f"{name}.bias", filters)
            weights.append(f"{name}.bias")
        value = self._node(
            "Conv", name, [source, *weights], filters, kernel_shape=[kernel, kernel],
            strides=[stride, stride], pads=[pad] * 4, group=groups,
        )  # fmt: skip
        return self._batch_norm(f"{name}.bn", value, filters) if normalised else value

    def fc(self, name: str, source: str, filters: int, inputs: int, *, gain: float = 1.0) -> str:
        """Multiply with a matrix of ``filters`` rows."""
        self._spread(f"{name}.weight", (filters, inputs), gain)
        self._small(f"{name}.bias", filters)
        weights = [f"{name}.weight", f"{name}.bias"]
        return self._node("Gemm", name, [source, *weights], filters, transB=1)

    def relu(self, source: str) -> str:
        """Cut off below zero."""
        return self._node("Relu", f"{source}.relu", [source])

    def relu6(self, source: str) -> str:
        """Clip to 0..6."""
        bounds = []
        for bound in (0.0, 6.0):
            bounds.append(f"clip.{bound:.0f}")
            if all(weight.name != bounds[-1] for weight in self._weights):
                self._add(bounds[-1], np.array(bound, np.float32))
        return self._node("Clip", f"{source}.relu6", [source, *bounds])

    def max_pool(
        self, name: str, source: str, kernel: int, stride: int, *, pad: int = 0, ceil: bool = False
    ) -> str:
        """Take the largest of each window."""
        return self._node(
            "MaxPool", name, [source], kernel_shape=[kernel, kernel], strides=[stride, stride],
            pads=[pad] * 4, ceil_mode=int(ceil),
        )  # fmt: skip

    def average(self, name: str, source: str) -> str:
        """Average each plane, and flatten."""
        pooled = self._node("GlobalAveragePool", name, [source])
        return self.flatten(f"{name}.flat", pooled)

    def average_pool(self, name: str, source: str, kernel: int, stride: int) -> str:
        """Average each window."""
        return self._node(
            "AveragePool", name, [source], kernel_shape=[kernel, kernel], strides=[stride, stride]
        )

    def flatten(self, name: str, source: str) -> str:
        """Make a matrix of the planes."""
        return self._node("Flatten", name, [source])

    def lrn(self, name: str, source: str) -> str:
        """Normalise over five channels, as AlexNet and GoogLeNet do."""
        return self._node("LRN", name, [source], size=5, alpha=1e-4, beta=0.75, bias=1.0)

    def add(self, name: str, left: str, right: str) -> str:
        """Add a shortcut."""
        return self._node("Add", name, [left, right])

    def concat(self, name: str, sources: list[str]) -> str:
        """Put channels behind each other."""
        channels = sum(self._channels[source] for source in sources)
        return self._node("Concat", name, sources, channels, axis=1)

    def model(self, output: str) -> onnx.ModelProto:
        """Finish the graph."""
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _node(
        self, op: str, name: str, inputs: list[str], channels: int | None = None, **attributes: Any
    ) -> str:
        self._nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        self._channels[name] = self._channels[inputs[0]] if channels is None else channels
        return name

    def _batch_norm(self, name: str, source: str, channels: int) -> str:
        moments = {
            "scale": self._random.uniform(0.8, 1.2, channels),
            "bias": self._random.normal(0, 0.1, channels),
            "mean": self._random.normal(0, 0.1, channels),
            "var": self._random.uniform(0.8, 1.2, channels),
        }
        for part, values in moments.items():
            self._add(f"{name}.{part}", values.astype(np.float32))
        return self._node("BatchNormalization", name, [source, *(f"{name}.{p}" for p in moments)])

    def _spread(self, name: str, shape: tuple[int, ...], gain: float) -> None:
        factor = 2 ** self._random.uniform(-1, 1, (shape[0], *[1] * (len(shape) - 1)))
        spread = gain * sqrt(2 / np.prod(shape[1:])) * factor.astype(np.float32)
        self._add(name, self._random.standard_normal(shape, np.float32) * spread)

    def _small(self, name: str, count: int) -> None:
        self._add(name, self._random.normal(0, 0.05, count).astype(np.float32))

    def _add(self, name: str, values: NDArray[np.floating]) -> None:
        self._weights.append(numpy_helper.from_array(values.astype(np.float32), name))

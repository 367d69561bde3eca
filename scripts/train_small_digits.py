#!/usr/bin/env python3
"""Train a residual and a depthwise-separable network on 8x8 digits in NumPy, and quantise them.

Writes ``digits_residual.onnx`` and ``digits_separable.onnx`` into ``compiler/models``: the same
bytes each time on one machine, in a minute or two. Needs scikit-learn, for its digits.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from scripts.train_digits import HELD_OUT, SEED, TrainingDigits, accuracy, infer
from stillflow.compiler.models import DIGITS_RESIDUAL, DIGITS_SEPARABLE

Array = NDArray[np.float32]
BATCH, EPOCHS, RATE = 32, 40, 3e-3


@dataclass(eq=False)
class Node:
    """A value, how its gradient goes back, and its operator in ONNX."""

    value: Array
    name: str
    back: Callable[[Array], list[tuple["Node", Array]]] = lambda _: []
    sources: tuple["Node", ...] = ()
    gradient: Array | None = None


@dataclass
class Net:
    """Parameters, and the graph of the latest pass."""

    rng: np.random.Generator
    parameters: dict[str, Array] = field(default_factory=dict)
    found: dict[str, Array] = field(default_factory=dict)
    order: list[Node] = field(default_factory=list)
    onnx_nodes: list[onnx.NodeProto] = field(default_factory=list)

    def begin(self, images: Array) -> Node:
        """Start a pass."""
        self.order, self.onnx_nodes = [], []
        return Node(images, "image")

    def conv(self, name: str, x: Node, filters: int, kernel: int, stride: int = 1, *,
             depthwise: bool = False, gain: float = 1.0) -> Node:  # fmt: skip
        """Convolve with half the kernel as padding."""
        C, pad = x.value.shape[1], kernel // 2
        shape = (filters, 1 if depthwise else C, kernel, kernel)
        w = self._parameter(f"{name}.weight", shape, gain)
        b = self._parameter(f"{name}.bias", (filters,), 0)
        padded = np.pad(x.value, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
        how = "ncefrs,crs->ncef" if depthwise else "ncefrs,mcrs->nmef"
        weights = w[:, 0] if depthwise else w
        value = np.einsum(how, windows, weights, optimize=True) + b[None, :, None, None]

        def back(g: Array) -> list[tuple[Node, Array]]:
            to_w = "ncefrs,ncef->crs" if depthwise else "ncefrs,nmef->mcrs"
            self.found[f"{name}.weight"] = np.einsum(to_w, windows, g, optimize=True).reshape(
                w.shape
            )
            self.found[f"{name}.bias"] = g.sum((0, 2, 3))
            d = np.zeros_like(padded)
            E, F = g.shape[2:]
            for r in range(kernel):
                for s in range(kernel):
                    part = (
                        g * w[None, :, 0, r, s, None, None]
                        if depthwise
                        else np.einsum("nmef,mc->ncef", g, w[:, :, r, s], optimize=True)
                    )
                    d[:, :, r : r + E * stride : stride, s : s + F * stride : stride] += part
            H, W = x.value.shape[2:]
            return [(x, d[:, :, pad : pad + H, pad : pad + W])]

        return self._add(
            "Conv", name, value.astype(np.float32), back,
            [x.name, f"{name}.weight", f"{name}.bias"], (x,),
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4,
            group=C if depthwise else 1,
        )  # fmt: skip

    def relu(self, x: Node) -> Node:
        """Cut off below zero."""
        return self._add("Relu", f"{x.name}.relu", np.maximum(x.value, 0),
                         lambda g: [(x, g * (x.value > 0))], [x.name], (x,))  # fmt: skip

    def add(self, name: str, x: Node, y: Node) -> Node:
        """Add a shortcut."""
        return self._add("Add", name, x.value + y.value, lambda g: [(x, g), (y, g)],
                         [x.name, y.name], (x, y))  # fmt: skip

    def scores(self, x: Node) -> Node:
        """Average the planes, and multiply with a matrix."""
        N, C, H, W = x.value.shape
        w = self._parameter("fc.weight", (10, C), 1.0)
        b = self._parameter("fc.bias", (10,), 0)
        mean = x.value.mean((2, 3))
        self._add("GlobalAveragePool", "mean", mean, None, [x.name], ())
        self._add("Flatten", "flat", mean, None, ["mean"], ())

        def back(g: Array) -> list[tuple[Node, Array]]:
            self.found["fc.weight"], self.found["fc.bias"] = g.T @ mean, g.sum(0)
            return [(x, np.broadcast_to((g @ w)[:, :, None, None] / (H * W), (N, C, H, W)))]

        inputs = ["flat", "fc.weight", "fc.bias"]
        return self._add("Gemm", "scores", mean @ w.T + b, back, inputs, (x,), transB=1)

    def backward(self, output: Node, gradient: Array) -> None:
        """Leave the gradient of every parameter in ``found``."""
        output.gradient = gradient
        for node in reversed(self.order):
            if node.gradient is None:
                continue
            for source, part in node.back(node.gradient):
                source.gradient = part if source.gradient is None else source.gradient + part

    def _parameter(self, name: str, shape: tuple[int, ...], gain: float) -> Array:
        if name not in self.parameters:
            spread = gain * np.sqrt(2 / np.prod(shape[1:])) if gain else 0.0
            self.parameters[name] = (self.rng.normal(size=shape) * spread).astype(np.float32)
        return self.parameters[name]

    def _add(self, op, name, value, back, inputs, sources, **attributes) -> Node:  # type: ignore[no-untyped-def]
        self.onnx_nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        node = Node(value, name, back or (lambda _: []), sources)
        self.order.append(node)
        return node


def residual(net: Net, images: Array) -> Node:
    """Three blocks with shortcuts, one of them strided."""
    x = net.relu(net.conv("conv1", net.begin(images), 16, 3))
    for number, (filters, stride) in enumerate(((16, 1), (32, 2), (32, 1)), start=1):
        name, short = f"block{number}", x
        if stride > 1:
            short = net.conv(f"{name}.down", x, filters, 1, stride)
        inner = net.relu(net.conv(f"{name}.c1", x, filters, 3, stride))
        inner = net.conv(f"{name}.c2", inner, filters, 3, gain=0.5)
        x = net.relu(net.add(f"{name}.add", inner, short))
    return net.scores(x)


def separable(net: Net, images: Array) -> Node:
    """Depthwise and pointwise convolutions in turn."""
    x = net.relu(net.conv("conv1", net.begin(images), 16, 3))
    for number, (filters, stride) in enumerate(((32, 1), (64, 2), (64, 1)), start=2):
        channels = x.value.shape[1]
        x = net.relu(net.conv(f"conv{number}.dw", x, channels, 3, stride, depthwise=True))
        x = net.relu(net.conv(f"conv{number}.pw", x, filters, 1))
    return net.scores(x)


def shifted(rng: np.random.Generator, images: Array) -> Array:
    """Move each image by up to one pixel."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = np.empty_like(images)
    for index, (top, left) in enumerate(rng.integers(0, 3, (len(images), 2))):
        moved[index] = padded[index, :, top : top + 8, left : left + 8]
    return moved


def train(build: Callable[[Net, Array], Node], images: Array, labels: NDArray[np.int64]) -> Net:
    """Adam with a rate that falls to zero along a cosine."""
    rng = np.random.default_rng(SEED)
    net = Net(rng)
    mean: dict[str, Array] = {}
    square: dict[str, Array] = {}
    steps, step = EPOCHS * (len(images) // BATCH), 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            output = build(net, shifted(rng, images[chosen]))
            odds = np.exp(output.value - output.value.max(1, keepdims=True))
            odds /= odds.sum(1, keepdims=True)
            odds[np.arange(BATCH), labels[chosen]] -= 1
            net.backward(output, (odds / BATCH).astype(np.float32))
            step += 1
            rate = RATE * (1 + np.cos(np.pi * step / steps)) / 2
            for name, g in net.found.items():
                mean[name] = 0.9 * mean.get(name, 0) + 0.1 * g
                square[name] = 0.999 * square.get(name, 0) + 0.001 * g**2
                slope = mean[name] / (1 - 0.9**step)
                size = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                net.parameters[name] = (net.parameters[name] - rate * slope / size).astype("f")
    return net


def export(net: Net, path: Path) -> None:
    """Write the float network as ONNX."""
    graph = helper.make_graph(
        net.onnx_nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in net.parameters.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def main() -> None:
    """Train, export, quantise, report."""
    pixels, targets = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(targets))  # as `train_digits` holds out
    images = (np.asarray(pixels)[order].reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    labels = np.asarray(targets)[order].astype(np.int64)
    for build, made in ((residual, DIGITS_RESIDUAL), (separable, DIGITS_SEPARABLE)):
        with threadpool_limits(1), tempfile.TemporaryDirectory() as directory:
            net = train(build, images[HELD_OUT:], labels[HELD_OUT:])
            path = Path(directory) / "float.onnx"
            build(net, images[:1])
            export(net, path)
            quantize_static(
                path, made, TrainingDigits(images[HELD_OUT:]), quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
                reduce_range=True,  # 7-bit weights: ONNX Runtime is exact on every CPU
            )  # fmt: skip
            scores = infer(path, images[:HELD_OUT])
        model = onnx.load(made)
        del model.metadata_props[:]
        onnx.save(model, made)
        print(f"{made.name}: held out: float {accuracy(scores, labels[:HELD_OUT]):.2%}, ", end="")
        print(f"quantised {accuracy(infer(made, images[:HELD_OUT]), labels[:HELD_OUT]):.2%}")


if __name__ == "__main__":
    main()

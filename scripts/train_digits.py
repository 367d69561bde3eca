#!/usr/bin/env python3
"""Train the bundled digits network in NumPy and quantise it with ONNX Runtime.

Writes ``digits.onnx`` and ``digits_test.npz`` into ``compiler/models``: the same bytes each time on
one machine, in less than a minute. Needs scikit-learn, for its digits.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from stillflow.compiler.models import DIGITS, DIGITS_TEST, enlarge_digits

Array = NDArray[np.float32]
Parameters = dict[str, Array]

SEED = 1998  # the year of LeNet-5
HELD_OUT = 360
BATCH = 32
LEARNING_RATE = 2e-3


def initial_parameters(rng: np.random.Generator) -> Parameters:
    """Draw weights for ReLU; biases start at zero."""
    shapes = {
        "conv1": (6, 1, 5, 5),
        "conv2": (16, 6, 5, 5),
        "fc3": (120, 400),
        "fc4": (84, 120),
        "fc5": (10, 84),
    }
    parameters: Parameters = {}
    for name, shape in shapes.items():
        spread = np.sqrt(2 / np.prod(shape[1:]))
        parameters[f"{name}.weight"] = (rng.normal(size=shape) * spread).astype(np.float32)
        parameters[f"{name}.bias"] = np.zeros(shape[0], np.float32)
    return parameters


def convolve(ifmap: Array, filters: Array, bias: Array) -> tuple[Array, Array]:
    """5x5 convolution as a matrix product; also gives the patches [N, E, F, C*R*S]."""
    M, C, R, S = filters.shape
    windows = sliding_window_view(ifmap, (R, S), (2, 3)).transpose(0, 2, 3, 1, 4, 5)
    patches = np.ascontiguousarray(windows).reshape(*windows.shape[:3], C * R * S)
    return (patches @ filters.reshape(M, -1).T + bias).transpose(0, 3, 1, 2), patches


def convolve_backward(
    gradient: Array, patches: Array, filters: Array
) -> tuple[Array, Array, Array]:
    """Gradients of filters, bias and ifmap."""
    M, C, R, S = filters.shape
    flat = gradient.transpose(0, 2, 3, 1).reshape(-1, M)
    d_filters = (flat.T @ patches.reshape(-1, C * R * S)).reshape(filters.shape)
    N, _, E, F = gradient.shape
    d_patches = (flat @ filters.reshape(M, -1)).reshape(N, E, F, C, R, S)
    d_ifmap = np.zeros((N, C, E + R - 1, F + S - 1), np.float32)
    for r in range(R):
        for s in range(S):
            d_ifmap[:, :, r : r + E, s : s + F] += d_patches[..., r, s].transpose(0, 3, 1, 2)
    return d_filters, flat.sum(0), d_ifmap


def pool(ifmap: Array) -> tuple[Array, NDArray[np.bool_]]:
    """2x2 max pooling; also gives which pixels won."""
    N, C, H, W = ifmap.shape
    tiles = ifmap.reshape(N, C, H // 2, 2, W // 2, 2)
    ofmap = tiles.max((3, 5), keepdims=True)
    return ofmap.reshape(N, C, H // 2, W // 2), tiles == ofmap


def pool_backward(gradient: Array, won: NDArray[np.bool_]) -> Array:
    """Gradient of the ifmap; pixels that tie all get it."""
    N, C, E, F = gradient.shape
    return (won * gradient[:, :, :, None, :, None]).reshape(N, C, 2 * E, 2 * F)


def forward(p: Parameters, images: Array) -> tuple[Array, dict[str, Array]]:
    """Scores [N, 10], and what the backward pass needs."""
    kept: dict[str, Array] = {}
    value = images
    for name in ("conv1", "conv2"):
        value, kept[f"{name}.patches"] = convolve(value, p[f"{name}.weight"], p[f"{name}.bias"])
        kept[f"{name}.ofmap"] = value
        value, kept[f"{name}.won"] = pool(np.maximum(value, 0))  # type: ignore[assignment]
    value = value.reshape(len(value), -1)
    for name in ("fc3", "fc4", "fc5"):
        kept[f"{name}.ifmap"] = value
        value = value @ p[f"{name}.weight"].T + p[f"{name}.bias"]
        if name != "fc5":
            value = np.maximum(value, 0)
    return value, kept


def gradients(p: Parameters, images: Array, labels: NDArray[np.int64]) -> Parameters:
    """Gradients of the mean cross entropy."""
    scores, kept = forward(p, images)
    odds = np.exp(scores - scores.max(1, keepdims=True))
    gradient = odds / odds.sum(1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    gradient = (gradient / np.float32(len(labels))).astype(np.float32)
    found: Parameters = {}
    for name in ("fc5", "fc4", "fc3"):
        found[f"{name}.weight"] = gradient.T @ kept[f"{name}.ifmap"]
        found[f"{name}.bias"] = gradient.sum(0)
        gradient = (gradient @ p[f"{name}.weight"]) * (kept[f"{name}.ifmap"] > 0)
    gradient = gradient.reshape(len(images), 16, 5, 5)
    for name in ("conv2", "conv1"):
        gradient = pool_backward(gradient, kept[f"{name}.won"].astype(bool))
        gradient = gradient * (kept[f"{name}.ofmap"] > 0)
        found[f"{name}.weight"], found[f"{name}.bias"], gradient = convolve_backward(
            gradient, kept[f"{name}.patches"], p[f"{name}.weight"]
        )
    return found


def shifted(rng: np.random.Generator, images: Array) -> Array:
    """Move each image by up to three pixels, so that the network does not learn positions."""
    padded = np.pad(images, ((0, 0), (0, 0), (3, 3), (3, 3)))
    moved = np.empty_like(images)
    for index, (top, left) in enumerate(rng.integers(0, 7, (len(images), 2))):
        moved[index] = padded[index, :, top : top + 32, left : left + 32]
    return moved


def train(images: Array, labels: NDArray[np.int64], epochs: int) -> Parameters:
    """Adam with a rate that falls to zero along a cosine."""
    rng = np.random.default_rng(SEED)
    p = initial_parameters(rng)
    mean = {name: np.zeros_like(value) for name, value in p.items()}
    square = {name: np.zeros_like(value) for name, value in p.items()}
    steps = epochs * (len(images) // BATCH)
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            found = gradients(p, shifted(rng, images[chosen]), labels[chosen])
            step += 1
            rate = LEARNING_RATE * (1 + np.cos(np.pi * step / steps)) / 2
            for name, gradient in found.items():
                mean[name] += np.float32(0.1) * (gradient - mean[name])
                square[name] += np.float32(0.001) * (gradient**2 - square[name])
                slope = mean[name] / (1 - 0.9**step)
                size = np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8
                p[name] = (p[name] - rate * slope / size).astype(np.float32)
        print(f"epoch {epoch + 1}/{epochs}: {accuracy(forward(p, images)[0], labels):.2%} trained")
    return p


def accuracy(scores: Array, labels: NDArray[np.int64]) -> float:
    """Fraction of digits with the highest score at their label."""
    return float(np.mean(scores.argmax(1) == labels))


def export(p: Parameters, path: Path) -> None:
    """Write the float network as ONNX."""
    node = helper.make_node
    nodes = []
    value = "image"
    for name in ("conv1", "conv2"):
        number = name[-1]
        nodes += [
            node("Conv", [value, f"{name}.weight", f"{name}.bias"], [name], name),
            node("Relu", [name], [f"relu{number}"], f"relu{number}"),
            node(
                "MaxPool", [f"relu{number}"], [f"pool{number}"], f"pool{number}",
                kernel_shape=[2, 2], strides=[2, 2],
            ),
        ]  # fmt: skip
        value = f"pool{number}"
    nodes.append(node("Flatten", [value], ["flat"], "flatten"))
    value = "flat"
    for name in ("fc3", "fc4"):
        relu = f"relu{name[-1]}"
        inputs = [value, f"{name}.weight", f"{name}.bias"]
        nodes += [
            node("Gemm", inputs, [name], name, transB=1),
            node("Relu", [name], [relu], relu),
        ]
        value = relu
    nodes.append(node("Gemm", [value, "fc5.weight", "fc5.bias"], ["scores"], "fc5", transB=1))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 32])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in p.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


class TrainingDigits(CalibrationDataReader):
    """Images for the calibration."""

    def __init__(self, images: Array) -> None:
        self.images = iter(images)

    def get_next(self) -> dict[str, Array] | None:  # type: ignore[override]
        """Give one input of the graph, None at the end."""
        image = next(self.images, None)
        return None if image is None else {"image": image[None]}


def infer(path: Path, images: Array) -> Array:
    """Scores of ONNX Runtime, one image at a time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    scores = [np.asarray(session.run(None, {"image": image[None]})[0]) for image in images]
    return np.concatenate(scores)


def main() -> None:
    """Train, export, quantise, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    epochs = parser.parse_args().epochs

    pixels, targets = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(targets))
    small = np.asarray(pixels)[order].astype(np.uint8).reshape(-1, 8, 8)
    labels = np.asarray(targets)[order].astype(np.int64)
    images = enlarge_digits(small)
    with threadpool_limits(1):  # more threads would add in another order
        p = train(images[HELD_OUT:], labels[HELD_OUT:], epochs)

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "float.onnx"
        export(p, path)
        quantize_static(
            path,
            DIGITS,
            TrainingDigits(images[HELD_OUT:]),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # 7-bit weights: ONNX Runtime is exact on CPUs without VNNI too
        )
        scores = infer(path, images[:HELD_OUT])
    model = onnx.load(DIGITS)
    del model.metadata_props[:]  # the quantiser's note; without it, no part of the file is optional
    onnx.save(model, DIGITS)
    np.savez_compressed(
        DIGITS_TEST, images=small[:HELD_OUT], labels=labels[:HELD_OUT].astype(np.uint8)
    )
    print(f"held out: float {accuracy(scores, labels[:HELD_OUT]):.2%}, ", end="")
    print(f"quantised {accuracy(infer(DIGITS, images[:HELD_OUT]), labels[:HELD_OUT]):.2%}")


if __name__ == "__main__":
    main()

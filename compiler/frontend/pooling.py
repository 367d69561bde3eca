"""Max and average pooling, on words or between DequantizeLinear and QuantizeLinear."""

from dataclasses import dataclass, replace

import numpy as np

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.convolution import plane_of
from stillflow.compiler.frontend.endings import add_part
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Output,
    Real,
    Source,
    Stored,
    Words,
    plane_shape,
    seen_as,
)
from stillflow.compiler.frontend.window import read_pads, read_window
from stillflow.compiler.graph import Part, PoolLayer
from stillflow.hw.layer import PoolShape


@dataclass(frozen=True, kw_only=True)
class MaxPooling(Source):
    """Max pooling of a real value; it commutes with clipping and rounding, both monotone."""

    name: str
    shape: PoolShape
    ifmap: Real

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Quantise and clip the ifmap as the ofmap is to be, then add the layer."""
        ifmap = self.ifmap
        if output.fused:
            ifmap = ifmap.clipped(
                output.low, output.high, output.fused, f"{ifmap.name}/{output.fused[-1]}"
            )
        tensor = ifmap.store(builder, output.quantisation, ifmap.name)
        held = builder.tensors[tensor].shape
        if held != plane_shape(self.ifmap.shape):
            raise ValueError(
                f"ifmap of {self.name!r} must be [N, C, H, W] as it was computed ({list(held)}), "
                f"not {list(self.ifmap.shape)}"
            )
        return _add_layer(builder, self.name, self.shape, tensor, output.name)


@dataclass(frozen=True, kw_only=True)
class AveragePooling(Source):
    """Average pooling of words, whose mean waits for its quantisation.

    Parameters
    ----------
    name : str
        The node's.
    shape : PoolShape
        Loop bounds.
    ifmap : str
        Tensor that it reads.
    counted : tuple[int, int, int, int], optional
        Padding that a mean counts, top, left, bottom, right; by default all of it.
    """

    name: str
    shape: PoolShape
    ifmap: str
    counted: tuple[int, int, int, int] | None = None

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add a layer for every number of pixels that a mean has.

        The scale is as ONNX Runtime's global pooling has it.
        """
        tensor = builder.add_tensor(output.name, _ofmap_shape(self.shape), output.quantisation)
        x, y = builder.quantisation(self.ifmap).scale, output.quantisation.scale
        low, high = output.bounds
        areas = self._areas()
        for number, (shape, row, column, pixels) in enumerate(areas):
            layer = PoolLayer(
                name=self.name, op="avgpool", shape=shape, ifmap=self.ifmap, ofmap=tensor,
                scale=mean_scale(x, y, pixels), act_min=low, act_max=high, fused=output.fused,
            )  # fmt: skip
            if len(areas) > 1:
                part = add_part(
                    builder, f"{tensor}/{number}", _ofmap_shape(shape), Part(tensor, 0, row, column)
                )
                layer = replace(layer, name=f"{self.name}/{number}", ofmap=part)
            builder.add_layer(layer)
        return tensor

    def _areas(self) -> list[tuple[PoolShape, int, int, int]]:
        """Parts of the ofmap whose means have as many pixels: shape, first row and column, pixels.

        Windows at the edges have fewer where padding does not count.
        """
        s = self.shape
        top, left, _, _ = s.pad
        counted = self.counted or s.pad
        areas = []
        vertical = _alike(
            s.E, s.stride[0], s.R, s.dilation[0], -top, (-counted[0], s.H + counted[2])
        )
        horizontal = _alike(
            s.F, s.stride[1], s.S, s.dilation[1], -left, (-counted[1], s.W + counted[3])
        )
        for e0, E, rows in vertical:
            for f0, F, columns in horizontal:
                below = (e0 + E - 1) * s.stride[0] + (s.R - 1) * s.dilation[0] + 1 - top - s.H
                behind = (f0 + F - 1) * s.stride[1] + (s.S - 1) * s.dilation[1] + 1 - left - s.W
                pad = (top - e0 * s.stride[0], left - f0 * s.stride[1], below, behind)
                shape = replace(s, pad=s.pad if (E, F) == (s.E, s.F) else pad)
                areas.append((shape, e0, f0, rows * columns))
        return areas


def _alike(
    count: int, stride: int, extent: int, dilation: int, origin: int, counted: tuple[int, int]
) -> list[tuple[int, int, int]]:
    """Windows along one axis that count as many pixels: the first, how many, pixels.

    Positions ``counted[0]`` up to ``counted[1]`` count.
    """
    found: list[tuple[int, int, int]] = []
    for index in range(count):
        first = origin + index * stride
        places = range(first, first + extent * dilation, dilation)
        pixels = sum(counted[0] <= place < counted[1] for place in places)
        if found and found[-1][2] == pixels:
            found[-1] = (found[-1][0], found[-1][1] + 1, pixels)
        else:
            found.append((index, 1, pixels))
    return found


def mean_scale(x_scale: float, y_scale: float, pixels: int) -> float:
    """Scale from a window's sum to words of its mean: f32(x_scale / f32(y_scale * pixels))."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        scale = np.float32(x_scale) / (np.float32(y_scale) * np.float32(pixels))
    return float(scale)


def lower_max_pool(lowering: Lowering, node: Node) -> None:
    """MaxPool: words to words, or a real value to a real value."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.error("output Indices must be left out")
    value = lowering.activation(node, 0)
    if isinstance(value, Words):
        shape = _shape(node, plane_of(lowering, node, value))
        tensor = _add_layer(lowering.builder, node.name, shape, value.tensor, node.output)
        seen = seen_as(_ofmap_shape(shape), len(value.shape))
        lowering.bind(node.output, Words(tensor=tensor, shape=seen))
        return
    if len(value.shape) not in (3, 4):
        raise node.error(f"ifmap must be [N, C, H, W] or [N, C, W], not {list(value.shape)}")
    shape = _shape(node, plane_shape(value.shape))
    source = MaxPooling(name=node.name, shape=shape, ifmap=value)
    lowering.produce(node, seen_as(_ofmap_shape(shape), len(value.shape)), source)


def lower_global_max_pool(lowering: Lowering, node: Node) -> None:
    """GlobalMaxPool of words."""
    words = lowering.words(node, 0)
    shape = _whole(plane_of(lowering, node, words))
    tensor = _add_layer(lowering.builder, node.name, shape, words.tensor, node.output)
    seen = seen_as(_ofmap_shape(shape), len(words.shape))
    lowering.produce(node, seen, Stored(tensor=tensor))


def lower_average_pool(lowering: Lowering, node: Node) -> None:
    """AveragePool: words to a real value."""
    ifmap = lowering.words(node, 0)
    shape = _shape(node, plane_of(lowering, node, ifmap))
    _average(lowering, node, shape, ifmap, _counted(node, shape))


def lower_qlinear_average_pool(lowering: Lowering, node: Node) -> None:
    """QLinearAveragePool: words to words."""
    ifmap = _settled(lowering, node)
    shape = _shape(node, plane_of(lowering, node, ifmap))
    _average(lowering, node, shape, ifmap, _counted(node, shape))
    _quantise(lowering, node)


def lower_global_average_pool(lowering: Lowering, node: Node) -> None:
    """GlobalAveragePool: words to a real value."""
    ifmap = lowering.words(node, 0)
    _average(lowering, node, _whole(plane_of(lowering, node, ifmap)), ifmap)


def lower_qlinear_global_average_pool(lowering: Lowering, node: Node) -> None:
    """QLinearGlobalAveragePool: words to words."""
    ifmap = _settled(lowering, node)
    _average(lowering, node, _whole(plane_of(lowering, node, ifmap)), ifmap)
    _quantise(lowering, node)


def lower_reduce_mean(lowering: Lowering, node: Node) -> None:
    """ReduceMean over the plane: global average pooling, with or without the axes kept."""
    ifmap = lowering.words(node, 0)
    N, C, H, W = plane_of(lowering, node, ifmap)
    given = lowering.array(node, 1) if node.has(1) else node.attributes.get("axes", ())
    axes = sorted(int(axis) % 4 for axis in given)
    if axes != [2, 3]:
        raise node.error(f"axes must be the plane's, [2, 3], not {[int(a) for a in given]}")
    shape = _whole((N, C, H, W))
    source = AveragePooling(name=node.name, shape=shape, ifmap=ifmap.tensor)
    kept = node.integer("keepdims", 1)
    lowering.produce(node, _ofmap_shape(shape) if kept else (N, C), source)


def _settled(lowering: Lowering, node: Node) -> Words:
    node.require("channels_last", 0)
    ifmap = lowering.words(node, 0)
    lowering.builder.settle(ifmap.tensor, lowering.quantisation(node, 1, 2))
    return ifmap


def _average(
    lowering: Lowering, node: Node, shape: PoolShape, ifmap: Words,
    counted: tuple[int, int, int, int] | None = None,
) -> None:  # fmt: skip
    source = AveragePooling(name=node.name, shape=shape, ifmap=ifmap.tensor, counted=counted)
    lowering.produce(node, seen_as(_ofmap_shape(shape), len(ifmap.shape)), source)


def _quantise(lowering: Lowering, node: Node) -> None:
    real = lowering.values[node.output]
    assert isinstance(real, Real)
    lowering.quantise(node, real, lowering.quantisation(node, 3, 4))


def _counted(node: Node, shape: PoolShape) -> tuple[int, int, int, int]:
    """Read which padding counts: none, or what the node asks for, but never what ceil_mode adds."""
    if not node.integer("count_include_pad", 0):
        return (0, 0, 0, 0)
    if node.text("auto_pad", "NOTSET") != "NOTSET":
        return shape.pad
    return read_pads(node)


def _whole(plane: tuple[int, int, int, int]) -> PoolShape:
    N, C, H, W = plane
    return PoolShape(N=N, C=C, H=H, W=W, R=H, S=W)


def _shape(node: Node, plane: tuple[int, int, int, int]) -> PoolShape:
    N, C, H, W = plane
    window = read_window(node, (H, W), None)
    top, left, bottom, right = window.pad
    rows, columns = (
        (size - 1) * dilation + 1
        for size, dilation in zip((window.R, window.S), window.dilation, strict=True)
    )
    if max(top, bottom) >= rows or max(left, right) >= columns:
        raise node.error(f"pads must be smaller than the {rows}x{columns} window")
    return PoolShape(
        N=N,
        C=C,
        H=H,
        W=W,
        R=window.R,
        S=window.S,
        stride=window.stride,
        pad=window.pad,
        dilation=window.dilation,
    )


def _add_layer(builder: NetworkBuilder, name: str, shape: PoolShape, ifmap: str, ofmap: str) -> str:
    tensor = builder.add_pooled(ofmap, _ofmap_shape(shape), ifmap)
    builder.add_layer(PoolLayer(name=name, op="maxpool", shape=shape, ifmap=ifmap, ofmap=tensor))
    return tensor


def _ofmap_shape(shape: PoolShape) -> tuple[int, int, int, int]:
    return shape.N, shape.C, shape.E, shape.F


HANDLERS = {
    ("", "MaxPool"): lower_max_pool,
    ("", "GlobalMaxPool"): lower_global_max_pool,
    ("", "AveragePool"): lower_average_pool,
    ("", "GlobalAveragePool"): lower_global_average_pool,
    ("", "ReduceMean"): lower_reduce_mean,
    ("com.microsoft", "QLinearAveragePool"): lower_qlinear_average_pool,
    ("com.microsoft", "QLinearGlobalAveragePool"): lower_qlinear_global_average_pool,
}

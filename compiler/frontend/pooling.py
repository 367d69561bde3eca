"""Max and average pooling, on words or between DequantizeLinear and QuantizeLinear."""

from dataclasses import dataclass

import numpy as np

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.convolution import plane_of
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Output, Real, Source, Words
from stillflow.compiler.frontend.window import read_window
from stillflow.compiler.graph import PoolLayer
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
        if held != self.ifmap.shape:
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
    """

    name: str
    shape: PoolShape
    ifmap: str

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add the layer; the scale is as ONNX Runtime's global pooling has it."""
        tensor = builder.add_tensor(output.name, _ofmap_shape(self.shape), output.quantisation)
        x, y = builder.quantisation(self.ifmap).scale, output.quantisation.scale
        low, high = output.bounds
        builder.add_layer(
            PoolLayer(
                name=self.name, op="avgpool", shape=self.shape, ifmap=self.ifmap, ofmap=tensor,
                scale=mean_scale(x, y, self.shape.R * self.shape.S), act_min=low, act_max=high,
                fused=output.fused,
            )
        )  # fmt: skip
        return tensor


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
        lowering.bind(node.output, Words(tensor=tensor, shape=_ofmap_shape(shape)))
        return
    if len(value.shape) != 4:
        raise node.error(f"ifmap must be [N, C, H, W], not {list(value.shape)}")
    N, C, H, W = value.shape
    shape = _shape(node, (N, C, H, W))
    source = MaxPooling(name=node.name, shape=shape, ifmap=value)
    lowering.produce(node, _ofmap_shape(shape), source)


def lower_average_pool(lowering: Lowering, node: Node) -> None:
    """AveragePool: words to a real value."""
    ifmap = lowering.words(node, 0)
    _average(lowering, node, _average_shape(node, plane_of(lowering, node, ifmap)), ifmap)


def lower_qlinear_average_pool(lowering: Lowering, node: Node) -> None:
    """QLinearAveragePool: words to words."""
    ifmap = _settled(lowering, node)
    _average(lowering, node, _average_shape(node, plane_of(lowering, node, ifmap)), ifmap)
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


def _average(lowering: Lowering, node: Node, shape: PoolShape, ifmap: Words) -> None:
    source = AveragePooling(name=node.name, shape=shape, ifmap=ifmap.tensor)
    lowering.produce(node, _ofmap_shape(shape), source)


def _quantise(lowering: Lowering, node: Node) -> None:
    real = lowering.values[node.output]
    assert isinstance(real, Real)
    lowering.quantise(node, real, lowering.quantisation(node, 3, 4))


def _average_shape(node: Node, plane: tuple[int, int, int, int]) -> PoolShape:
    shape = _shape(node, plane)
    if any(shape.pad) and not node.integer("count_include_pad", 0):
        raise node.error(
            "count_include_pad must be 1 where there is padding: means of fewer pixels at the edge "
            "are not supported"
        )
    if node.integer("ceil_mode", 0):
        raise node.error("ceil_mode must be 0")
    return shape


def _whole(plane: tuple[int, int, int, int]) -> PoolShape:
    N, C, H, W = plane
    return PoolShape(N=N, C=C, H=H, W=W, R=H, S=W)


def _shape(node: Node, plane: tuple[int, int, int, int]) -> PoolShape:
    N, C, H, W = plane
    window = read_window(node, (H, W), None)
    if window.dilation != (1, 1):
        raise node.error(f"dilations must be [1, 1], not {list(window.dilation)}")
    top, left, bottom, right = window.pad
    if max(top, bottom) >= window.R or max(left, right) >= window.S:
        raise node.error(f"pads must be smaller than the {window.R}x{window.S} window")
    return PoolShape(
        N=N, C=C, H=H, W=W, R=window.R, S=window.S, stride=window.stride, pad=window.pad
    )


def _add_layer(builder: NetworkBuilder, name: str, shape: PoolShape, ifmap: str, ofmap: str) -> str:
    tensor = builder.add_pooled(ofmap, _ofmap_shape(shape), ifmap)
    builder.add_layer(PoolLayer(name=name, op="maxpool", shape=shape, ifmap=ifmap, ofmap=tensor))
    return tensor


def _ofmap_shape(shape: PoolShape) -> tuple[int, int, int, int]:
    return shape.N, shape.C, shape.E, shape.F


HANDLERS = {
    ("", "MaxPool"): lower_max_pool,
    ("", "AveragePool"): lower_average_pool,
    ("", "GlobalAveragePool"): lower_global_average_pool,
    ("", "ReduceMean"): lower_reduce_mean,
    ("com.microsoft", "QLinearAveragePool"): lower_qlinear_average_pool,
    ("com.microsoft", "QLinearGlobalAveragePool"): lower_qlinear_global_average_pool,
}

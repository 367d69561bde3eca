"""Max pooling, on words or between DequantizeLinear and QuantizeLinear."""

from dataclasses import dataclass

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


HANDLERS = {("", "MaxPool"): lower_max_pool}

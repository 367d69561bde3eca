"""Convolutions: Conv between DequantizeLinear and QuantizeLinear, and QLinearConv."""

from dataclasses import dataclass, replace

import numpy as np

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import take_padding
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Output,
    Real,
    Source,
    Words,
    plane_shape,
    seen_as,
)
from stillflow.compiler.frontend.weights import (
    Bias,
    Filters,
    integer_bias,
    real_bias,
    real_filters,
    signed_filters,
)
from stillflow.compiler.frontend.window import read_window
from stillflow.compiler.graph import ConvLayer
from stillflow.hw.layer import ConvShape


@dataclass(frozen=True, kw_only=True, eq=False)
class Convolution(Source):
    """A convolution whose psums wait for the quantisation of the ofmap.

    Parameters
    ----------
    name, op : str
        As in `ConvLayer`.
    shape : ConvShape
        Loop bounds.
    ifmap : str
        Tensor that it reads.
    filters : Filters
        Words int8[M, C / G, R, S], with their scales.
    bias : Bias
        Added to the psums.
    step : float
        Scale of the ifmap.
    folded : tuple[str, ...]
        Nodes that became part of it.
    inexact : bool
        Whether ONNX Runtime computes the same in float arithmetic, one operator after the other.
    """

    name: str
    op: str
    shape: ConvShape
    ifmap: str
    filters: Filters
    bias: Bias
    step: float
    folded: tuple[str, ...] = ()
    inexact: bool = False

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add the layer with its requantisation."""
        shape = self.shape
        tensor = builder.add_tensor(
            output.name, (shape.N, shape.M, shape.E, shape.F), output.quantisation
        )
        low, high = output.bounds
        builder.add_layer(
            ConvLayer(
                name=self.name,
                op="fc" if self.op == "fc" else "conv",
                shape=shape,
                ifmap=self.ifmap,
                ofmap=tensor,
                filters=self.filters.words,
                bias=np.rint(self.bias.steps).astype(np.int64),
                scale=self.filters.requant_scale(
                    builder.quantisation(self.ifmap), output.quantisation
                ),
                act_min=low,
                act_max=high,
                tolerance=int(self.inexact or self.bias.real),
                fused=(*self.folded, *output.fused),
            )
        )
        return tensor


def lower_conv(lowering: Lowering, node: Node) -> None:
    """Conv: words in, a real value out."""
    ifmap = lowering.words(node, 0)
    filters = real_filters(lowering, node, 1, axis=0)
    held = lowering.builder.quantisation(ifmap.tensor)
    bias = real_bias(lowering, node, 2, held, filters)
    source = _convolution(lowering, node, ifmap, filters, bias)
    lowering.produce(node, _ofmap_shape(source, len(ifmap.shape)), source)


def lower_qlinear_conv(lowering: Lowering, node: Node) -> None:
    """QLinearConv: words in, words out."""
    ifmap = lowering.words(node, 0)
    lowering.builder.settle(ifmap.tensor, lowering.quantisation(node, 1, 2))
    filters = signed_filters(node, node.input(3), lowering.scaled(node, 3, 4, 5, 0), 0)
    bias = integer_bias(lowering, node, 8, filters.scale.size)
    source = _convolution(lowering, node, ifmap, filters, bias)
    shape = _ofmap_shape(source, len(ifmap.shape))
    real = Real(name=node.output, shape=shape, source=source)
    lowering.quantise(node, real, lowering.quantisation(node, 6, 7))


def _convolution(
    lowering: Lowering, node: Node, ifmap: Words, filters: Filters, bias: Bias
) -> Convolution:
    plane_of(lowering, node, ifmap)
    tensor, before = take_padding(lowering.builder, ifmap.tensor)
    N, C, H, W = lowering.builder.tensors[tensor].shape
    M, group_channels, R, S = plane_shape(filters.words.shape)  # as many axes: the checker's work
    filters = replace(filters, words=filters.words.reshape(M, group_channels, R, S))
    G = node.integer("group", 1)
    if group_channels * G != C:
        raise node.error(
            f"weights must have {C}/{G} channels for the ifmap's {C} in {G} groups, "
            f"not {group_channels}"
        )
    padded = H + before[0] + before[2], W + before[1] + before[3]
    window = read_window(node, padded, (R, S))
    top, left, bottom, right = (a + b for a, b in zip(window.pad, before, strict=True))
    shape = ConvShape(
        N=N, G=G, C=C, M=M, H=H, W=W, R=R, S=S,
        stride=window.stride, pad=(top, left, bottom, right), dilation=window.dilation,
    )  # fmt: skip
    return Convolution(
        name=node.name, op="conv", shape=shape, ifmap=tensor, filters=filters, bias=bias,
        step=lowering.builder.quantisation(tensor).scale,
    )  # fmt: skip


def plane_of(lowering: Lowering, node: Node, ifmap: Words) -> tuple[int, int, int, int]:
    """N, C, H, W of an ifmap that is seen as it lies in its tensor: planes, or rows of pixels."""
    shape = lowering.builder.tensors[ifmap.tensor].shape
    if len(ifmap.shape) not in (3, 4):
        raise node.error(f"ifmap must be [N, C, H, W] or [N, C, W], not {list(ifmap.shape)}")
    if plane_shape(ifmap.shape) != shape:
        raise node.error(
            f"ifmap must be [N, C, H, W] as it was computed ({list(shape)}), "
            f"not {list(ifmap.shape)}"
        )
    return shape


def _ofmap_shape(source: Convolution, rank: int) -> tuple[int, ...]:
    shape = source.shape
    return seen_as((shape.N, shape.M, shape.E, shape.F), rank)


HANDLERS = {("", "Conv"): lower_conv, ("", "QLinearConv"): lower_qlinear_conv}

"""Multiplication with and addition of constants, and batch normalisation: ``a * x + b``.

One constant for all channels is a function like any other, by table. One for each channel is a
scale and a bias of each: those of the convolution before it, or of a 1x1 pass of its own.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.convolution import Convolution
from stillflow.compiler.frontend.function import produce
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Constant,
    Output,
    Real,
    ScaledConstant,
    Source,
    Value,
    plane_shape,
)
from stillflow.compiler.frontend.weights import Filters
from stillflow.compiler.graph import ConvLayer
from stillflow.hw.layer import ConvShape

Factors = NDArray[np.float64]
UNIT = 64  # of a weight: an offset is rounded to so many parts of an ifmap step


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine(Source):
    """Words times a factor plus an offset of each channel, which wait for their quantisation.

    Parameters
    ----------
    name : str
        The node's.
    ifmap : str
        Tensor that it reads.
    factor, offset : float64[C]
        Real values.
    """

    name: str
    ifmap: str
    factor: Factors
    offset: Factors

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add a 1x1 convolution of each channel by itself."""
        N, C, H, W = shape = builder.tensors[self.ifmap].shape
        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        step = builder.quantisation(self.ifmap).scale * np.abs(self.factor) / UNIT
        step = np.where(step == 0, output.quantisation.scale, step)  # nothing but the offset
        low, high = output.bounds
        builder.add_layer(
            ConvLayer(
                name=self.name, op="scale", shape=ConvShape(N=N, C=C, M=C, G=C, H=H, W=W),
                ifmap=self.ifmap, ofmap=tensor,
                filters=(UNIT * np.sign(self.factor)).astype(np.int8).reshape(C, 1, 1, 1),
                bias=np.rint(self.offset / step).astype(np.int64),
                scale=(step / output.quantisation.scale).astype(np.float32),
                act_min=low, act_max=high, tolerance=1, fused=output.fused,
            )
        )  # fmt: skip
        return tensor


def fold(source: Convolution, factor: Factors, offset: Factors) -> Convolution:
    """Scale a convolution's real ofmap channel by channel, and add to it."""
    words, scale = source.filters.words, source.filters.scale.astype(np.float64)
    signs = np.where(factor < 0, -1, 1)
    if words[factor < 0].min(initial=0) == np.iinfo(np.int8).min:
        raise ValueError("weights of -128 cannot change their sign: quantise them to -127..127")
    scaled = np.where(factor == 0, scale, scale * np.abs(factor))
    kept = np.where(factor == 0, 0, signs)
    step = source.step * scaled
    return replace(
        source,
        filters=Filters(
            words=(words * kept.reshape(-1, *[1] * (words.ndim - 1))).astype(np.int8),
            scale=scaled.astype(np.float32),
        ),
        bias=replace(source.bias, steps=source.bias.steps * kept + offset / step),
        inexact=True,
    )


def lower_multiply(lowering: Lowering, node: Node) -> None:
    """Mul of an activation with a constant."""
    index, constant = _operands(lowering, node)
    _lower(lowering, node, index, constant, np.zeros_like(constant))


def lower_add(lowering: Lowering, node: Node) -> None:
    """Add of a constant to an activation."""
    index, constant = _operands(lowering, node)
    _lower(lowering, node, index, np.ones_like(constant), constant)


def lower_subtract(lowering: Lowering, node: Node) -> None:
    """Sub of a constant and an activation, either way round."""
    index, constant = _operands(lowering, node)
    sign = 1 if index == 0 else -1
    _lower(lowering, node, index, np.full_like(constant, sign), -sign * constant)


def lower_divide(lowering: Lowering, node: Node) -> None:
    """Div of an activation by a constant."""
    index, constant = _operands(lowering, node)
    if index != 0 or not np.all(constant):
        raise node.error("the divisor must be a constant other than zero")
    _lower(lowering, node, index, 1 / constant, np.zeros_like(constant))


def lower_batch_normalisation(lowering: Lowering, node: Node) -> None:
    """BatchNormalization with constant moments."""
    gamma, beta, mean, variance = (
        lowering.array(node, index).astype(np.float64).reshape(-1) for index in range(1, 5)
    )
    factor = gamma / np.sqrt(variance + node.number("epsilon", 1e-5))
    _lower(lowering, node, 0, factor, beta - mean * factor, channels=True)


def is_constant(value: Value) -> bool:
    """Whether a value is known before the network runs."""
    return isinstance(value, Constant | ScaledConstant)


def _operands(lowering: Lowering, node: Node) -> tuple[int, Factors]:
    """Which operand is the activation, and the other one, constant."""
    constants = [is_constant(lowering.value(node, index)) for index in (0, 1)]
    if sum(constants) != 1:
        raise node.error("exactly one operand must be constant")
    index = constants.index(False)
    return index, lowering.array(node, 1 - index).astype(np.float64)


def _lower(
    lowering: Lowering, node: Node, index: int, factor: Factors, offset: Factors,
    *, channels: bool = False,
) -> None:  # fmt: skip
    value = lowering.activation(node, index)
    count = value.shape[1] if len(value.shape) > 1 else 1
    if factor.size == 1 and not channels:
        a, b = float(factor.reshape(-1)[0]), float(offset.reshape(-1)[0])
        if not (isinstance(value, Real) and isinstance(value.source, Convolution)):
            produce(lowering, node, lambda x: a * x + b, index)
            return
        factor, offset = np.full(count, a), np.full(count, b)
    elif not channels:
        wanted = (count, *[1] * (len(value.shape) - 2))
        if factor.shape not in (wanted, (1, *wanted)):
            raise node.error(
                f"the constant must be one number, or one for each channel, {list(wanted)}, "
                f"not {list(factor.shape)}"
            )
        factor, offset = factor.reshape(-1), offset.reshape(-1)
    if isinstance(value, Real) and isinstance(value.source, Convolution) and not value.fused:
        source = fold(value.source, factor, offset)
        folded = replace(source, folded=(*source.folded, node.name))
        lowering.produce(node, value.shape, folded)
        return
    words = lowering.words(node, index)
    if plane_shape(words.shape) != lowering.builder.tensors[words.tensor].shape:
        raise node.error(f"ifmap must be as it was computed, not {list(words.shape)}")
    lowering.produce(
        node, words.shape,
        Affine(name=node.name, ifmap=words.tensor, factor=factor, offset=offset),
    )  # fmt: skip


HANDLERS = {
    ("", "Div"): lower_divide,
    ("", "BatchNormalization"): lower_batch_normalisation,
}

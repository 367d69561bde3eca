"""QuantizeLinear and DequantizeLinear: where real values become words and back."""

from dataclasses import replace

import numpy as np

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Constant,
    Hosted,
    Real,
    ScaledConstant,
    Stored,
    Words,
)


def lower_quantize(lowering: Lowering, node: Node) -> None:
    """QuantizeLinear: gives the layer before it its quantisation; constants are quantised here."""
    _check(node)
    value = lowering.value(node, 0)
    if isinstance(value, Constant | ScaledConstant):
        _quantize_constant(lowering, node)
    elif isinstance(value, Words):
        raise node.error(f"input {node.input(0)!r} must be float, not quantised already")
    elif isinstance(value, Hosted):
        held = lowering.quantisation(node, 1, 2)
        low, high = ((word - held.zero_point) * held.scale for word in held.range)
        function = replace(value.function, step=held.scale, low=low, high=high)
        lowering.bind(node.output, replace(value, function=function, words=True))
    else:
        real = lowering.activation(node, 0)
        assert isinstance(real, Real)
        lowering.quantise(node, real, lowering.quantisation(node, 1, 2))


def lower_dequantize(lowering: Lowering, node: Node) -> None:
    """DequantizeLinear: words seen as real values."""
    _check(node)
    value = lowering.value(node, 0)
    if isinstance(value, Words):
        lowering.builder.settle(value.tensor, lowering.quantisation(node, 1, 2))
        real = Real(name=node.output, shape=value.shape, source=Stored(tensor=value.tensor))
        lowering.bind(node.output, real)
    elif isinstance(value, Hosted) and value.words:
        lowering.bind(node.output, replace(value, words=False))
    elif isinstance(value, Constant):
        lowering.bind(node.output, lowering.scaled(node, 0, 1, 2, node.integer("axis", 1)))
    else:
        raise node.error(f"input {node.input(0)!r} must be quantised, not float")


def _check(node: Node) -> None:
    node.require("block_size", 0)


def _quantize_constant(lowering: Lowering, node: Node) -> None:
    real = lowering.array(node, 0).astype(np.float32)
    dtype = np.dtype(lowering.array(node, 2).dtype.name if node.has(2) else "uint8")
    if dtype.name not in ("int8", "uint8"):
        raise node.error(f"constants must become int8 or uint8, not {dtype}")
    scale = lowering.array(node, 1).reshape(-1).astype(np.float32)
    zero = lowering.array(node, 2).reshape(-1) if node.has(2) else np.zeros(scale.size, dtype)
    spread = [1] * real.ndim
    if scale.size > 1:
        axis = node.integer("axis", 1)
        if not -real.ndim <= axis < real.ndim or real.shape[axis] != scale.size:
            raise node.error(f"axis {axis} of {list(real.shape)} must have {scale.size} indices")
        spread[axis] = -1
    steps = np.rint(real / scale.reshape(spread)) + zero.astype(np.int64).reshape(spread)
    info = np.iinfo(dtype.name)
    lowering.bind(node.output, Constant(np.clip(steps, info.min, info.max).astype(dtype)))


HANDLERS = {
    (domain, op): handler
    for domain in ("", "com.microsoft")
    for op, handler in (("QuantizeLinear", lower_quantize), ("DequantizeLinear", lower_dequantize))
}

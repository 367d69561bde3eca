"""ReLU and Clip: bounds of the value before them."""

from math import inf

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Words


def lower_relu(lowering: Lowering, node: Node) -> None:
    """Relu: clip at zero."""
    _clip(lowering, node, 0.0, inf)


def lower_clip(lowering: Lowering, node: Node) -> None:
    """Clip: bounds are attributes (up to opset 10) or constant inputs."""
    low = node.number("min", -inf)
    high = node.number("max", inf)
    if node.has(1):
        low = _bound(lowering, node, 1)
    if node.has(2):
        high = _bound(lowering, node, 2)
    _clip(lowering, node, low, high)


def _bound(lowering: Lowering, node: Node, index: int) -> float:
    array = lowering.array(node, index)
    if array.size != 1:
        raise node.error(f"bound {node.input(index)!r} must be one number, not {array.size}")
    return float(array.reshape(-1)[0])


def _clip(lowering: Lowering, node: Node, low: float, high: float) -> None:
    value = lowering.activation(node, 0)
    if isinstance(value, Words):
        raise node.error("it must stand between DequantizeLinear and QuantizeLinear")
    lowering.bind(node.output, value.clipped(low, high, (node.name,), node.output))


HANDLERS = {("", "Relu"): lower_relu, ("", "Clip"): lower_clip}

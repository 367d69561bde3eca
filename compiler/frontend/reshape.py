"""Operators that move no element: Flatten, Reshape, Identity; and Constant."""

from math import prod

import numpy as np
from onnx import numpy_helper

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Constant, reshaped


def lower_flatten(lowering: Lowering, node: Node) -> None:
    """Flatten to a matrix."""
    value = lowering.activation(node, 0)
    axis = node.integer("axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    shape = (prod(value.shape[:axis]), prod(value.shape[axis:]))
    lowering.bind(node.output, reshaped(value, shape, node.output))


def lower_reshape(lowering: Lowering, node: Node) -> None:
    """Reshape to a constant shape."""
    value = lowering.activation(node, 0)
    wanted = [int(size) for size in lowering.array(node, 1).reshape(-1)]
    if not node.integer("allowzero", 0):
        for axis, size in enumerate(wanted):
            if size == 0 and axis < len(value.shape):
                wanted[axis] = value.shape[axis]
    if wanted.count(-1) == 1:
        rest = prod(size for size in wanted if size != -1)
        if rest > 0:
            wanted[wanted.index(-1)] = prod(value.shape) // rest
    lowering.bind(node.output, reshaped(value, tuple(wanted), node.output))


def lower_identity(lowering: Lowering, node: Node) -> None:
    """Identity: another name."""
    lowering.bind(node.output, lowering.value(node, 0))


def lower_constant(lowering: Lowering, node: Node) -> None:
    """Constant, as a tensor or as Python numbers."""
    ((name, value),) = node.attributes.items()  # the checker sees to it that there is one
    if name == "value":
        array = numpy_helper.to_array(value)
    elif name in ("value_float", "value_floats"):
        array = np.asarray(value, np.float32)
    elif name in ("value_int", "value_ints"):
        array = np.asarray(value, np.int64)
    else:
        raise node.error(f"attribute {name} is not supported: use value")
    lowering.bind(node.output, Constant(array))


HANDLERS = {
    ("", "Flatten"): lower_flatten,
    ("", "Reshape"): lower_reshape,
    ("", "Identity"): lower_identity,
    ("", "Constant"): lower_constant,
}

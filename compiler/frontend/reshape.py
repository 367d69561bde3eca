"""Operators that move no element: Flatten, Reshape and their like; and constants."""

from math import prod

import numpy as np
from onnx import numpy_helper

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Constant, ScaledConstant, Value, reshaped


def lower_flatten(lowering: Lowering, node: Node) -> None:
    """Flatten to a matrix."""
    value = lowering.computed(node, 0)
    axis = node.integer("axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    shape = (prod(value.shape[:axis]), prod(value.shape[axis:]))
    lowering.bind(node.output, reshaped(value, shape, node.output))


def lower_reshape(lowering: Lowering, node: Node) -> None:
    """Reshape to a constant shape, of constants too."""
    shape = _shape_of(lowering.value(node, 0))
    wanted = [int(size) for size in lowering.array(node, 1).reshape(-1)]
    if not node.integer("allowzero", 0):
        for axis, size in enumerate(wanted):
            if size == 0 and axis < len(shape):
                wanted[axis] = shape[axis]
    if wanted.count(-1) == 1:
        rest = prod(size for size in wanted if size != -1)
        if rest > 0:
            wanted[wanted.index(-1)] = prod(shape) // rest
    _see(lowering, node, tuple(wanted))


def lower_identity(lowering: Lowering, node: Node) -> None:
    """Identity: another name."""
    lowering.bind(node.output, lowering.value(node, 0))


def lower_squeeze(lowering: Lowering, node: Node) -> None:
    """Squeeze, of constants too."""
    value = lowering.value(node, 0)
    shape = _shape_of(value)
    axes = [axis % len(shape) for axis in _axes(lowering, node)]
    axes = axes or [axis for axis, size in enumerate(shape) if size == 1]
    _see(lowering, node, tuple(size for axis, size in enumerate(shape) if axis not in axes))


def lower_unsqueeze(lowering: Lowering, node: Node) -> None:
    """Unsqueeze, of constants too."""
    shape = list(_shape_of(lowering.value(node, 0)))
    axes = _axes(lowering, node)
    for axis in sorted(axis % (len(shape) + len(axes)) for axis in axes):
        shape.insert(axis, 1)
    _see(lowering, node, tuple(shape))


def lower_constant_of_shape(lowering: Lowering, node: Node) -> None:
    """ConstantOfShape with a constant shape."""
    shape = tuple(int(size) for size in lowering.array(node, 0).reshape(-1))
    value = node.attributes.get("value")
    fill = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
    lowering.bind(node.output, Constant(np.full(shape, fill.reshape(-1)[0])))


def _axes(lowering: Lowering, node: Node) -> list[int]:
    given = lowering.array(node, 1) if node.has(1) else node.attributes.get("axes", ())
    return [int(axis) for axis in given]


def _shape_of(value: Value) -> tuple[int, ...]:
    if isinstance(value, Constant):
        return value.array.shape
    return value.words.shape if isinstance(value, ScaledConstant) else value.shape


def _see(lowering: Lowering, node: Node, shape: tuple[int, ...]) -> None:
    if isinstance(lowering.value(node, 0), Constant | ScaledConstant):
        lowering.bind(node.output, Constant(lowering.array(node, 0).reshape(shape)))
    else:
        lowering.bind(node.output, reshaped(lowering.computed(node, 0), shape, node.output))


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
    ("", "Dropout"): lower_identity,
    ("", "Squeeze"): lower_squeeze,
    ("", "Unsqueeze"): lower_unsqueeze,
    ("", "ConstantOfShape"): lower_constant_of_shape,
    ("", "Constant"): lower_constant,
}

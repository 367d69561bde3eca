"""Reads and checks an ONNX file; what comes back is a valid graph with fixed sizes."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from stillflow.compiler.frontend.errors import FrontendError, one_line


def read_model(path: Path, batch: int | None = None) -> onnx.ModelProto:
    """Read a model, set its batch, and let ONNX's checker look at it.

    Raises
    ------
    FrontendError
        If the file is unreadable, no valid model, or has symbolic sizes behind the batch.
    """
    try:
        model = onnx.load(path)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise FrontendError(f"{path}: cannot be read: {reason}") from error
    except Exception as error:  # protobuf has no common base class for what it raises
        raise FrontendError(
            f"{path}: is not an ONNX model, or is cut short: {one_line(error)}"
        ) from error
    set_batch(model.graph, path, batch)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        for output in inferred.graph.output:  # behind com.microsoft's operators none is inferred,
            output.type.tensor_type.shape.SetInParent()  # and the checker wants one
        onnx.checker.check_model(inferred)
    except Exception as error:  # checker and shape inference share no base class
        raise FrontendError(
            f"{path}: is not a valid ONNX model, or is cut short: {one_line(error)}"
        ) from error
    return model


def activations(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Graph inputs that are no initializers (old models list those, too)."""
    constant = {initializer.name for initializer in graph.initializer}
    return [value for value in graph.input if value.name not in constant]


def initializer_array(tensor: onnx.TensorProto, path: Path) -> NDArray[np.generic]:
    """Numbers of an initializer.

    Raises
    ------
    FrontendError
        If type, shape and data contradict each other.
    """
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # whatever onnx trips over
        raise FrontendError(
            f"{path}: initializer {tensor.name!r} must match its type and shape: {one_line(error)}"
        ) from error


def set_batch(graph: onnx.GraphProto, path: Path, batch: int | None) -> None:
    """Set the first axis of every graph input: a symbolic one to 1, any if ``batch`` is given.

    A constant shape that an activation is seen with, and that begins with the model's own batch,
    begins with ``batch`` then.

    Raises
    ------
    FrontendError
        If another axis is symbolic.
    """
    own: set[int] = set()
    for value in activations(graph):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            fixed = dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0
            if axis == 0 and (batch is not None or not fixed):
                own |= {dim.dim_value} if fixed else set()
                dim.dim_value = 1 if batch is None else batch
            elif not fixed:
                raise FrontendError(
                    f"{path}: graph input {value.name!r} must have fixed sizes behind the batch, "
                    f"not {dim.dim_param or dim.dim_value or 'unknown'!r} on axis {axis}: "
                    "fix it with onnxruntime.tools.make_dynamic_shape_fixed"
                )
    if batch is not None:  # what the model says of other tensors was of its own batch
        del graph.value_info[:]
        for output in graph.output:
            output.type.tensor_type.ClearField("shape")
        if len(own) == 1:
            _set_reshapes(graph, path, own.pop(), batch)


def _set_reshapes(graph: onnx.GraphProto, path: Path, own: int, batch: int) -> None:
    """Let constant shapes of activations that begin with ``own`` begin with ``batch``."""
    shapes = {tensor.name: tensor for tensor in graph.initializer}
    computed = {value.name for value in activations(graph)}
    for number, node in enumerate(graph.node):
        if node.op_type == "Constant":
            tensors = [a.t for a in node.attribute if a.name == "value"]
            shapes |= dict(zip(node.output, tensors, strict=False))
        if computed.isdisjoint(node.input):
            continue
        computed.update(node.output)
        if node.op_type != "Reshape" or shapes.keys().isdisjoint(node.input[1:]):
            continue
        shape = initializer_array(shapes[node.input[1]], path).copy()
        if shape.size and shape.flat[0] == own:
            shape.flat[0] = batch
            node.input[1] = f"{node.input[1]}#{number}"
            graph.initializer.append(numpy_helper.from_array(shape, node.input[1]))

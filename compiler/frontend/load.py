"""From a quantised ONNX file to a `Network`."""

from collections import Counter
from pathlib import Path
from typing import Literal

import onnx
from onnx import TensorProto

from stillflow.compiler.frontend import (
    activation,
    affine,
    concat,
    convolution,
    function,
    hosted,
    join,
    lrn,
    pad,
    pooling,
    product,
    quantise,
    reshape,
    transpose,
)
from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.endings import hand_on
from stillflow.compiler.frontend.errors import FrontendError, one_line
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.read import activations, initializer_array, read_model
from stillflow.compiler.frontend.values import (
    Constant,
    Hosted,
    HostInput,
    Real,
    Stored,
    Words,
    plane_shape,
)
from stillflow.compiler.graph import Network

#: What lowers an operator, by domain and name. A new operator is one more entry.
HANDLERS = {
    **quantise.HANDLERS,
    **convolution.HANDLERS,
    **product.HANDLERS,
    **pooling.HANDLERS,
    **affine.HANDLERS,
    **join.HANDLERS,
    **concat.HANDLERS,
    **lrn.HANDLERS,
    **pad.HANDLERS,
    **activation.HANDLERS,
    **function.HANDLERS,
    **hosted.HANDLERS,
    **reshape.HANDLERS,
    **transpose.HANDLERS,
}

_STATIC = (
    "quantise the float model with onnxruntime.quantization.quantize_static(..., "
    "quant_format=QuantFormat.QDQ)"
)
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm")
_DYNAMIC = frozenset({"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"})
_WORD_TYPES: dict[int, Literal["int8", "uint8"]] = {
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
}


def load_network(path: Path, batch: int | None = None) -> Network:
    """Read a quantised model, QDQ or QOperator, as ONNX Runtime's static quantiser writes them.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.
    batch : int, optional
        First axis of every graph input; by default the model's, or 1 where that is symbolic.

    Raises
    ------
    FrontendError
        If the file is no ONNX model, is not quantised, or holds something unsupported.
    """
    path = Path(path)
    graph = read_model(path, batch).graph
    nodes = [Node.from_proto(proto, str(path)) for proto in graph.node]
    if not any(node.op.startswith(_QUANTISED) or node.op in _DYNAMIC for node in nodes):
        raise FrontendError(f"{path}: the model is not quantised: {_STATIC}")
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(output.name for output in graph.output)
    lowering = Lowering(NetworkBuilder(path.stem, uses))
    for initializer in graph.initializer:
        lowering.bind(initializer.name, Constant(initializer_array(initializer, path)))
    inputs = activations(graph)
    for value in inputs:
        try:
            _bind_input(lowering, value)
        except ValueError as error:
            raise FrontendError(f"{path}: graph input {value.name!r} {error}") from error
    for node in nodes:
        _lower(lowering, node)
    alone = not lowering.builder.network().layers
    for output in graph.output:
        try:
            _add_output(lowering, output.name, alone=alone)
        except ValueError as error:
            raise FrontendError(f"{path}: graph output {output.name!r} {error}") from error
    for value in inputs:
        if not lowering.builder.has_input(value.name):
            raise FrontendError(
                f"{path}: graph input {value.name!r} must be read by QuantizeLinear"
            )
    return lowering.builder.network()


def _bind_input(lowering: Lowering, value: onnx.ValueInfoProto) -> None:
    kind = value.type.tensor_type
    name = value.name
    shape = tuple(dim.dim_value for dim in kind.shape.dim)
    if not shape:
        raise ValueError("must have a shape")
    if kind.elem_type == TensorProto.FLOAT:
        source = HostInput(name=name, shape=shape)
        lowering.bind(name, Real(name=name, shape=shape, source=source))
        return
    dtype = _WORD_TYPES.get(kind.elem_type)
    if dtype is None:
        known = TensorProto.DataType.items()
        given = next((kind_name for kind_name, number in known if number == kind.elem_type), "?")
        raise ValueError(f"must be float, int8 or uint8, not {given.lower()}")
    lowering.builder.add_unsettled(name, plane_shape(shape), dtype)
    lowering.builder.add_input(name, shape, dtype, name)
    lowering.bind(name, Words(tensor=name, shape=shape))


def _lower(lowering: Lowering, node: Node) -> None:
    handler = HANDLERS.get((node.domain, node.op))
    if handler is None:
        if node.op in _DYNAMIC:
            raise node.error(f"dynamic quantisation is not supported: {_STATIC}")
        known = ", ".join(sorted({op for _, op in HANDLERS}))
        raise node.error(f"operator is not supported: use {known}")
    try:
        handler(lowering, node)
    except FrontendError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise node.error(one_line(error)) from error


def _add_output(lowering: Lowering, name: str, *, alone: bool) -> None:
    """Add a graph output; where no layer computes anything, a pass copies it."""
    builder = lowering.builder
    value = lowering.values.get(name)
    if isinstance(value, Real) and isinstance(value.source, Stored):
        held = builder.quantisation(value.source.tensor)
        tensor = value.store(builder, held, name)
        tensor = hand_on(builder, name, tensor) if alone else tensor
        builder.add_output(name, value.shape, "float32", tensor)
    elif isinstance(value, Hosted) and not value.words:
        assert isinstance(value.real.source, Stored)
        tensor = value.real.source.tensor
        builder.add_output(name, value.shape, value.dtype, tensor, value.function)
    elif isinstance(value, Words):
        dtype = builder.tensors[value.tensor].dtype
        tensor = hand_on(builder, name, value.tensor) if alone else value.tensor
        builder.add_output(name, value.shape, dtype, tensor)
    else:
        raise ValueError("must come from DequantizeLinear or be quantised")

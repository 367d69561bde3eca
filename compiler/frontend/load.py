"""From a quantised ONNX file to a `Network`."""

from collections import Counter
from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper

from stillflow.compiler.frontend import (
    activation,
    convolution,
    pooling,
    product,
    quantise,
    reshape,
)
from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.frontend.errors import FrontendError, one_line
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Constant,
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
    **activation.HANDLERS,
    **reshape.HANDLERS,
}

_STATIC = (
    "quantise the float model with onnxruntime.quantization.quantize_static(..., "
    "quant_format=QuantFormat.QDQ)"
)
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm")
_DYNAMIC = frozenset({"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"})


def load_network(path: Path) -> Network:
    """Read a quantised model, QDQ or QOperator, as ONNX Runtime's static quantiser writes them.

    A symbolic batch is taken as 1.

    Parameters
    ----------
    path : Path
        The ``.onnx`` file.

    Raises
    ------
    FrontendError
        If the file is no ONNX model, is not quantised, or holds something unsupported.
    """
    path = Path(path)
    model = _read(path)
    file = str(path)
    _fix_batch(model.graph, file)
    _check(model, file)
    nodes = [Node.from_proto(proto, file) for proto in model.graph.node]
    if not any(node.op.startswith(_QUANTISED) or node.op in _DYNAMIC for node in nodes):
        raise FrontendError(f"{file}: the model is not quantised: {_STATIC}")
    uses = Counter(name for node in nodes for name in node.inputs)
    uses.update(output.name for output in model.graph.output)
    lowering = Lowering(NetworkBuilder(path.stem, uses))
    _bind_inputs(lowering, model.graph, file)
    for node in nodes:
        _lower(lowering, node)
    for output in model.graph.output:
        _add_output(lowering, output.name, file)
    for name in _activations(model.graph):
        if not lowering.builder.has_input(name.name):
            raise FrontendError(f"{file}: graph input {name.name!r} must be read by QuantizeLinear")
    return lowering.builder.network()


def _read(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise FrontendError(f"{path}: cannot be read: {reason}") from error
    except Exception as error:  # protobuf has no common base class for what it raises
        raise FrontendError(
            f"{path}: is not an ONNX model, or is cut short: {one_line(error)}"
        ) from error


def _check(model: onnx.ModelProto, file: str) -> None:
    try:
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    except Exception as error:  # checker and shape inference share no base class
        raise FrontendError(
            f"{file}: is not a valid ONNX model, or is cut short: {one_line(error)}"
        ) from error


def _activations(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    constant = {initializer.name for initializer in graph.initializer}
    return [value for value in graph.input if value.name not in constant]


def _fix_batch(graph: onnx.GraphProto, file: str) -> None:
    for value in _activations(graph):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0:
                continue
            if axis > 0:
                raise FrontendError(
                    f"{file}: graph input {value.name!r} must have fixed sizes behind the batch, "
                    f"not {dim.dim_param or dim.dim_value or 'unknown'!r} on axis {axis}: "
                    "fix it with onnxruntime.tools.make_dynamic_shape_fixed"
                )
            dim.dim_value = 1


def _bind_inputs(lowering: Lowering, graph: onnx.GraphProto, file: str) -> None:
    for initializer in graph.initializer:
        lowering.bind(initializer.name, Constant(numpy_helper.to_array(initializer)))
    for value in _activations(graph):
        kind = value.type.tensor_type
        shape = tuple(dim.dim_value for dim in kind.shape.dim)
        name = value.name
        if not shape:
            raise FrontendError(f"{file}: graph input {name!r} must have a shape")
        if kind.elem_type == TensorProto.FLOAT:
            source = HostInput(name=name, shape=shape)
            lowering.bind(name, Real(name=name, shape=shape, source=source))
        elif kind.elem_type in (TensorProto.INT8, TensorProto.UINT8):
            dtype = "int8" if kind.elem_type == TensorProto.INT8 else "uint8"
            try:
                plane = plane_shape(shape)
            except ValueError as error:
                raise FrontendError(f"{file}: graph input {name!r}: {error}") from error
            lowering.builder.add_unsettled(name, plane, dtype)
            lowering.builder.add_input(name, shape, dtype, name)
            lowering.bind(name, Words(tensor=name, shape=shape))
        else:
            dtype = TensorProto.DataType.Name(kind.elem_type).lower()
            raise FrontendError(
                f"{file}: graph input {name!r} must be float, int8 or uint8, not {dtype}"
            )


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
    except (TypeError, ValueError) as error:
        raise node.error(one_line(error)) from error


def _add_output(lowering: Lowering, name: str, file: str) -> None:
    builder = lowering.builder
    value = lowering.values.get(name)
    if isinstance(value, Real) and isinstance(value.source, Stored):
        try:
            held = builder.quantisation(value.source.tensor)
            tensor = value.store(builder, held, name)
        except ValueError as error:
            raise FrontendError(f"{file}: graph output {name!r}: {error}") from error
        builder.add_output(name, value.shape, "float32", tensor)
    elif isinstance(value, Words):
        dtype = builder.tensors[value.tensor].dtype
        builder.add_output(name, value.shape, dtype, value.tensor)
    else:
        raise FrontendError(
            f"{file}: graph output {name!r} must come from DequantizeLinear or be quantised"
        )

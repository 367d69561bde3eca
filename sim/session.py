"""ONNX Runtime with exact integer products on every CPU."""

import onnx
import onnxruntime

# On x86 without VNNI, ONNX Runtime multiplies uint8 by int8 with VPMADDUBSW, which saturates sums
# of two products at 16 bits. With this it makes weights uint8, and sums are exact.
_EXACT = ("session.x64quantprecision", "1")


def open_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Open a model; initializers that operators have in common become copies for each.

    ONNX Runtime (1.32) cannot make weights uint8 whose zero points are shared, as PyTorch's
    exporters leave them, nor weights of integer operators whose activations are int8: the latter's
    products do not saturate, and are left as they are.
    """
    _unshare(model)
    data = model.SerializeToString()
    try:
        return _open(data, exact=True)
    except Exception:  # ONNX Runtime's exceptions share no other base class
        return _open(data, exact=False)


def _open(data: bytes, *, exact: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4 if exact else 3
    options.intra_op_num_threads = 1
    if exact:
        options.add_session_config_entry(*_EXACT)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _unshare(model: onnx.ModelProto) -> None:
    """Give each QuantizeLinear and DequantizeLinear initializers of its own."""
    graph = model.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    origin = {name: name for name in known}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in origin:
            origin[node.output[0]] = origin[node.input[0]]
    taken: set[str] = set()
    for number, node in enumerate(graph.node):
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for index, name in enumerate(node.input):
            if name not in origin:
                continue
            name = origin[name]
            if name in taken:
                copy = graph.initializer.add()
                copy.CopyFrom(known[name])
                copy.name = name = f"{name}#{number}.{index}"
            taken.add(name)
            node.input[index] = name

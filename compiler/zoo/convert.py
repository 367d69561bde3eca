"""Quantises any float model: uint8 activations per tensor, int8 weights per filter, in QDQ form.

ONNX Runtime's quantiser knows a list of operators; this one puts QuantizeLinear and
DequantizeLinear behind every operator, so that each can be tested by itself.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Feeds = Mapping[str, Array]
#: Operators whose ofmap has the words of their ifmap.
_KEEPS = frozenset(
    {"MaxPool", "Reshape", "Flatten", "Transpose", "Identity", "Dropout", "Squeeze", "Unsqueeze"}
)
#: Operators whose real value another one may go on with before it is quantised.
_PRODUCTS = frozenset({"Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Sum", "Mul"})
_BOUNDS = frozenset({"Relu", "Clip"})
_HOSTED = frozenset({"Softmax", "LogSoftmax", "ArgMax"})


def quantise_model(model: onnx.ModelProto, feeds: Feeds) -> onnx.ModelProto:
    """Quantise a float model by the ranges that occur for some input.

    Parameters
    ----------
    model : ModelProto
        Float, with constants as initializers.
    feeds : mapping of str to ndarray
        Graph inputs.

    Returns
    -------
    ModelProto
        Opset 13 at least.

    Raises
    ------
    ValueError
        If ONNX Runtime cannot run the model, or it has no float input.
    """
    return _Converter(model, _values(model, feeds)).convert()


def _values(model: onnx.ModelProto, feeds: Feeds) -> dict[str, Array]:
    """Every tensor of a float model."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    known = {output.name for output in exposed.graph.output}
    names = [name for node in exposed.graph.node for name in node.output if name]
    for name in names:
        if name not in known:
            exposed.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            exposed.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        outputs = [output.name for output in session.get_outputs()]
        found = session.run(outputs, dict(feeds))
    except Exception as error:  # ONNX Runtime's share no base class
        reason = " ".join(str(error).split())
        raise ValueError(f"ONNX Runtime cannot run the float model: {reason}") from error
    return dict(feeds) | dict(zip(outputs, map(np.asarray, found), strict=True))


class _Converter:
    def __init__(self, model: onnx.ModelProto, values: Feeds) -> None:
        self.model, self.values = model, values
        graph = model.graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {output.name for output in graph.output}
        self.uses = Counter(name for node in graph.node for name in node.input)
        self.nodes: list[onnx.NodeProto] = []
        self.made: list[onnx.TensorProto] = []
        self.scales: dict[str, tuple[str, str]] = {}  # names of scale and zero point
        self.seen: dict[str, str] = {}  # what stands for a float tensor
        self.hosted: set[str] = set()  # tensors that the host makes
        self.factors = {1: 1.0, 2: 1.0}  # of the constant inputs of a product

    def convert(self) -> onnx.ModelProto:
        graph = self.model.graph
        floats = [
            value.name
            for value in graph.input
            if value.name not in self.constants
            and value.type.tensor_type.elem_type == TensorProto.FLOAT
        ]
        if not floats:
            raise ValueError("there must be a float input")
        for name in floats:
            self._quantise(name, name)
        for node in graph.node:
            self._convert_node(node)
        made = helper.make_graph(
            self.nodes, graph.name or "graph",
            [value for value in graph.input if value.name not in self.constants],
            [onnx.ValueInfoProto(name=o.name, type=o.type) for o in graph.output],
            [*graph.initializer, *self.made],
        )  # fmt: skip
        opset = max(13, *(o.version for o in self.model.opset_import if not o.domain))
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)

    def _convert_node(self, node: onnx.NodeProto) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        factors = {a.name: a.f for a in node.attribute if a.name in ("alpha", "beta")}
        if node.op_type == "Gemm" and factors:  # they go into the constants
            self.factors = {1: factors.get("alpha", 1.0), 2: factors.get("beta", 1.0)}
            kept = [a for a in node.attribute if a.name not in factors]
            del copy.attribute[:]
            copy.attribute.extend(kept)
            if not self.factors[2]:
                del copy.input[2:]
        else:
            self.factors = {1: 1.0, 2: 1.0}
        for index, name in enumerate(list(copy.input)):
            copy.input[index] = self._input(node, index, name)
        name = node.output[0]
        self.nodes.append(copy)
        if node.op_type in _HOSTED or self.hosted & set(node.input):
            self.hosted.add(name)
            return
        if self.values[name].dtype != np.float32 or self._flows(node):
            return
        copy.output[0] = f"{name}/real"
        same = self.scales.get(node.input[0]) if node.op_type in _KEEPS else None
        self._quantise(name, f"{name}/real", same)
        if name in self.outputs:
            self.nodes.append(
                helper.make_node("Identity", [self.seen[name]], [name], f"give {name}")
            )

    def _flows(self, node: onnx.NodeProto) -> bool:
        """Whether the one reader of a node's value takes it before it is quantised."""
        name = node.output[0]
        readers = self.readers.get(name, [])
        if name in self.outputs or self.uses[name] != 1 or node.op_type in _KEEPS:
            return False
        (reader,) = readers
        if reader.op_type in _BOUNDS:
            return True
        affine = reader.op_type == "BatchNormalization" or (
            reader.op_type in ("Mul", "Add") and any(i in self.constants for i in reader.input)
        )
        return affine and node.op_type in _PRODUCTS and self._from_conv(node)

    def _from_conv(self, node: onnx.NodeProto) -> bool:
        makers = {n.output[0]: n for n in self.model.graph.node}
        while node.op_type in ("BatchNormalization", "Mul", "Add"):
            sources = [makers[i] for i in node.input if i in makers]
            if len(sources) != 1 or self.scales.get(sources[0].output[0]):
                return False
            (node,) = sources
        return node.op_type in ("Conv", "Gemm")

    def _input(self, node: onnx.NodeProto, index: int, name: str) -> str:
        if name not in self.constants:
            return self.seen.get(name, name)
        array = self.constants[name]
        if node.op_type not in ("Conv", "Gemm", "MatMul") or array.dtype != np.float32 or not index:
            return name
        array = array * np.float32(self.factors[index])
        if index == 1:
            by_row = node.op_type == "Conv" or any(
                a.name == "transB" and a.i for a in node.attribute
            )
            return self._weights(name, array, 0 if by_row else array.ndim - 1)
        return self._bias(node, name, array)

    def _weights(self, name: str, array: Array, axis: int) -> str:
        others = tuple(i for i in range(array.ndim) if i != axis)
        largest = np.abs(array).max(axis=others)
        scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        spread = [1] * array.ndim
        spread[axis] = -1
        words = np.rint(array / scale.reshape(spread)).clip(-127, 127).astype(np.int8)
        zero = np.zeros(scale.shape, np.int8)
        return self._dequantised(name, words, scale, zero, axis)

    def _bias(self, node: onnx.NodeProto, name: str, array: Array) -> str:
        weights = next(t for t in self.made if t.name == f"{node.input[1]}/scale")
        scale = numpy_helper.to_array(weights)
        step = self._step(node.input[0]) * scale
        flat = (
            np.broadcast_to(array.reshape(-1), scale.shape)
            if array.size in (1, scale.size)
            else None
        )
        if flat is None:
            raise ValueError(f"bias {name!r} must have a number for each filter")
        words = np.rint(flat / step).clip(-(2**31), 2**31 - 1).astype(np.int32)
        return self._dequantised(
            f"{name}/{node.output[0]}", words, step.astype(np.float32),
            np.zeros(step.shape, np.int32), 0,
        )  # fmt: skip

    def _step(self, name: str) -> Array:
        scale, _ = self.scales[name]
        return numpy_helper.to_array(next(t for t in self.made if t.name == scale))

    def _dequantised(
        self, name: str, words: Array, scale: Array,
        zero: Array, axis: int,
    ) -> str:  # fmt: skip
        if name not in self.seen:
            parts = {"words": words, "scale": scale, "zero": zero}
            inputs = [self._make(f"{name}/{part}", value) for part, value in parts.items()]
            self.seen[name] = f"{name}/constant"
            self.nodes.append(
                helper.make_node(
                    "DequantizeLinear", inputs, [self.seen[name]], f"see {name}", axis=axis
                )
            )
        return self.seen[name]

    def _make(self, name: str, array: Array) -> str:
        self.made.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _quantise(self, name: str, real: str, same: tuple[str, str] | None = None) -> None:
        """Put both conversions behind a float tensor."""
        if same is None:
            array = self.values[name].astype(np.float64)
            array = array[np.isfinite(array)]
            low, high = min(0.0, array.min(initial=0)), max(0.0, array.max(initial=0))
            step = np.float32((high - low) / 255) if high > low else np.float32(1 / 255)
            zero = np.uint8(np.clip(np.rint(-low / step), 0, 255))
            same = (
                self._make(f"{name}/scale", np.asarray(step)),
                self._make(f"{name}/zero", np.asarray(zero)),
            )
        self.scales[name] = same
        words, self.seen[name] = f"{name}/words", f"{name}/seen"
        self.nodes += [
            helper.make_node("QuantizeLinear", [real, *same], [words], f"quantise {name}"),
            helper.make_node("DequantizeLinear", [words, *same], [self.seen[name]], f"see {name}"),
        ]

"""Values of a graph by name, and the look-ups that every operator needs."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.builder import NetworkBuilder, Quantisation
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import (
    Constant,
    Hosted,
    Real,
    ScaledConstant,
    Source,
    Stored,
    Value,
    Words,
)


class Lowering:
    """State of one graph's lowering, handed from operator to operator."""

    def __init__(self, builder: NetworkBuilder) -> None:
        self.builder = builder
        self.values: dict[str, Value] = {}

    def bind(self, name: str, value: Value) -> None:
        """Say what an ONNX value stands for."""
        self.values[name] = value
        tensor = _held_tensor(value)
        if tensor is not None:
            self.builder.aliases[tensor].add(name)

    def value(self, node: Node, index: int) -> Value:
        """Look up what an input stands for."""
        return self.values[node.input(index)]  # ONNX's checker has seen the order of the nodes

    def array(self, node: Node, index: int) -> NDArray[np.generic]:
        """Look up a constant input."""
        value = self.value(node, index)
        if isinstance(value, ScaledConstant):
            return value.real
        if not isinstance(value, Constant):
            raise node.error(f"input {node.input(index)!r} must be constant")
        return value.array

    def computed(self, node: Node, index: int) -> Words | Real | Hosted:
        """Look up an input that is no constant, to look at it in another shape."""
        value = self.value(node, index)
        if isinstance(value, Constant | ScaledConstant):
            raise node.error(f"input {node.input(index)!r} must be an activation, not a constant")
        return value

    def activation(self, node: Node, index: int) -> Words | Real:
        """Look up an input that is no constant."""
        value = self.computed(node, index)
        if isinstance(value, Hosted):
            raise node.error(
                f"{value.function.name!r} before it is done by the host: it must be the last node"
            )
        return value

    def words(self, node: Node, index: int) -> Words:
        """Look up a quantised activation, whether or not a DequantizeLinear stands before it."""
        value = self.activation(node, index)
        if isinstance(value, Words):
            return value
        if not isinstance(value.source, Stored):
            raise node.error(
                f"input {node.input(index)!r} is float: put QuantizeLinear and DequantizeLinear "
                "before it"
            )
        held = self.builder.quantisation(value.source.tensor)
        return Words(tensor=value.store(self.builder, held, value.name), shape=value.shape)

    def quantisation(self, node: Node, scale: int, zero_point: int) -> Quantisation:
        """Read an activation's per-tensor scale and zero point from two inputs."""
        steps = self.array(node, scale)
        if steps.size != 1 or steps.dtype != np.float32:
            raise node.error(
                f"activation scale {node.input(scale)!r} must be one float32 (per tensor), "
                f"not {steps.dtype}{list(steps.shape)}"
            )
        dtype: Literal["int8", "uint8"] = "uint8"
        zero = 0
        if node.has(zero_point):
            words = self.array(node, zero_point)
            if words.dtype.name not in ("int8", "uint8") or words.size != 1:
                raise node.error(
                    f"activation zero point {node.input(zero_point)!r} must be one int8 or uint8, "
                    f"not {words.dtype}{list(words.shape)}"
                )
            dtype = "int8" if words.dtype == np.int8 else "uint8"
            zero = int(words.reshape(-1)[0])
        check_scales(node, node.input(scale), steps)
        step = float(steps.reshape(-1)[0])
        return Quantisation(dtype=dtype, scale=step, zero_point=zero)

    def scaled(
        self, node: Node, index: int, scale: int, zero_point: int, axis: int
    ) -> ScaledConstant:
        """Read constant words with their scales and zero points from three inputs."""
        words = self.array(node, index)
        if words.dtype.kind not in "iu":
            raise node.error(f"input {node.input(index)!r} must be integer, not {words.dtype}")
        scales = self.array(node, scale)
        if scales.dtype != np.float32:
            raise node.error(f"scale {node.input(scale)!r} must be float32, not {scales.dtype}")
        check_scales(node, node.input(scale), scales)
        zeros = np.zeros(scales.size, np.int64)
        if node.has(zero_point):
            given = self.array(node, zero_point).reshape(-1).astype(np.int64)
            if given.size not in (1, scales.size):
                raise node.error(f"there must be {scales.size} zero points, not {given.size}")
            zeros = np.broadcast_to(given, scales.size)
        axis += words.ndim if axis < 0 else 0
        if scales.size > 1 and (scales.ndim != 1 or scales.size != _length(words, axis)):
            raise node.error(
                f"scale {node.input(scale)!r} must be one number per tensor or per index of "
                f"axis {axis} of {list(words.shape)}, not {list(scales.shape)}"
            )
        return ScaledConstant(
            words=words,  # type: ignore[arg-type]
            scale=scales.reshape(-1),  # type: ignore[arg-type]
            zero_point=zeros,
            axis=axis,
        )

    def produce(self, node: Node, shape: tuple[int, ...], source: Source) -> None:
        """Bind the node's output to a real value that waits for its quantisation."""
        self.bind(node.output, Real(name=node.output, shape=shape, source=source))

    def quantise(self, node: Node, real: Real, quantisation: Quantisation) -> None:
        """Bind the node's output to the words of a real value."""
        tensor = real.store(self.builder, quantisation, node.output)
        self.bind(node.output, Words(tensor=tensor, shape=real.shape))


def check_scales(node: Node, name: str, scales: NDArray[np.generic]) -> None:
    """Refuse scales that are not positive and finite."""
    with np.errstate(invalid="ignore"):  # some not-a-numbers warn when they are cast
        real = scales.astype(np.float64)
    if not np.all(np.isfinite(real) & (real > 0)):
        raise node.error(f"scale {name!r} must be positive and finite")


def _held_tensor(value: Value) -> str | None:
    if isinstance(value, Words):
        return value.tensor
    if isinstance(value, Real) and isinstance(value.source, Stored):
        return value.source.tensor
    return None


def _length(words: NDArray[np.generic], axis: int) -> int:
    return words.shape[axis] if 0 <= axis < words.ndim else 0

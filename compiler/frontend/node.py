"""One operator of an ONNX graph, with attributes as Python values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from stillflow.compiler.frontend.errors import FrontendError


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operator.

    Parameters
    ----------
    file : str
        Model it came from, for messages.
    name : str
        Its name, or its first output's if it has none.
    op, domain : str
        Operator and its domain, "" for ONNX's own.
    inputs, outputs : tuple[str, ...]
        Value names; "" where an optional one is left out.
    attributes : dict[str, Any]
        Values by name.
    """

    file: str
    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @classmethod
    def from_proto(cls, proto: onnx.NodeProto, file: str) -> "Node":
        """Read a protobuf node."""
        return cls(
            file=file,
            name=proto.name or (proto.output[0] if proto.output else proto.op_type),
            op=proto.op_type,
            domain="" if proto.domain == "ai.onnx" else proto.domain,
            inputs=tuple(proto.input),
            outputs=tuple(proto.output),
            attributes={
                attribute.name: onnx.helper.get_attribute_value(attribute)
                for attribute in proto.attribute
            },
        )

    @property
    def output(self) -> str:
        """Name of the first output."""
        return self.outputs[0]

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return index < len(self.inputs) and bool(self.inputs[index])

    def input(self, index: int) -> str:
        """Name of an input that must be given."""
        if not self.has(index):
            raise self.error(f"input {index} must be given")
        return self.inputs[index]

    def integer(self, name: str, default: int) -> int:
        """Integer attribute."""
        return int(self.attributes.get(name, default))

    def number(self, name: str, default: float) -> float:
        """Float attribute."""
        return float(self.attributes.get(name, default))

    def integers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """List attribute; must be as long as its default."""
        value = tuple(int(part) for part in self.attributes.get(name, default))
        if len(value) != len(default):
            raise self.error(
                f"{name} must have {len(default)} numbers (2-D planes), not {list(value)}"
            )
        return value

    def text(self, name: str, default: str) -> str:
        """Text attribute."""
        value = self.attributes.get(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    def require(self, name: str, value: float) -> None:
        """Refuse any other value of a numeric attribute."""
        found = self.attributes.get(name, value)
        if found != value:
            raise self.error(f"{name} must be {value}, not {found!r}")

    def error(self, message: str) -> FrontendError:
        """Make an error that names file, node and operator."""
        return FrontendError(f"{self.file}: node {self.name!r} ({self.op}): {message}")

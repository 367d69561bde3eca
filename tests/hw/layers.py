"""The descriptor of a layer, at the ports of what reads it."""

from collections.abc import Mapping
from typing import Any


def set_layer(ctx: Any, dut: Any, fields: Mapping[Any, Any]) -> None:
    """Drive the fields of ``dut.i_layer``; those that are not given are zero."""
    for name in dut.i_layer.signature.members:
        ctx.set(getattr(dut.i_layer, name), fields.get(name, 0))

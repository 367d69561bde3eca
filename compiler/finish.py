"""Descriptor fields of what follows the requantiser: a table, and joining with a second tensor."""

from stillflow.compiler.graph import Layer, Tensor, tabulated
from stillflow.compiler.tensors import sign_offset, to_signed
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.residual import Join

#: Of a layer that has neither.
PLAIN = {
    "join": int(Join.NONE), "join_shift": 0, "own_scale": 0, "own_zero_point": 0,
    "residual_scale": 0, "residual_address": 0, "residual_zero_point": 0, "join_zero_point": 0,
    "join_min": 0, "join_max": 0, "table": 0, "table_address": 0,
}  # fmt: skip
_JOINS = {"add": Join.ADD, "mul": Join.MULTIPLY}


def finish_fields(
    layer: Layer, tensors: dict[str, Tensor], addresses: dict[str, int], table_address: int
) -> dict[str, int]:
    """Fields of a layer; ``table_address`` counts only where it has a table."""

    def zero_point(name: str) -> int:
        tensor = tensors[name]
        return tensor.zero_point - sign_offset(tensor.dtype)

    fields = dict(PLAIN)
    if layer.table is not None:
        fields |= {"table": 1, "table_address": table_address}
    if (joined := layer.joined) is not None:
        offset = sign_offset(tensors[layer.ofmap].dtype)
        fields |= {
            "join": int(_JOINS[joined.op]),
            "join_shift": joined.shift,
            "own_scale": joined.own_scale,
            "own_zero_point": zero_point(tabulated(layer)),
            "residual_scale": joined.residual_scale,
            "residual_address": addresses[joined.residual],
            "residual_zero_point": zero_point(joined.residual),
            "join_zero_point": zero_point(layer.ofmap),
            "join_min": joined.act_min - offset,
            "join_max": joined.act_max - offset,
        }
    return fields


def table_bytes(layer: Layer, config: AcceleratorConfig) -> bytes:
    """Give a layer's table as it lies in DRAM, for the smallest word first; empty if it has none.

    Raises
    ------
    ValueError
        If the accelerator's activations are too wide for a table.
    """
    if layer.table is None:
        return b""
    if config.act_bits != 8:
        raise ValueError(f"a table needs act_bits 8, not {config.act_bits}")
    return to_signed(layer.table.entries).tobytes()

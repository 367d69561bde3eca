"""Descriptor fields of what follows the requantiser: a table, a second tensor, means of windows."""

from stillflow.compiler.graph import Layer, Tensor, clip_range, finished, pooling, tabulated
from stillflow.compiler.tensors import sign_offset, to_signed
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.residual import Join
from stillflow.hw.scale import encode_scale

#: Of a layer that has none.
PLAIN = {
    "join": int(Join.NONE), "join_shift": 0, "own_scale": 0, "own_zero_point": 0,
    "residual_scale": 0, "residual_address": 0, "residual_zero_point": 0, "join_zero_point": 0,
    "join_min": 0, "join_max": 0, "table": 0, "table_address": 0, "pool_mean": 0,
    "pool_significand": 0, "pool_shift": 0, "pool_offset": 0, "pool_zero_point": 0, "pool_min": 0,
    "pool_max": 0,
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
        offset = sign_offset(tensors[finished(layer)].dtype)
        fields |= {
            "join": int(_JOINS[joined.op]),
            "join_shift": joined.shift,
            "own_scale": joined.own_scale,
            "own_zero_point": zero_point(tabulated(layer)),
            "residual_scale": joined.residual_scale,
            "residual_address": addresses[joined.residual],
            "residual_zero_point": zero_point(joined.residual),
            "join_zero_point": zero_point(finished(layer)),
            "join_min": joined.act_min - offset,
            "join_max": joined.act_max - offset,
        }
    if (pooled := pooling(layer)) is not None and pooled.scale is not None:
        dtype = tensors[layer.ofmap].dtype
        offset, (low, high) = sign_offset(dtype), clip_range(dtype)
        significand, shift = encode_scale(pooled.scale)
        fields |= {
            "pool_mean": 1,
            "pool_significand": significand,
            "pool_shift": shift,
            "pool_offset": -pooled.shape.R * pooled.shape.S * zero_point(pooled.own),
            "pool_zero_point": zero_point(layer.ofmap),
            "pool_min": max(low, pooled.act_min) - offset,
            "pool_max": min(high, pooled.act_max) - offset,
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

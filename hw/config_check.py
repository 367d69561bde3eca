"""What the keys of a configuration may be. Plain Python: no Amaranth, no NumPy."""

from dataclasses import fields
from enum import StrEnum
from typing import Any

from stillflow.hw.depths import full_pass_lines

COUNT_BITS = 16  # most bits of a loop count


class Dataflow(StrEnum):
    """Which operand stays in the PE (survey, section V-B)."""

    WEIGHT_STATIONARY = "ws"
    OUTPUT_STATIONARY = "os"
    NO_LOCAL_REUSE = "nlr"
    ROW_STATIONARY = "rs"


def ceil_log2(value: int) -> int:
    """Exponent of the smallest power of two that is at least ``value``."""
    return (value - 1).bit_length()


def check(config: Any) -> None:
    """Check every key of a `stillflow.hw.config.AcceleratorConfig`, and keys against each other.

    Raises
    ------
    TypeError
        If a key has the wrong kind.
    ValueError
        If a key is out of range, or keys cannot work together.
    """
    for key in fields(config):
        value = getattr(config, key.name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        if key.type is int and not whole:
            raise TypeError(f"{key.name} must be an integer, not {value!r}")
        if key.type is bool and not isinstance(value, bool):
            raise TypeError(f"{key.name} must be true or false, not {value!r}")
    if config.dataflow not in tuple(Dataflow):
        known = ", ".join(Dataflow)
        raise ValueError(f"dataflow must be one of {known}, not {str(config.dataflow)!r}")
    for name, low, high in (
        ("rows", 1, 128), ("cols", 1, 128), ("acc_bits", 24, 48), ("glb_kib", 1, 1 << 16),
        ("max_burst_beats", 1, 256), ("outstanding_reads", 2, 256),
        ("activation_kib", 0, 1 << 16), ("pool_windows", 0, 1024), ("ifmap_spad", 1, 64),
        ("filter_spad", 2, 1024), ("psum_spad", 1, 64),
        ("address_bits", 16, 32), ("count_bits", 8, COUNT_BITS), ("counter_bits", 16, 48),
    ):  # fmt: skip
        value = getattr(config, name)
        if not low <= value <= high:
            raise ValueError(f"{name} must be in {low}..{high}, not {value!r}")
    for name, allowed in (
        ("act_bits", (8, 16)), ("weight_bits", (8, 16)),
        ("axi_data_bits", (32, 64, 128, 256, 512)),
    ):  # fmt: skip
        value = getattr(config, name)
        if value not in allowed:
            choices = ", ".join(map(str, allowed))
            raise ValueError(f"{name} must be one of {choices}, not {value!r}")
    if config.pool_windows == 1:
        raise ValueError("pool_windows must be 0, or in 2..1024, not 1")
    if config.requant_lanes < 1 or config.m_block % config.requant_lanes:
        raise ValueError(
            f"requant_lanes must divide the {config.m_block} filters of a block, "
            f"not {config.requant_lanes!r}"
        )
    if config.max_burst_beats * config.axi_bytes > 4096:
        raise ValueError(
            f"max_burst_beats must be at most {4096 // config.axi_bytes} "
            f"with {config.axi_data_bits}-bit data, not {config.max_burst_beats!r}"
        )
    if config.acc_bits < config.psum_bits + 4:
        raise ValueError(
            f"acc_bits must be at least {config.psum_bits + 4} to add {config.rows} products "
            f"of {config.act_bits}x{config.weight_bits} bits, not {config.acc_bits!r}"
        )
    # A block holds its lines until it starts; its last ones may come with a burst of more.
    lines = config.rows + config.bias_lines + config.scale_lines
    if config.dataflow == Dataflow.ROW_STATIONARY:
        lines = full_pass_lines(config)
    spare = (config.filter_lines - lines) * config.filter_line_bytes // config.axi_bytes
    # Half of the ofmap buffer takes a drain of the array, or a beat of a second tensor.
    drain = config.rows if config.dataflow == Dataflow.OUTPUT_STATIONARY else 1
    if (
        config.ifmap_depth < 16
        or config.ofmap_depth < max(16, 2 * drain, 2 * config.beat_pixels)
        or spare < config.max_burst_beats
    ):
        raise ValueError(
            f"glb_kib must be larger for {config.rows}x{config.cols} PEs, not {config.glb_kib!r}"
        )
    if config.activation_kib * 1024 > config.activation_base:
        raise ValueError(
            f"activation_kib must be at most {config.activation_base // 1024} "
            f"with {config.address_bits} address bits, not {config.activation_kib!r}"
        )
    least = config.psum_depth.bit_length()
    if config.count_bits < least:
        raise ValueError(
            f"count_bits must be at least {least} to count {config.psum_depth} pixels of a tile, "
            f"not {config.count_bits!r}"
        )

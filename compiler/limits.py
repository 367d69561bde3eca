"""What an accelerator that leaves things out cannot take."""

from stillflow.compiler.graph import Layer, pooling
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.config_check import COUNT_BITS
from stillflow.hw.descriptor import FIELDS


def check_fields(fields: dict[str, int], config: AcceleratorConfig) -> None:
    """Check a descriptor against the bits that an accelerator keeps.

    Raises
    ------
    ValueError
        Naming the key that must be another.
    """
    for field in FIELDS:
        kept = field.kept_bits(config)
        if field.bits in (kept, 32):  # addresses count modulo their width
            continue
        value = fields[field.name]
        high = (1 << (kept - field.signed)) - 1
        low = -high - 1 if field.signed else 0
        if not low <= value <= high:
            if config.count_bits < COUNT_BITS:
                said = "count_bits must be larger"
            else:
                said = "the layer is too large for the hardware's loops"
            raise ValueError(f"{said}: {field.name} is {value}, at most {high}")
    filters = fields["set_filters"] if config.has_pe_sets else 1
    lines = max(fields["slab_lines"], fields["slab_lines_last"])
    lines += (config.bias_lines + config.scale_lines) * filters
    beats = lines * config.filter_line_bytes // config.axi_bytes
    if beats >> config.length_bits:
        raise ValueError(
            f"a filter segment must be shorter: {beats} beats in {config.length_bits} bits"
        )


def check_end(layer: Layer, config: AcceleratorConfig) -> None:
    """Check that an accelerator has what a layer ends in.

    Raises
    ------
    ValueError
        Naming the key, or what must be another.
    """
    pooled = pooling(layer)
    if pooled is not None and not config.pools:
        raise ValueError("pool_windows must not be 0 for a layer that pools its words")
    if pooled is not None and pooled.means and any(pooled.shape.pad):
        raise ValueError("windows of means must have no padding")
    if pooled is not None and layer.joined is not None and any(pooled.shape.pad[:2]):
        raise ValueError("windows of joined words must not begin in padding")
    if config.finisher:
        return
    if layer.table is not None or layer.joined is not None:
        ends = "ends in a table" if layer.table is not None else "joins a second tensor"
        raise ValueError(f"finisher must be true for a layer that {ends}")

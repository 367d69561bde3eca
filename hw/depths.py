"""How ``glb_kib`` is divided among the buffers. Plain Python: no Amaranth, no NumPy."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Depths:
    """What the buffers hold.

    Parameters
    ----------
    ifmap : int
        Activations in each bank of the ifmap buffer.
    filters : int
        Lines of the filter buffer.
    psums, ofmap : int
        Vectors of the psum memories, of the ofmap buffer.
    """

    ifmap: int
    filters: int
    psums: int
    ofmap: int


def full_pass_lines(config: Any) -> int:
    """Filter lines of a pass that fills the scratchpads of a row-stationary array."""
    return config.filter_spad + config.psum_spad * (config.bias_lines + config.scale_lines)


def depths(config: Any) -> Depths:
    """Divide the memory of a `stillflow.hw.config.AcceleratorConfig`.

    Psums and ofmap words are of the same pixels, so there are as many of both. Row stationary, a
    strip of a tile waits in the ofmap buffer, no more, and psums come before the other operands:
    the more of them, the fewer times ifmap and filters are read from DRAM. The filters of a full
    pass wait in the filter buffer, and behind them two bursts.
    """
    total = config.glb_kib * 1024
    ifmap, filters = total // 2, total * 3 // 16
    psums, ofmap = total // 4, total // 16
    if config.has_pe_sets:
        bursts = 2 * config.max_burst_beats * config.axi_bytes
        waiting = full_pass_lines(config) * config.filter_line_bytes + bursts
        ifmap, filters = total * 5 // 32, max(total // 16, waiting)
        rest = max(0, total - ifmap - filters)
        psums, ofmap = rest * 8 // 9, rest // 9
    psums = psums * 8 // (config.m_block * config.acc_bits)
    ofmap = ofmap * 8 // (config.m_block * config.act_bits)
    if not config.has_pe_sets:
        psums = ofmap = min(psums, ofmap)
    lines = filters // config.filter_line_bytes
    return Depths(
        ifmap=ifmap // (config.ifmap_banks * config.act_bytes),
        filters=lines - lines % config.filter_banks, psums=psums, ofmap=ofmap,
    )  # fmt: skip

"""Where a layer's energy goes: levels of memory times operands (survey, figures 26 to 29)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillflow.compiler.counts import GLB_KINDS, OPERANDS, EnergyCosts
from stillflow.hw.config import AcceleratorConfig

LEVELS = ("alu", "spad", "noc", "glb", "dram")


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Energy in MACs, by level and operand.

    Parameters
    ----------
    alu : float
        Of the MACs themselves, which belong to no operand.
    parts : dict[tuple[str, str], float]
        By level but ``alu``, and operand. DRAM words of descriptors and records count as ifmap's
        and psum's.
    """

    alu: float
    parts: dict[tuple[str, str], float]

    def level(self, level: str) -> float:
        """Energy of a level."""
        if level == "alu":
            return self.alu
        return sum(self.parts[level, operand] for operand in OPERANDS)

    def operand(self, operand: str) -> float:
        """Energy of an operand on all levels."""
        return sum(self.parts[level, operand] for level in LEVELS[1:])

    @property
    def total(self) -> float:
        """All energy."""
        return self.alu + sum(self.parts.values())

    def as_report(self) -> dict[str, float]:
        """Give all parts under names like ``dram_filter``."""
        return {"alu": self.alu} | {
            f"{level}_{operand}": value for (level, operand), value in self.parts.items()
        }


def breakdown(entry: Mapping[str, Any], config: AcceleratorConfig, costs: EnergyCosts) -> Breakdown:
    """Split the energy of a report's layer, or of its total."""
    parts: dict[tuple[str, str], float] = {}
    for operand in OPERANDS:
        spad = entry[f"spad_reads_{operand}"] + entry[f"spad_writes_{operand}"]
        parts["spad", operand] = costs.spad * spad
        parts["noc", operand] = costs.noc * entry[f"noc_transfers_{operand}"]
        parts["glb", operand] = costs.glb * sum(entry[f"{kind}_{operand}"] for kind in GLB_KINDS)
    filters = entry["glb_fills_filter"] * (config.weight_bits // 8)
    moved = {
        "ifmap": entry["dram_read_bytes"] - filters,
        "filter": filters,
        "psum": entry["dram_write_bytes"],
    }
    for operand, count in moved.items():
        parts["dram", operand] = costs.dram * count / config.act_bytes
    return Breakdown(alu=float(entry["macs"]), parts=parts)

"""Where the area of a netlist lies: block by block, and by what the blocks are for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache

from stillflow.boards import sram
from stillflow.boards.asic.liberty import Liberty
from stillflow.boards.synthesis.netlist import Netlist


class Part(StrEnum):
    """What a block is for."""

    PE = "PEs"
    NETWORK = "network"
    BUFFERS = "buffers"
    LANES = "requantiser lanes"
    POST = "post-processing"
    DMA = "DMA"
    CONTROL = "control"


#: Part of a module by its name, the first that fits; a module without one belongs to its parent's.
_PARTS = (
    ("pe_*", Part.PE),
    ("requant_lane_*", Part.LANES),
    ("accumulator_column_*|*_accumulator|*_ifmap|*_filters|*_ofmap", Part.BUFFERS),
    ("*_biases|*_scales|*_activations", Part.BUFFERS),
    ("*_array|*_feeder", Part.NETWORK),
    ("*_post|*_finisher|*_pool", Part.POST),
    ("*_reader|*_writer", Part.DMA),
)


@dataclass(frozen=True, kw_only=True)
class Area:
    """One instance of a module with everything inside it.

    Parameters
    ----------
    name : str
        Instance name of a block, module name of a unit.
    module : str
        Module name.
    depth : int
        0 for the top.
    instances : int
        In one instance of the parent.
    gates : float
        Area in NAND2 equivalents, SRAMs not counted.
    cells, registers : int
        Standard cells, and how many of them are flip-flops.
    sram_bits : int
        Bits in SRAM macros.
    """

    name: str
    module: str
    depth: int
    instances: int
    gates: float
    cells: int
    registers: int
    sram_bits: int


def areas(netlist: Netlist, liberty: Liberty) -> list[Area]:
    """Measure the modules in the order of the hierarchy."""
    made = []
    for row in netlist.rows():
        cells = netlist.cells(row.module)
        made.append(
            Area(
                name=row.label,
                module=row.module,
                depth=row.depth,
                instances=len(row.names),
                gates=liberty.gates(cells),
                cells=sum(n for name, n in cells.items() if name in liberty.cells),
                registers=liberty.registers(cells),
                sram_bits=sum(
                    sram.bits(name) * n for name, n in cells.items() if sram.is_sram(name)
                ),
            )
        )
    return made


def parts(netlist: Netlist, liberty: Liberty) -> dict[Part, float]:
    """Share the area of the whole out among the parts, in NAND2 equivalents."""
    cells: dict[Part, Counter[str]] = {part: Counter() for part in Part}
    for leaf in netlist.leaves():
        cells[part_of(leaf.modules)][leaf.type] += 1
    return {part: liberty.gates(counts) for part, counts in cells.items()}


@cache
def part_of(modules: tuple[str, ...]) -> Part:
    """Part of a cell by the modules that it lies in, the top first."""
    part = Part.CONTROL
    for module in modules:
        for patterns, named in _PARTS:
            if any(fnmatchcase(module, pattern) for pattern in patterns.split("|")):
                part = named
                break
    return part


def share_of_rest(by_part: Mapping[Part, float]) -> float:
    """Share of the cell area that is neither PE nor requantiser lane."""
    total = sum(by_part.values())
    return (total - by_part[Part.PE] - by_part[Part.LANES]) / total

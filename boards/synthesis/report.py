"""What synthesis found, block by block."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.synthesis.paths import Path
from stillflow.boards.synthesis.targets import Kind, Target


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a piece of the design takes.

    Parameters
    ----------
    luts : int
        LUT sites, those of carry chains and LUT RAMs included.
    ffs, dsps, rams, carries : int
        Flip-flops, DSP blocks, block RAMs, cells of carry chains.
    """

    luts: int
    ffs: int
    dsps: int
    rams: int
    carries: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """One instance of a module with everything inside it.

    Parameters
    ----------
    name : str
        Instance name of a block, module name of a unit.
    module : str
        Module name.
    depth : int
        0 for the top of what was synthesised.
    instances : int
        In one instance of the parent.
    size : Size
        Of one instance.
    cells : Mapping[str, int]
        Of one instance, by type.
    levels : int
        Of logic on the longest path that ends inside any instance.
    arithmetic : int
        On the worst such path, see `stillflow.boards.synthesis.words`.
    """

    name: str
    module: str
    depth: int
    instances: int
    size: Size
    cells: Mapping[str, int]
    levels: int
    arithmetic: int

    def as_json(self) -> dict[str, Any]:
        """Flatten the block for a report."""
        values = asdict(self)
        return values | values.pop("size")


def measure(cells: Mapping[str, int], target: Target) -> Size:
    """Add up what cells take."""
    kinds: Counter[Kind] = Counter()
    luts = rams = 0
    for name, number in cells.items():
        cell = target.cell(name)
        kinds[cell.kind] += number
        luts += number * cell.luts
        rams += number * cell.rams
    return Size(
        luts=luts,
        ffs=kinds[Kind.FLIP_FLOP],
        dsps=kinds[Kind.DSP],
        rams=rams,
        carries=kinds[Kind.CARRY] + kinds[Kind.BARE_CARRY],
    )


def blocks(
    netlist: Netlist, target: Target, levels: Mapping[str, Path], sums: Mapping[str, Path]
) -> list[Block]:
    """Describe the modules of a mapped netlist in the order of the hierarchy.

    Parameters
    ----------
    netlist : Netlist
        Mapped, with its hierarchy.
    target : Target
        What it was mapped to.
    levels, sums : Mapping[str, Path]
        Longest paths in levels and in arithmetic, by module.
    """
    none = Path(0, ())
    made = []
    for row in netlist.rows():
        cells = {name: n for name, n in netlist.cells(row.module).items() if name[0] != "$"}
        made.append(
            Block(
                name=row.label,
                module=row.module,
                depth=row.depth,
                instances=len(row.names),
                size=measure(cells, target),
                cells=dict(sorted(cells.items())),
                levels=levels.get(row.module, none).cost,
                arithmetic=sums.get(row.module, none).cost,
            )
        )
    return made

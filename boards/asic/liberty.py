"""Liberty files of standard cells: what is needed to map, measure and simulate."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Where Debian's package ``qflow-tech-osu018`` puts its cells.
OSU018 = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")

_CELL = re.compile(r'^\s*cell\s*\(\s*"?([\w.$]+)"?\s*\)\s*\{', re.MULTILINE)
_AREA = re.compile(r"^\s*area\s*:\s*([\d.eE+-]+)\s*;", re.MULTILINE)
_REGISTER = re.compile(r"^\s*(?:ff|latch|statetable)\s*\(", re.MULTILINE)
_NAND2 = re.compile(r"(?:\w+__)?nand2(?!\d)", re.IGNORECASE)
_BUFFER = re.compile(r"(?:\w+__)?buf_?x?\d", re.IGNORECASE)


@dataclass(frozen=True)
class LibraryCell:
    """A standard cell.

    Parameters
    ----------
    name : str
        Cell type.
    area : float
        In the library's unit.
    is_register : bool
        Whether it is a flip-flop or a latch.
    """

    name: str
    area: float
    is_register: bool


@dataclass(frozen=True)
class Liberty:
    """A cell library.

    Parameters
    ----------
    path : Path
        Liberty file.
    cells : Mapping[str, LibraryCell]
        By type.
    gate : float
        Area of the smallest two-input NAND: the unit of area.
    buffer : str
        The smallest buffer.
    """

    path: Path
    cells: Mapping[str, LibraryCell]
    gate: float
    buffer: str

    def gates(self, cells: Mapping[str, int]) -> float:
        """Add up the area of cells, by type and number, in NAND2 equivalents.

        Types that the library lacks, memory macros, count nothing.
        """
        known = ((self.cells[name].area, n) for name, n in cells.items() if name in self.cells)
        return sum(area * number for area, number in known) / self.gate

    def registers(self, cells: Mapping[str, int]) -> int:
        """Count flip-flops and latches."""
        return sum(n for name, n in cells.items() if name in self.cells and self._holds(name))

    def _holds(self, name: str) -> bool:
        return self.cells[name].is_register


def read_liberty(path: Path | None) -> Liberty:
    """Read a cell library.

    Parameters
    ----------
    path : Path, optional
        Liberty file; by default Debian's OSU 0.18 um cells.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is none, or has no two-input NAND.
    """
    chosen = path or OSU018
    try:
        text = chosen.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        if path is not None:
            raise
        raise ValueError(
            f"{OSU018}: not found: install Debian's qflow-tech-osu018, or give --liberty FILE"
        ) from error
    starts = [*_CELL.finditer(text)]
    cells = {}
    ends = [*(match.start() for match in starts), len(text)][1:]
    for match, end in zip(starts, ends, strict=True):
        body = text[match.end() : end]
        area = _AREA.search(body)
        if area is None:
            raise ValueError(f"{chosen}: cell {match[1]} must have an area")
        cells[match[1]] = LibraryCell(match[1], float(area[1]), bool(_REGISTER.search(body)))
    nand, buffer = (_smallest(cells.values(), kind) for kind in (_NAND2, _BUFFER))
    if nand is None or buffer is None or not nand.area > 0:
        raise ValueError(f"{chosen}: must be a Liberty file with cells NAND2... and BUF...")
    return Liberty(chosen.absolute(), cells, nand.area, buffer.name)


def _smallest(cells: Iterable[LibraryCell], name: re.Pattern[str]) -> LibraryCell | None:
    fits = (cell for cell in cells if name.match(cell.name))
    return min(fits, key=lambda cell: cell.area, default=None)

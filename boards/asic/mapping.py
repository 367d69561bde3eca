"""Netlists of standard cells, made by Yosys."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stillflow.boards import sram
from stillflow.boards.asic.liberty import Liberty
from stillflow.boards.multipliers.files import single_multipliers
from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.yosys import run_yosys

PERIOD = 12.5  # ns, where nobody asks for another
FAN_OUT = 12  # above it ABC adds buffers
PORT_LOAD = 50.0  # fF at each port of a block; a buffer drives it
_ABC = f"""\
strash; ifraig; scorr; dc2; dch -f
map -B 0.9 -D {{picoseconds}}
topo; buffer -c -p -N {FAN_OUT}; topo
upsize -D {{picoseconds}}; dnsize -D {{picoseconds}}
"""
# OpenSTA takes no `signed`; in a netlist the word means nothing.
_SIGNED = (" signed [", " [")


# A multiplier is a module for the sake of FPGAs; gates are sized across its bounds.
_DISSOLVE_MULTIPLIERS = (
    "setattr -mod -set keep_hierarchy 1 * multiplier_* %d",
    "flatten",
    "setattr -mod -unset keep_hierarchy *",
)


@dataclass(frozen=True)
class Mapped:
    """A netlist of standard cells and SRAM macros.

    Parameters
    ----------
    top : str
        Module name.
    netlist : Netlist
        For measuring.
    verilog : str
        For timing analysis and simulation; the macros are not in it.
    macros : tuple[str, ...]
        SRAM units in use.
    tool : str
        Yosys and its version.
    """

    top: str
    netlist: Netlist
    verilog: str
    macros: tuple[str, ...]
    tool: str


def map_cells(
    files: Mapping[str, str],
    top: str,
    liberty: Liberty,
    folder: Path,
    *,
    period_ns: float,
    flatten: bool = False,
) -> Mapped:
    """Synthesise Verilog to standard cells, block by block.

    Parameters
    ----------
    files : Mapping[str, str]
        File name to Verilog; SRAM macros become black boxes.
    top : str
        Module to synthesise.
    liberty : Liberty
        The cells.
    folder : Path
        For what lies between.
    period_ns : float
        What ABC sizes the gates for.
    flatten : bool
        Dissolve the hierarchy first.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    for name, text in single_multipliers(files, "asic").items():
        unit = name.removesuffix(".v")
        (folder / name).write_text(sram.blackbox(unit) if sram.is_sram(unit) else text)
    (folder / "cells.constr").write_text(
        f"set_driving_cell {liberty.buffer}\nset_load {PORT_LOAD:g}\n"
    )
    (folder / "cells.abc").write_text(_ABC.format(picoseconds=round(period_ns * 1000)))
    run_yosys(
        (
            f'read_liberty -lib "{liberty.path}"',
            f"read_verilog {' '.join(files)}",
            f"hierarchy -check -top {top}",
            *_DISSOLVE_MULTIPLIERS,
            f"synth -noabc -top {top}{' -flatten' if flatten else ''}",
            "delete */t:$scopeinfo",
            f'dfflibmap -liberty "{liberty.path}"',
            f'abc -liberty "{liberty.path}" -script cells.abc -constr cells.constr',
            "opt_clean -purge",
            "setundef -zero",
            "check -assert -mapped",
            "write_verilog -noattr -noexpr -simple-lhs cells.v",
            # Again, for the names that cells and nets have there.
            "design -reset",
            f'read_liberty -lib "{liberty.path}"',
            "read_verilog cells.v",
            *(f"read_verilog {name}" for name in files if sram.is_sram(name.removesuffix(".v"))),
            f"hierarchy -top {top}",
            "setattr -unset src */w:* */c:* */m:*",
            "write_json cells.json",
        ),
        folder,
    )
    netlist = Netlist.read(folder / "cells.json", top)
    return Mapped(
        top=top,
        netlist=netlist,
        verilog=(folder / "cells.v").read_text().replace(*_SIGNED),
        macros=tuple(filter(sram.is_sram, netlist.cells(top))),
        tool=" ".join(netlist.creator.split()[:2]),
    )

"""Static timing and power of a netlist, by OpenSTA."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stillflow.boards.asic.liberty import Liberty
from stillflow.boards.asic.macros import SramTiming, sram_liberty
from stillflow.boards.asic.mapping import Mapped
from stillflow.boards.collateral import sdc
from stillflow.boards.errors import ToolError

_BLOCK = re.compile(r"^(setup|hold)$\n(.*?)^done$", re.MULTILINE | re.DOTALL)
_ENDS = re.compile(r"^(?:Startpoint|Endpoint): (\S+)", re.MULTILINE)
_SLACK = re.compile(r"^\s*(-?[\d.]+)\s+slack", re.MULTILINE)
_GATE = re.compile(r"^\s+-?[\d.]+\s+-?[\d.]+ [v^] \S+ \((\w+)\)$", re.MULTILINE)
_REPORT = "report_power -digits 6 -instances [get_cells -hierarchical *]"
_POWER = re.compile(r"^\s*([\d.e+-]+)\s+([\d.e+-]+)\s+([\d.e+-]+)\s+([\d.e+-]+) (\S+)$")


@dataclass(frozen=True, kw_only=True)
class TimingPath:
    """The path with the least slack.

    Parameters
    ----------
    slack : float
        In ns; negative: the path is too slow, or too fast for a hold check.
    start, end : str
        Cell or port where it begins and ends.
    gates : int
        Cells on it, the register that it leaves among them.
    """

    slack: float
    start: str
    end: str
    gates: int


@dataclass(frozen=True)
class CellPower:
    """Power of a cell, by how often its output changes.

    Parameters
    ----------
    idle : float
        Watts while it does not change: leakage, and the clock in a flip-flop.
    change : float
        Watts more for each change per clock cycle.
    """

    idle: float
    change: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What OpenSTA found.

    Parameters
    ----------
    tool : str
        OpenSTA and its version.
    period : float
        Clock period, in ns.
    setup, hold : TimingPath
        The worst of each kind.
    power : Mapping[str, CellPower]
        Of each cell by its path, joined by ``/``; empty if it was not asked for.
    """

    tool: str
    period: float
    setup: TimingPath
    hold: TimingPath
    power: Mapping[str, CellPower]

    @property
    def fmax(self) -> float:
        """Highest clock frequency, in MHz."""
        return 1000 / (self.period - self.setup.slack)


def analyse(
    mapped: Mapped,
    liberty: Liberty,
    folder: Path,
    *,
    period: float,
    srams: SramTiming,
    with_power: bool = False,
) -> Timing:
    """Find the worst paths of a netlist and the power of its cells.

    Power is linear in the activity. OpenSTA tells it for outputs that never change and for outputs
    that change once a cycle; what a simulation counts lies between.

    Parameters
    ----------
    mapped : Mapped
        The netlist.
    liberty : Liberty
        Its cells.
    folder : Path
        For what lies between.
    period : float
        Clock period, in ns.
    srams : SramTiming
        What is assumed of the memories.
    with_power : bool
        Ask for power, too.

    Raises
    ------
    ToolError
        If OpenSTA is missing or fails.
    """
    sta = shutil.which("sta")
    if sta is None:
        raise ToolError("sta: not found on PATH: install OpenSTA (Debian's opensta)")
    (folder / "srams.lib").write_text(sram_liberty(mapped.macros, srams))
    (folder / "cells.v").write_text(mapped.verilog)
    ways = mapped.netlist.modules[mapped.top]["ports"]
    inputs = [name for name, port in ways.items() if port["direction"] == "input"]
    clocked = "clk" in inputs
    constraints = sdc(period, [name for name in inputs if name != "clk"], clocked=clocked)
    (folder / "constraints.sdc").write_text(constraints)
    lines = [
        f"read_liberty {{{liberty.path}}}",
        "read_liberty srams.lib",
        "read_verilog cells.v",
        f"link_design {mapped.top}",
        "source constraints.sdc",
        "puts setup",
        "report_checks -path_delay max",
        "puts done",
        "puts hold",
        "report_checks -path_delay min",
        "puts done",
    ]
    for changes in (0, 1) if with_power else ():
        lines.append(f"set_power_activity -global -activity {changes} -duty 0.5")
        lines.append(f"{_REPORT} > power{changes}.rpt")
    (folder / "run.tcl").write_text("\n".join([*lines, "exit", ""]))
    done = subprocess.run(
        [sta, "-no_splash", "-exit", "run.tcl"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    errors = [line for line in said.splitlines() if line.startswith("Error")]
    found = {match[1]: match[2] for match in _BLOCK.finditer(said)}
    if done.returncode or errors or found.keys() != {"setup", "hold"}:
        raise ToolError(f"OpenSTA failed: {(errors or said.splitlines()[-1:] or ['no output'])[0]}")
    power = {}
    if with_power:
        idle, busy = (_watts(folder / f"power{changes}.rpt") for changes in (0, 1))
        power = {path: CellPower(watts, busy[path] - watts) for path, watts in idle.items()}
    return Timing(
        tool=f"OpenSTA {_version(sta)}",
        period=period,
        setup=_path(found["setup"]),
        hold=_path(found["hold"]),
        power=power,
    )


def _watts(report: Path) -> dict[str, float]:
    matches = map(_POWER.match, report.read_text().splitlines())
    return {match[5]: float(match[4]) for match in matches if match}


def _path(text: str) -> TimingPath:
    ends, slack = _ENDS.findall(text), _SLACK.search(text)
    if slack is None or len(ends) != 2:
        raise ToolError("OpenSTA failed: it found no path to a clocked cell or an output")
    return TimingPath(
        slack=float(slack[1]), start=ends[0], end=ends[1], gates=len(_GATE.findall(text)) - 2
    )


def _version(sta: str) -> str:
    done = subprocess.run([sta, "-version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()

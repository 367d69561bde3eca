"""From a board to a bitstream: Yosys, nextpnr, and the packer of the family."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillflow.boards.errors import INSTALL_BOARDS, ToolError
from stillflow.boards.fpga.board import Board
from stillflow.boards.fpga.pads import SYSTEM, BoardTop
from stillflow.boards.multipliers.files import paired_multipliers
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.verilog import emit
from stillflow.boards.yosys import run_yosys
from stillflow.hw.system.system import System
from stillflow.hw.system.system_config import SystemConfig

TOP = "top"


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A design after place and route.

    Parameters
    ----------
    seed : int
        Of the placer.
    frequency : float
        Hz that the slowest clock of the design reaches.
    used, available : dict[str, int]
        Cells by type.
    routed : Path
        What the packer takes.
    """

    seed: int
    frequency: float
    used: dict[str, int]
    available: dict[str, int]
    routed: Path


class Flow:
    """The steps for a board, in a folder of their own.

    Parameters
    ----------
    board : Board
        The board.
    system : SystemConfig
        What it holds.
    folder : Path
        For all files.
    """

    def __init__(self, board: Board, system: SystemConfig, folder: Path) -> None:
        self.board = board
        self.system = system
        self.folder = folder
        self._sources: list[str] = []

    def prepare(self) -> None:
        """Write the system's Verilog, the pads' RTLIL and the constraints."""
        files = emit(System(self.system), SYSTEM)
        files = paired_multipliers(files, self.board.device.target, SYSTEM)
        plan = make_platform(self.board).prepare(BoardTop(self.board), TOP)
        for name, content in {**plan.files, **files}.items():
            path = self.folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self._sources = list(files)

    def synthesise(self) -> str:
        """Map to the FPGA's cells; give Yosys' version.

        Raises
        ------
        ToolError
            If Yosys fails.
        """
        log = run_yosys(
            (
                f"read_verilog {' '.join(self._sources)}",
                f"read_rtlil {TOP}.il",
                *TARGETS[self.board.device.target].commands(TOP, flatten=True),
                "setattr -unset src */w:* */c:* */m:*",
                f"write_json {TOP}.json",
                f"tee -o stat.json stat -json -top {TOP}",
            ),
            self.folder,
        )
        (self.folder / "yosys.log").write_text(log)
        return " ".join(json.loads((self.folder / "stat.json").read_text())["creator"].split()[:2])

    def place_and_route(self, seed: int, tell: Callable[[str], None]) -> Placed:
        """Run nextpnr.

        Raises
        ------
        ToolError
            If it fails, as where the design does not fit.
        """
        device = self.board.device
        routed, report = f"{TOP}-{seed}.routed", f"report-{seed}.json"
        constraints = f"{TOP}.{device.constraints}"
        if device.target == "gowin":
            pins = ["--vopt", f"cst={constraints}"]
        else:
            pins = [f"--{device.constraints}", constraints]
        command = [
            *device.place_and_route, "--json", f"{TOP}.json", *pins, f"--{device.routed}", routed,
            "--report", report, "--seed", str(seed), "--timing-allow-fail",
            "--freq", f"{self.board.clock / 1e6:g}", "--log", f"nextpnr-{seed}.log",
        ]  # fmt: skip
        run_tool(command, self.folder, tell)
        found = json.loads((self.folder / report).read_text())
        used = found["utilization"]
        return Placed(
            seed=seed,
            frequency=min(clock["achieved"] for clock in found["fmax"].values()) * 1e6,
            used={name: count["used"] for name, count in used.items()},
            available={name: count["available"] for name, count in used.items()},
            routed=self.folder / routed,
        )

    def router_version(self) -> str:
        """Version that nextpnr says it has."""
        lines: list[str] = []
        run_tool([self.board.device.place_and_route[0], "--version"], self.folder, lines.append)
        found = re.search(r"nextpnr-[\d.]+\w*", " ".join(lines))
        return found[0] if found else "unknown"

    def pack(self, placed: Placed) -> Path:
        """Make the bitstream.

        Raises
        ------
        ToolError
            If the packer fails.
        """
        device = self.board.device
        made = self.board.bitstream
        last = [placed.routed.name, made]
        if device.target == "gowin":
            last.reverse()
        command = [*device.pack, *last]
        run_tool(command, self.folder, lambda line: None)
        return self.folder / made


def make_platform(board: Board) -> Any:
    """Make the board's platform of amaranth-boards.

    Raises
    ------
    ToolError
        If amaranth-boards is not installed.
    """
    from amaranth.build import Attrs

    module, name = board.platform.split(":")
    try:
        resources = importlib.import_module("amaranth_boards.resources")
        platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
    except ImportError as error:
        raise ToolError(f"amaranth-boards was not found: {INSTALL_BOARDS}") from error
    if board.uart is not None:
        rx, tx = board.uart
        pins = {"rx": rx, "tx": tx, "conn": ("io", 0)}
        platform.add_resources([resources.UARTResource(0, **pins, attrs=Attrs(IO_TYPE="LVCMOS33"))])
    return platform


def tool(name: str) -> str:
    """Find a tool: YoWASP's beside our Python first, then one on PATH.

    Raises
    ------
    ToolError
        If there is neither.
    """
    beside = Path(sys.executable).parent / f"yowasp-{name}"
    plain = Path(sys.executable).parent / name
    found = next((str(path) for path in (beside, plain) if path.exists()), None)
    found = found or shutil.which(f"yowasp-{name}") or shutil.which(name)
    if found is None:
        raise ToolError(f"{name} was not found: {INSTALL_BOARDS}")
    return found


def run_tool(command: Sequence[str], folder: Path, tell: Callable[[str], None]) -> None:
    """Run a tool in a folder and pass its lines on.

    Raises
    ------
    ToolError
        If it fails, with its last error.
    """
    with subprocess.Popen(
        [tool(command[0]), *command[1:]], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as running:  # fmt: skip
        assert running.stdout is not None
        last = ""
        for line in running.stdout:
            text = line.strip()
            if text.startswith("ERROR"):
                last = text
            tell(text)
        status = running.wait()
    if status:
        raise ToolError(f"{command[0]} stopped with status {status}: {last or 'see its log'}")

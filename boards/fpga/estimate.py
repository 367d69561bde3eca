"""What a board's system takes, and about how fast it is, without place and route."""

from dataclasses import dataclass
from typing import Any

from stillflow.boards.fpga.board import Board
from stillflow.boards.fpga.pads import SYSTEM
from stillflow.boards.synthesis.levels import level_ways
from stillflow.boards.synthesis.paths import longest_paths
from stillflow.boards.synthesis.report import blocks
from stillflow.boards.synthesis.run import design
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.verilog import emit
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.system.system import System
from stillflow.hw.top import Accelerator


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Sizes after synthesis beside what the device has.

    Parameters
    ----------
    tool : str
        Yosys and its version.
    rows : dict[str, tuple[int, int]]
        Taken and there, by what it is.
    levels : int
        Of logic on the longest path.
    mhz : float
        From the levels, with the device's time for one.
    """

    tool: str
    rows: dict[str, tuple[int, int]]
    levels: int
    mhz: float

    @property
    def fits(self) -> bool:
        """Whether there is enough of everything."""
        return all(taken <= there for taken, there in self.rows.values())

    def cells(self) -> str:
        """Say what is taken."""
        return ", ".join(f"{taken} of {there} {name}" for name, (taken, there) in self.rows.items())

    def lacking(self) -> str:
        """Say what there is too little of."""
        return ", ".join(
            f"{taken} {name} of {there}"
            for name, (taken, there) in self.rows.items()
            if taken > there
        )

    def as_json(self) -> dict[str, Any]:
        """Make the report."""
        return {
            "tool": self.tool,
            "fits": self.fits,
            "levels": self.levels,
            "estimated_mhz": self.mhz,
            "cells": {
                name: {"taken": taken, "there": there} for name, (taken, there) in self.rows.items()
            },
        }


def estimate(board: Board, config: AcceleratorConfig) -> Estimate:
    """Synthesise a board's system, or its core where the board has a processor.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    device, target = board.device, TARGETS[board.device.target]
    top = Accelerator(config) if board.memory is None else System(board.system(config))
    with design(emit(top, SYSTEM), SYSTEM) as made:
        netlist = made.mapped(target, flatten=True)
    levels = longest_paths(netlist.leaves(), level_ways(target))
    (whole,) = blocks(netlist, target, levels, {})
    size = whole.size
    rows = {
        target.lut: (size.luts, device.luts), "FF": (size.ffs, device.ffs),
        "DSP": (size.dsps, device.dsps), target.ram: (size.rams, device.rams),
    }  # fmt: skip
    if large := netlist.cells(SYSTEM).get("SB_SPRAM256KA"):
        rows["SPRAM"] = (large, 4)
    depth = levels[SYSTEM].cost
    return Estimate(
        tool=" ".join(netlist.creator.split()[:2]),
        rows=rows,
        levels=depth,
        mhz=1e3 / (depth * device.level_ns + 1),
    )

"""All that is found out about a design on a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stillflow.boards import sram
from stillflow.boards.errors import CheckFailed
from stillflow.boards.synthesis import words
from stillflow.boards.synthesis.levels import level_ways
from stillflow.boards.synthesis.paths import Path, longest_paths
from stillflow.boards.synthesis.report import Block, Size, blocks
from stillflow.boards.synthesis.run import Design
from stillflow.boards.synthesis.targets import Target


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Sizes and paths of a design.

    Parameters
    ----------
    target : Target
        FPGA family.
    tool : str
        Yosys and its version.
    blocks : list[Block]
        In the order of the hierarchy, the top first.
    flat : Block | None
        The whole with its hierarchy dissolved, if that was asked for.
    longest : Path
        Most levels of logic, in the hierarchical netlist.
    arithmetic : Mapping[str, Path]
        See `stillflow.boards.synthesis.words`.
    """

    target: Target
    tool: str
    blocks: list[Block]
    flat: Block | None
    longest: Path
    arithmetic: Mapping[str, Path]

    @property
    def memories_elsewhere(self) -> dict[str, Size]:
        """SRAMs that did not become block RAM, with what they took instead."""
        return {
            block.module: block.size
            for block in self.blocks
            if sram.is_sram(block.module) and not block.size.rams
        }

    @property
    def unknown_cells(self) -> tuple[str, ...]:
        """Cell types that the target's table lacks: their levels count, their size does not."""
        return tuple(name for name in self.blocks[0].cells if not self.target.knows(name))

    def check(self) -> None:
        """Check the rule on arithmetic.

        Raises
        ------
        CheckFailed
            If a path holds too much, with its ends.
        """
        worst = max(self.arithmetic.values(), key=lambda path: path.cost, default=None)
        if worst is not None and worst.cost > words.MOST:
            raise CheckFailed(
                f"arithmetic between registers must cost at most {words.MOST}, not {worst.cost}: "
                f"from {worst.cells[0]} to {worst.cells[-1]}"
            )

    def as_json(self, pes: int) -> dict[str, Any]:
        """Make the report.

        Parameters
        ----------
        pes : int
            PEs to share the LUTs among; 0 leaves that figure out.
        """
        flat = None
        if self.flat is not None:
            flat = self.flat.as_json() | _shared(self.flat, pes)
        return {
            "tool": self.tool,
            "command": self.target.synthesis(flatten=False),
            "blocks": [block.as_json() for block in self.blocks],
            "total": self.blocks[0].as_json() | _shared(self.blocks[0], pes),
            "whole": flat,
            "longest_path": {"levels": self.longest.cost, "cells": self.longest.cells},
            "memories_elsewhere": sorted(self.memories_elsewhere),
            "unknown_cells": self.unknown_cells,
        }


def survey(made: Design, target: Target, *, whole: bool, tell: Callable[[str], None]) -> Survey:
    """Synthesise a design and measure it.

    Parameters
    ----------
    made : Design
        The Verilog.
    target : Target
        FPGA family.
    whole : bool
        Synthesise once more with the hierarchy dissolved.
    tell : Callable[[str], None]
        Called with what is being done.

    Raises
    ------
    ToolError
        If Yosys fails.
    CheckFailed
        If there is a combinational loop.
    """
    tell("arithmetic")
    arithmetic = words.arithmetic(made.words())
    tell(target.synthesis(flatten=False))
    netlist = made.mapped(target)
    levels = longest_paths(netlist.leaves(), level_ways(target))
    flat = None
    if whole:
        tell(f"{target.synthesis(flatten=True)}, hierarchy dissolved")
        dissolved = made.mapped(target, flatten=True)
        flat_levels = longest_paths(dissolved.leaves(), level_ways(target))
        (flat,) = blocks(dissolved, target, flat_levels, arithmetic)
    return Survey(
        target=target,
        tool=" ".join(netlist.creator.split()[:2]),
        blocks=blocks(netlist, target, levels, arithmetic),
        flat=flat,
        longest=levels[made.top],
        arithmetic=arithmetic,
    )


def _shared(block: Block, pes: int) -> dict[str, float]:
    return {"luts_per_mac": block.size.luts / pes} if pes else {}

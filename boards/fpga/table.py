"""The boards' lines of `docs/boards.md`: ``scripts/boards``."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from stillflow.boards.cli import main, report_errors
from stillflow.boards.errors import ToolError
from stillflow.boards.fpga.board import BOARDS, Board, find_board
from stillflow.hw.presets import PRESETS


@click.command()
@click.argument("names", nargs=-1, metavar="[BOARD]...")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
def table(names: tuple[str, ...], seeds: int) -> None:
    """Build boards, by default all; print a line for each, with the worst of some seeds."""
    boards = [find_board(name) for name in names] or list(BOARDS.values())
    print("| board | device | PEs | LUT | FF | DSP | RAM | clock | reaches | made |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    tools: set[str] = set()
    for board in boards:
        with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
            asked = [f"--seed={seed}" for seed in range(1, seeds + 1)]
            if main(["build", board.name, "-o", folder, *asked]) not in (0, 1):
                raise ToolError(f"{board.name} was not built")
            report = json.loads(Path(folder, "report.json").read_text())
        tools |= {report["estimate"]["tool"], report.get("tools", {}).get("nextpnr", "")} - {""}
        print(_line(board, report), flush=True)
    print(f"\n{', '.join(sorted(tools))}; worst of {seeds} seed(s)")


def _line(board: Board, report: dict[str, Any]) -> str:
    config = PRESETS[board.name]
    cells = [
        f"{count['taken']:,} of {count['there']:,}"
        for count in list(report["estimate"]["cells"].values())[:4]
    ]
    reached, made = f"about {report['estimate']['estimated_mhz']:.0f} MHz", "nothing: too large"
    if "scripts" in report:
        made = "a Vivado project"
    elif "runs" in report:
        reached = f"{report['worst_mhz']:.1f} MHz"
        made = report.get("bitstream", "nothing: too slow")
    columns = [board.name, board.title, f"{config.rows}x{config.cols}", *cells,
               f"{board.clock / 1e6:g} MHz", reached, made]  # fmt: skip
    return f"| {' | '.join(columns)} |"


if __name__ == "__main__":
    sys.exit(report_errors(lambda: table.main(standalone_mode=False)))

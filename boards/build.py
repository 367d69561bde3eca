"""``stillflow build``: a board's bitstream, or the project of its vendor's tool."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from stillflow.boards.configs import resolve_config, set_option
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import check_folder, write_bytes, write_json
from stillflow.boards.fpga.board import Board, find_board
from stillflow.boards.simulation import progress_line
from stillflow.boards.version import version
from stillflow.hw.config import AcceleratorConfig

#: What the tools call the cells that matter.
SHOWN = ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD", "ICESTORM_LC", "ICESTORM_DSP",
         "ICESTORM_RAM", "ICESTORM_SPRAM", "LUT4", "DFF", "BSRAM", "MULT9X9")  # fmt: skip


@click.command()
@click.argument("board_name", metavar="BOARD")
@click.option("-o", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Where the bitstream, reports and logs go.")  # fmt: skip
@click.option("--clock", type=click.FloatRange(min=0, min_open=True), metavar="MHZ",
              help="Of the design. Default: the board's.")  # fmt: skip
@click.option("--seed", "seeds", type=click.IntRange(1), multiple=True, default=(1,),
              show_default=True, help="Of the placer; repeatable: the best is packed.")  # fmt: skip
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a report.")  # fmt: skip
@set_option
def build(
    board_name: str,
    folder: Path,
    clock: float | None,
    seeds: tuple[int, ...],
    json_path: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Make the bitstream of BOARD with its preset, or a Vivado project.

    Prints what it takes and about how fast it is after synthesis, and cells and frequency after
    place and route for each seed. Ends with status 1, and without a bitstream, if it does not fit
    or no seed reaches the clock.
    """
    board = find_board(board_name)
    if clock is not None:
        board = board.at(clock * 1e6)
    config = resolve_config(board.name, sets)
    if board.memory is not None:
        board.system(config)
        board.pll()
    check_folder(json_path)

    from stillflow.boards.fpga.estimate import estimate

    folder.mkdir(parents=True, exist_ok=True)
    for old in ("report.json", board.bitstream):  # of an earlier build: this one may make none
        (folder / old).unlink(missing_ok=True)
    report: dict[str, Any] = {
        "stillflow": version(),
        "board": board.name,
        "config": config.keys(),
        "clock_mhz": board.clock / 1e6,
    }
    with progress_line(Console(stderr=True)) as say:

        def tell(doing: str) -> None:
            say(f"{board.name}: {doing[:100]}")

        tell("estimate")
        found = estimate(board, config)
        report["estimate"] = found.as_json()
        click.echo(f"after synthesis: about {found.mhz:.0f} MHz, {found.cells()}")
        if not found.fits:
            message = f"{board.name} must have room: {found.lacking()}"
        elif not board.device.place_and_route:
            message = _project(board, config, folder, report)
        else:
            message = _bitstream(board, config, folder, seeds, report, tell)
    write_json(folder / "report.json", report)
    write_json(json_path, report)
    if message:
        raise CheckFailed(message)


def _project(
    board: Board, config: AcceleratorConfig, folder: Path, report: dict[str, Any]
) -> str | None:
    from stillflow.boards.fpga.vendor import write_project

    report["scripts"] = scripts = write_project(board, config, folder)
    click.echo(f"{folder}: run {' and '.join(scripts)} with Vivado there; neither was tried here")
    return None


def _bitstream(
    board: Board,
    config: AcceleratorConfig,
    folder: Path,
    seeds: tuple[int, ...],
    report: dict[str, Any],
    tell: Callable[[str], None],
) -> str | None:
    """Place, route and pack; give what is wrong, if anything is."""
    from stillflow.boards.fpga.flow import Flow

    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        flow = Flow(board, board.system(config), Path(scratch))
        tell("Verilog")
        flow.prepare()
        tell("synthesis")
        report["tools"] = {"yosys": flow.synthesise(), "nextpnr": flow.router_version()}
        placed = []
        try:
            for seed in seeds:
                run = flow.place_and_route(seed, tell)
                placed.append(run)
                click.echo(
                    f"seed {run.seed}, after place and route: {run.frequency / 1e6:.1f} MHz, "
                    f"{_cells(run.used)}"
                )
        finally:
            for log in sorted(Path(scratch).glob("*.log")):
                write_bytes(folder / log.name, log.read_bytes())
        best = max(placed, key=lambda run: run.frequency)
        report["runs"] = [
            {"seed": run.seed, "mhz": run.frequency / 1e6, "used": run.used,
             "available": run.available}
            for run in placed
        ]  # fmt: skip
        report["worst_mhz"] = min(run["mhz"] for run in report["runs"])
        if best.frequency < board.clock:
            return (
                f"{board.name} must run at {board.clock / 1e6:g} MHz, the best seed reaches "
                f"{best.frequency / 1e6:.1f} MHz"
            )
        made = flow.pack(best)
        write_bytes(folder / made.name, made.read_bytes())
    report["bitstream"] = made.name
    click.echo(f"{folder / made.name}: {board.clock / 1e6:g} MHz; it was not tried on a board")
    return None


def _cells(count: dict[str, int]) -> str:
    return ", ".join(f"{count[name]} {name}" for name in SHOWN if count.get(name))

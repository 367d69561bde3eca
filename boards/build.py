"""``stillflow build``: a board's bitstream."""

import shutil
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stillflow.boards.configs import override, set_option
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.fpga.board import find_board
from stillflow.boards.version import version
from stillflow.hw.presets import PRESETS

SHOWN = ("LUT4", "TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")


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
    """Make the bitstream of BOARD with its preset.

    Prints resources after synthesis, and resources and frequency after place and route, of the
    worst and the best seed. Ends with status 1, and without a bitstream, if no seed reaches the
    clock.
    """
    board = find_board(board_name)
    if clock is not None:
        board = board.at(clock * 1e6)
    system = board.system(override(PRESETS[board.name], sets))

    from stillflow.boards.fpga.flow import Flow

    folder.mkdir(parents=True, exist_ok=True)
    screen = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    quiet = not screen.is_terminal
    with (
        Progress(*columns, console=screen, transient=True, disable=quiet) as progress,
        tempfile.TemporaryDirectory(prefix="stillflow-") as scratch,
    ):
        task = progress.add_task("", total=None)

        def tell(doing: str) -> None:
            progress.update(task, description=f"{board.name}: {doing[:100]}")

        flow = Flow(board, system, Path(scratch))
        tell("Verilog")
        flow.prepare()
        tell("synthesis")
        tool = flow.synthesise()
        cells = flow.cells()
        click.echo(f"after synthesis: {_cells(cells)}")
        placed = [flow.place_and_route(seed, tell) for seed in seeds]
        best = max(placed, key=lambda run: run.frequency)
        worst = min(placed, key=lambda run: run.frequency)
        for run in placed:
            click.echo(
                f"seed {run.seed}, after place and route: {run.frequency / 1e6:.1f} MHz, "
                f"{_cells(run.used)}"
            )
        meets = best.frequency >= board.clock
        bitstream = flow.pack(best) if meets else None
        for log in sorted(Path(scratch).glob("*.log")):
            shutil.copy(log, folder)
        if bitstream is not None:
            shutil.copy(bitstream, folder)
    report = {
        "stillflow": version(),
        "board": board.name,
        "config": system.accelerator.keys(),
        "tools": {"yosys": tool, "nextpnr": flow.router_version()},
        "clock_mhz": board.clock / 1e6,
        "synthesis": cells,
        "runs": [
            {"seed": run.seed, "mhz": run.frequency / 1e6, "used": run.used,
             "available": run.available}
            for run in placed
        ],
        "worst_mhz": worst.frequency / 1e6,
        "bitstream": None if bitstream is None else str(folder / bitstream.name),
    }  # fmt: skip
    write_json(folder / "report.json", report)
    write_json(json_path, report)
    if bitstream is None:
        raise CheckFailed(
            f"{board.name} must run at {board.clock / 1e6:g} MHz, the best seed reaches "
            f"{best.frequency / 1e6:.1f} MHz"
        )
    click.echo(f"{folder / bitstream.name}: {board.clock / 1e6:g} MHz, not tried on a board")


def _cells(count: dict[str, int]) -> str:
    return ", ".join(f"{count[name]} {name}" for name in SHOWN if count.get(name))

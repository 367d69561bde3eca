"""What `run`, `bench` and the demo share: options, progress, the per-layer table."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stillflow.boards.engines import ENGINES
from stillflow.boards.objective import objective_options
from stillflow.compiler.program import Program
from stillflow.compiler.report import predict_program
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.sim.engine.base import DramTiming

_Command = Callable[..., Any]
MODEL = "model"  # the engine that is none: golden and cost model


def simulation_options(command: _Command) -> _Command:
    """Add the options of interface `run` and `bench` share."""
    options = (
        click.option("--engine", type=click.Choice([*ENGINES, MODEL]),
                     help="Default: the fastest there is; model: the cost model, no RTL."),
        click.option("--dram-latency", type=click.IntRange(1), default=40, show_default=True,
                     metavar="CYCLES", help="From address to first beat."),
        click.option("--dram-bytes-per-cycle", type=click.IntRange(1), metavar="B",
                     help="Reads and writes together. Default: the AXI width."),
        click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
                     help="Of random data."),
        click.option("--wave", type=click.Path(dir_okay=False, path_type=Path),
                     metavar="FILE.fst", help="Write a waveform."),
        click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
                     help="Run layers side by side in so many processes."),
        click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
                     metavar="FILE", help="Write the report as JSON."),
    )  # fmt: skip
    command = objective_options(command)
    for option in reversed(options):
        command = option(command)
    return command


def check_wave(wave: Path | None, engine: str | None, jobs: int) -> None:
    """Refuse a waveform where there is no one device to watch.

    Raises
    ------
    ValueError
        If the engine is the cost model, or there are several jobs.
    """
    if wave is not None and engine == MODEL:
        raise ValueError("--wave needs an engine that simulates, not model")
    if wave is not None and jobs > 1:
        raise ValueError(f"--wave needs --jobs 1, not {jobs}")


def dram_timing(latency: int, bytes_per_cycle: int | None, config: AcceleratorConfig) -> DramTiming:
    """Give the timing of the simulated DRAM; the width defaults to the AXI port's."""
    return DramTiming(latency=latency, bytes_per_cycle=bytes_per_cycle or config.axi_bytes)


@contextmanager
def progress_line(console: Console) -> Iterator[Callable[[str], None]]:
    """Show a line that says what is being done, while it is being done."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda text: bar.update(task, description=text)


def layer_progress(
    program: Program, timing: DramTiming, say: Callable[[str], None]
) -> Callable[[int], None]:
    """Say which layer runs, how far it is, and how long the rest will take."""
    bytes_per_cycle = timing.bytes_per_cycle or program.config.axi_bytes
    predicted = predict_program(program, latency=timing.latency, bytes_per_cycle=bytes_per_cycle)
    ends = list(accumulate(counters[Counter.CYCLES] for counters in predicted))
    begun = monotonic()

    def progress(cycles: int) -> None:
        index = min(bisect_right(ends, cycles), len(ends) - 1)
        left = (monotonic() - begun) * max(0, ends[-1] - cycles) / max(1, cycles)
        say(
            f"{program.layers[index].layer.name} ({index + 1} of {len(ends)}), {cycles:,} of "
            f"{ends[-1]:,} cycles, {left:.0f} s left"
        )

    return progress


def wide_console() -> Console:
    """Console for tables: at least 120 columns where the output is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=max(120, console.width))


def layer_table(report: dict[str, Any]) -> Table:
    """Lay out the report as a table, one line a layer."""
    title = f"{report['workload']} on {report['config']['name']}, {report['engine']}"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", overflow="ellipsis")
    for heading in ("op", "MACs", "cycles", "util %", "roofline %", "DRAM rd", "DRAM wr",
                    "energy", "mismatches"):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "op" else "right")
    rows: Sequence[dict[str, Any]] = [*report["layers"], {**report["total"], "name": "total"}]
    for index, row in enumerate(rows):
        last = index == len(rows) - 1
        if last:
            table.add_section()
        mismatches = row["mismatches"]
        table.add_row(
            row["name"],
            "" if last else row["op"],
            f"{row['macs']:,}",
            f"{row['cycles']:,}",
            f"{100 * row['utilization']:.1f}",
            f"{100 * row['roofline_efficiency']:.1f}",
            f"{row['dram_read_bytes']:,}",
            f"{row['dram_write_bytes']:,}",
            f"{row['energy']:.3g}",
            "-" if mismatches is None else f"{mismatches}",
        )
    return table

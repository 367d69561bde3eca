"""Whole networks on the RTL, in one table: ``scripts/networks``."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from stillflow.boards.cli import report_errors
from stillflow.boards.configs import resolve_config, set_option
from stillflow.boards.engines import ENGINES
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.model import make_model
from stillflow.boards.run import run_model
from stillflow.boards.simulation import MODEL, dram_timing, wide_console
from stillflow.compiler.zoo import NETWORKS

HEADS = (
    "network", "layers", "MACs", "cycles", "utilisation", "roofline", "least CONV", "DRAM MB",
    "energy", "differ", "ONNX Runtime", "steps off", "engine",
)  # fmt: skip


def row(title: str, report: dict[str, Any]) -> list[str]:
    """Cells of a network."""
    total = report["total"]
    convolutions = [layer for layer in report["layers"] if layer["op"] == "conv"]
    moved = total["dram_read_bytes"] + total["dram_write_bytes"]
    return [
        title,
        f"{len(report['layers'])}",
        f"{total['macs']:,}",
        f"{total['cycles']:,}",
        f"{total['utilization']:.1%}",
        f"{total['roofline_efficiency']:.1%}",
        f"{min(layer['roofline_efficiency'] for layer in convolutions):.1%}",
        f"{moved / 1e6:.1f}",
        f"{total['energy']:.3g}",
        f"{total['mismatches']}",
        f"{report['onnxruntime_differences']}",
        f"{report['onnxruntime_roundings']}",
        report["engine"],
    ]


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(NETWORKS)), metavar="[NETWORK]...")
@click.option("--config", default="edge16", show_default=True, metavar="CONFIG",
              help="A preset's name or a TOML file.")  # fmt: skip
@set_option
@click.option(
    "--engine", type=click.Choice([*ENGINES, MODEL]), help="Default: the fastest there is."
)
@click.option("--jobs", default=1, show_default=True, help="Processes.")
@click.option("--seed", default=0, show_default=True, help="Of weights and inputs.")
@click.option("--markdown", is_flag=True, help="Print the table for the documentation.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write every report.")  # fmt: skip
def networks(
    names: tuple[str, ...], config: str, sets: tuple[str, ...], engine: str | None, jobs: int,
    seed: int, markdown: bool, json_path: Path | None,
) -> None:  # fmt: skip
    """Make the survey's networks, run each from one doorbell, and print what it cost.

    ``differ`` are words that are not the golden model's, ``ONNX Runtime`` those that are not its,
    ``steps off`` those where it rounds in float arithmetic: by a step, or a normalisation's
    tolerance.
    """
    resolved = resolve_config(config, sets)
    console = Console(stderr=True)
    rows, reports, wrong = [], {}, 0
    for name in names or NETWORKS:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            make_model(name, path, seed=seed)
            report, _ = run_model(
                path, resolved, console, engine=engine, jobs=jobs, seed=seed,
                timing=dram_timing(40, None, resolved),
            )  # fmt: skip
        reports[name] = report
        rows.append(row(NETWORKS[name].title, report))
        wrong += report["total"]["mismatches"] + report["onnxruntime_differences"]
        console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    if markdown:
        print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
        print("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    else:
        table = Table(*HEADS, title=f"{resolved.name}, one image")
        for cells in rows:
            table.add_row(*cells)
        wide_console().print(table)
    write_json(json_path, reports)
    if wrong:
        raise CheckFailed(f"{wrong} words differ")


if __name__ == "__main__":
    sys.exit(report_errors(lambda: networks.main(standalone_mode=False)))

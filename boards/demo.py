"""The five-minute path: a trained network on a generated accelerator, checked bit for bit."""

import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from stillflow.boards.cli import report_errors
from stillflow.boards.configs import resolve_config
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.generate import MANIFEST, design_files, write_folder
from stillflow.boards.run import run_model
from stillflow.boards.simulation import dram_timing, layer_table, wide_console
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.base import EngineUnavailable
from stillflow.sim.engine.toolchain import find_toolchain

DIGITS_RUN = 200
LATENCY = 40


def _verilog(config: AcceleratorConfig, folder: Path, console: Console) -> None:
    began = time.monotonic()
    write_folder(folder, design_files(config, Accelerator(config), 10.0))
    console.print(f"  {folder}/ ({MANIFEST} lists it), {time.monotonic() - began:.1f} s")


def _classify(
    config: AcceleratorConfig, count: int, console: Console, **options: Any
) -> tuple[dict[str, Any], int]:
    """Report of the runs, and how many digits the RTL named rightly."""
    images, labels = load_digits()
    batches = [{"image": images[i : i + 1]} for i in range(count)]
    report, outputs = run_model(
        DIGITS, config, console, batches, timing=dram_timing(LATENCY, None, config), **options
    )
    named = outputs["scores"].argmax(axis=1)
    return report, int(np.count_nonzero(named == labels[:count]))


@click.command()
@click.option("--config", "name", default="edge8", show_default=True, metavar="CONFIG")
@click.option("-o", "folder", default="build/demo", show_default=True,
              type=click.Path(path_type=Path), metavar="DIR", help="Where results go.")  # fmt: skip
@click.option("--digits", type=click.IntRange(1, 360), default=DIGITS_RUN, show_default=True)
@click.option("--engine", type=click.Choice(["verilator", "pysim"]))
def demo(name: str, folder: Path, digits: int, engine: str | None) -> None:
    """Generate CONFIG, compile LeNet-5, classify digits on the RTL, compare every tensor."""
    console, printer = Console(stderr=True), wide_console()
    config = resolve_config(name)
    folder.mkdir(parents=True, exist_ok=True)
    count = digits
    try:
        find_toolchain()
    except EngineUnavailable as error:
        if engine == "verilator":
            raise
        console.print(f"[yellow]{error}: simulating one image in pysim, which is slow[/]")
        engine, count = "pysim", 1

    console.print(f"1. Verilog of {config.name} ({config.rows}x{config.cols} PEs)")
    _verilog(config, folder / "verilog", console)

    console.print(f"2. LeNet-5 on {count} digits that training never saw, on that Verilog")
    began = time.monotonic()
    report, right = _classify(config, count, console, engine=engine)
    seconds = time.monotonic() - began
    cycles = report["total"]["cycles"]
    console.print(f"  {count * cycles:,} cycles with {report['engine']}, {seconds:.1f} s")

    wave = folder / ("digit.fst" if report["engine"] == "verilator" else "digit.vcd")
    if report["engine"] == "verilator":
        console.print("3. The first digit once more, with a waveform")
        _classify(config, 1, console, engine=report["engine"], wave=wave)

    report_path = folder / "report.json"
    write_json(report_path, report)
    printer.print(layer_table(report))
    printer.print(
        f"{right} of {count} digits right ({100 * right / count:.1f} %), labels from the ofmap "
        "that the RTL wrote\n"
        f"{report['total']['mismatches']} words differ from the golden model, "
        f"{report['onnxruntime_differences']} from ONNX Runtime, over {count} images"
    )
    printer.print(f"Verilog   {folder}/verilog/\nreport    {report_path}", highlight=False)
    if wave.exists():
        printer.print(f"waveform  {wave}", highlight=False)
    if not report["bit_exact"] or report["onnxruntime_differences"]:
        raise CheckFailed("the RTL differs: see the table")


if __name__ == "__main__":
    sys.exit(report_errors(lambda: demo.main(prog_name="demo", standalone_mode=False)))

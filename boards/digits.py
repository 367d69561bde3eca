"""The trained networks on the RTL: ``scripts/digits``."""

import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from stillflow.boards.cli import report_errors
from stillflow.boards.configs import resolve_config, set_option
from stillflow.boards.errors import CheckFailed
from stillflow.boards.run import run_model
from stillflow.boards.simulation import dram_timing
from stillflow.compiler.models import (
    DIGITS,
    DIGITS_RESIDUAL,
    DIGITS_SEPARABLE,
    load_digits,
    load_small_digits,
)

Digits = tuple[NDArray[np.float32], NDArray[np.int64]]
TRAINED: dict[str, tuple[Path, Callable[[], Digits]]] = {
    "LeNet-5": (DIGITS, load_digits),
    "residual": (DIGITS_RESIDUAL, load_small_digits),
    "depthwise separable": (DIGITS_SEPARABLE, load_small_digits),
}


@click.command()
@click.option("--config", default="edge8", show_default=True, metavar="CONFIG")
@set_option
@click.option("--digits", "count", type=click.IntRange(1, 360), default=360, show_default=True)
@click.option("--engine", help="Default: the fastest there is.")
def digits(config: str, sets: tuple[str, ...], count: int, engine: str | None) -> None:
    """Classify digits that training never saw, on the RTL, with each trained network."""
    resolved = resolve_config(config, sets)
    wrong = 0
    print("| network | right | of | cycles a digit | differ | ONNX Runtime |")
    print("|---|---|---|---|---|---|")
    for title, (model, load) in TRAINED.items():
        images, labels = load()
        batches = [{"image": images[i : i + 1]} for i in range(count)]
        report, outputs = run_model(
            model, resolved, Console(stderr=True), batches, engine=engine,
            timing=dram_timing(40, None, resolved),
        )  # fmt: skip
        right = np.count_nonzero(outputs["scores"].argmax(axis=1) == labels[:count])
        total, other = report["total"], report["onnxruntime_differences"]
        print(
            f"| {title} | {right / count:.1%} | {count} | {total['cycles']:,} | "
            f"{total['mismatches']} | {other} |"
        )
        wrong += total["mismatches"] + other
    if wrong:
        raise CheckFailed(f"{wrong} words differ")


if __name__ == "__main__":
    sys.exit(report_errors(lambda: digits.main(standalone_mode=False)))

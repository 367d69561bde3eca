"""``scripts/fuzz``: random layers on random accelerators, RTL against golden and cost model."""

import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import click
from rich.console import Console
from rich.progress import Progress

from stillflow.boards.cli import report_errors
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import check_folder, write_whole
from stillflow.boards.trial import library, presets, run_trials
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.fuzz.configs import draw_configs
from stillflow.sim.fuzz.coverage import BINS, Coverage, Point, database


def _worker(configs: Sequence[AcceleratorConfig], count: int, start: int, queue) -> None:
    try:
        run_trials(configs, count, start, queue.put)
        queue.put(None)
    except BaseException as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        queue.put(f"{type(error).__name__}: {error}\n{notes}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cases", "count", default=200, show_default=True, type=click.IntRange(1))
@click.option("--seed", "start", type=int, help="Repeat a run; drawn and printed by default.")
@click.option("--configs", "drawn", default=4, show_default=True, type=click.IntRange(0),
              help="Random accelerators beside the presets.")  # fmt: skip
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1))
@click.option("--coverage", "coverage_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Print what kinds of layers ran; write cocotb-coverage's XML.")  # fmt: skip
def fuzz(count: int, start: int | None, drawn: int, jobs: int, coverage_path: Path | None) -> None:
    """Hold random layers on random accelerators to the golden model and to the cost model.

    Draws layers of every kind (alone or in chains), accelerators in every dataflow, nests, DRAM
    timing and stalls; every tensor must equal the golden model's and every counter the cost
    model's. What fails is made as simple as it goes and printed.
    """
    check_folder(coverage_path)
    start = Random().getrandbits(32) if start is None else start
    console = Console(stderr=True)
    console.print(f"seed {start}")
    configs = (*presets(), *draw_configs(start, drawn))
    with Progress(console=console, transient=True) as progress:
        building = progress.add_task("building accelerators", total=len(configs))
        for config in configs:
            library(config)
            progress.advance(building)
        running = progress.add_task("cases", total=count)
        coverage = Coverage("layers")

        def told(points: list[Point]) -> None:
            progress.advance(running)
            for point in points:
                coverage.sample(point)

        failures = _run_all(configs, count, start, jobs, told)
    if failures:
        again = f"scripts/fuzz --cases {count} --seed {start} --configs {drawn} --jobs {jobs}"
        print(*failures, sep="\n")
        raise CheckFailed(f"a case fails; to repeat: {again}")
    print(f"{count} cases on {len(configs)} accelerators, seed {start}: 0 mismatches, "
          "every counter as predicted")  # fmt: skip
    if coverage_path is not None:
        print(*_report(coverage), sep="\n")
        write_whole(coverage_path, database())


def _report(coverage: Coverage) -> list[str]:
    lines = [
        f"{point}: " + ", ".join(f"{name} {hits}" for name, hits in coverage.hits(point).items())
        for point in BINS
    ]
    lines.append(f"cross of all: {coverage.covered} of {coverage.size} bins")
    return lines + [f"never: {', '.join(bins)}" for bins in coverage.missing]


def _run_all(configs, count: int, start: int, jobs: int, told) -> list[str]:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    shares = [count // jobs + (job < count % jobs) for job in range(jobs)]
    workers = [
        context.Process(target=_worker, args=(configs, share, start + job, queue))
        for job, share in enumerate(shares)
        if share
    ]
    for worker in workers:
        worker.start()
    failures, left = [], len(workers)
    while left:
        said = queue.get()
        if isinstance(said, list):
            told(said)
            continue
        left -= 1
        if said is not None:
            failures.append(said)
    for worker in workers:
        worker.join()
    return failures


if __name__ == "__main__":
    sys.exit(report_errors(lambda: fuzz.main(prog_name="fuzz", standalone_mode=False)))

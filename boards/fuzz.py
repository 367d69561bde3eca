"""``scripts/fuzz``: random layers on random accelerators, RTL against golden and cost model."""

import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from stillflow.boards.cli import report_errors
from stillflow.boards.engines import cache_folder, verilog_files
from stillflow.boards.errors import CheckFailed
from stillflow.compiler.cost.predict import predict
from stillflow.compiler.driver import Driver
from stillflow.compiler.mapper import candidates
from stillflow.compiler.program import compile_network
from stillflow.compiler.work import Plan
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.csr import Counter
from stillflow.hw.mapping import Mapping
from stillflow.hw.presets import EDGE8, TINY
from stillflow.sim.engine.library import build
from stillflow.sim.engine.settings import DramTiming, Stalls
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.execute import execute
from stillflow.sim.fuzz.configs import draw_configs
from stillflow.sim.fuzz.layers import Case, cases

CHANNELS = ("ar", "aw", "w", "r", "b")
# Cases are large and slow on purpose.
SUPPRESSED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


@cache
def _library(config: AcceleratorConfig):
    return build(verilog_files(config), cache_folder(), axi_data_bits=config.axi_data_bits)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One case on one accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    case : Case
        Layers and words.
    nest : int | None
        Seed of a nest to take instead of the mapper's.
    timing : DramTiming
        Of the DRAM.
    stalls : Stalls | None
        Of the bus; with them the cost model is not asked for cycles.
    """

    config: AcceleratorConfig
    case: Case
    nest: int | None
    timing: DramTiming
    stalls: Stalls | None

    def _choose(self, plan: Plan, config: AcceleratorConfig) -> Mapping:
        return Random(self.nest).choice(list(candidates(plan, config)))

    def check(self) -> None:
        """Run the trial.

        Raises
        ------
        CheckFailed
            If a word differs from the golden model, or a counter from the cost model.
        """
        config, network = self.config, self.case.network
        program = compile_network(
            network, config, choose=self._choose if self.nest is not None else None
        )
        with VerilatorEngine(
            _library(config), axi_data_bits=config.axi_data_bits, timing=self.timing,
            memory_bytes=program.size, stalls=self.stalls,
        ) as engine:  # fmt: skip
            driver = Driver(engine)
            driver.load(program)
            outcome = execute(driver, program, self.case.words)
        for layer in network.layers:
            differing = outcome.mismatches(layer.ofmap)
            if differing:
                raise CheckFailed(f"{layer.name}: {differing} words differ from the golden model")
        predicted = predict(
            config, [(layer.mapping, layer.descriptor) for layer in program.layers],
            program_address=program.program_address, record_address=program.record_address,
            latency=self.timing.latency, bytes_per_cycle=self.timing.bytes_per_cycle,
        )  # fmt: skip
        # Bursts that wait cost cycles which the model does not know; everything else is the same.
        unknown = {Counter.CYCLES} if self.stalls else set()
        for layer, counted, expected in zip(
            network.layers, outcome.counters or (), predicted, strict=True
        ):
            for counter in set(Counter) - unknown:
                if counted[counter] != expected[counter]:
                    raise CheckFailed(
                        f"{layer.name}: {counter.name} is {counted[counter]}, the cost model says "
                        f"{expected[counter]}"
                    )


@st.composite
def trials(draw: st.DrawFn, configs: Sequence[AcceleratorConfig]) -> Trial:
    """Draw a case for one of some accelerators."""
    config = draw(st.sampled_from(configs))
    rate = draw(st.sampled_from([None, None, 1, config.axi_bytes // 2, config.axi_bytes + 1]))
    stalls = None
    if draw(st.integers(0, 2)) == 0:
        chances = {c: draw(st.sampled_from([0.0, 0.1, 0.5, 0.95])) for c in CHANNELS}
        stalls = Stalls(seed=draw(st.integers(0, 2**32 - 1)), **chances)
    return Trial(
        config=config,
        case=draw(cases(config)),
        nest=draw(st.one_of(st.none(), st.integers(0, 2**32 - 1))),
        timing=DramTiming(latency=draw(st.sampled_from([40, 1, 2, 7, 200])), bytes_per_cycle=rate),
        stalls=stalls,
    )


def presets() -> tuple[AcceleratorConfig, ...]:
    """Small presets in every dataflow."""
    return tuple(
        replace(preset, name=f"{preset.name}_{flow}", dataflow=flow)
        for preset in (TINY, EDGE8)
        for flow in Dataflow
    )


def run_trials(configs: Sequence[AcceleratorConfig], count: int, start: int, told) -> None:
    """Run so many trials; shrink the first that fails, print and raise it."""

    @seed(start)
    @settings(
        max_examples=count, database=None, deadline=None, print_blob=True,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=SUPPRESSED,
    )  # fmt: skip
    @given(trial=trials(configs))
    def every_trial_is_exact(trial: Trial) -> None:
        told()
        trial.check()

    every_trial_is_exact()


def _worker(configs: Sequence[AcceleratorConfig], count: int, start: int, queue) -> None:
    try:
        run_trials(configs, count, start, lambda: queue.put(1))
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
def fuzz(count: int, start: int | None, drawn: int, jobs: int) -> None:
    """Hold random layers on random accelerators to the golden model and to the cost model.

    Draws layers of every kind (alone or in chains), accelerators in every dataflow, nests, DRAM
    timing and stalls; every tensor must equal the golden model's and every counter the cost
    model's. What fails is made as simple as it goes and printed.
    """
    start = Random().getrandbits(32) if start is None else start
    console = Console(stderr=True)
    console.print(f"seed {start}")
    configs = (*presets(), *draw_configs(start, drawn))
    with Progress(console=console, transient=True) as progress:
        building = progress.add_task("building accelerators", total=len(configs))
        for config in configs:
            _library(config)
            progress.advance(building)
        running = progress.add_task("cases", total=count)
        failures = _run_all(configs, count, start, jobs, lambda: progress.advance(running))
    if failures:
        again = f"scripts/fuzz --cases {count} --seed {start} --configs {drawn} --jobs {jobs}"
        print(*failures, sep="\n")
        raise CheckFailed(f"a case fails; to repeat: {again}")
    print(f"{count} cases on {len(configs)} accelerators, seed {start}: 0 mismatches, "
          "every counter as predicted")  # fmt: skip


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
        if said == 1:
            told()
            continue
        left -= 1
        if said is not None:
            failures.append(said)
    for worker in workers:
        worker.join()
    return failures


if __name__ == "__main__":
    sys.exit(report_errors(lambda: fuzz.main(prog_name="fuzz", standalone_mode=False)))

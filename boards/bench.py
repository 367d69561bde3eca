"""``stillflow bench``: layer shapes with random data on the RTL."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.engines import device_opener
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.simulation import (
    MODEL,
    check_wave,
    dram_timing,
    layer_table,
    progress_line,
    simulation_options,
    wide_console,
)
from stillflow.boards.version import version
from stillflow.compiler.driver import Driver
from stillflow.compiler.objective import Objective
from stillflow.compiler.program import Program, compile_network
from stillflow.compiler.report import make_report
from stillflow.compiler.synthetic import synthetic_inputs, synthetic_network
from stillflow.compiler.workload import Workload, load_workload
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.execute import execute, execute_layers


def bench_workload(
    workload: Workload,
    config: AcceleratorConfig,
    console: Console,
    *,
    engine: str | None,
    timing: DramTiming,
    seed: int,
    wave: Path | None,
    objective: Objective,
    jobs: int = 1,
) -> dict[str, Any]:
    """Run a table's layers as one program from one doorbell, and report."""
    with progress_line(console) as say:
        say("making data")
        network = synthetic_network(workload, config, seed=seed)
        inputs = synthetic_inputs(network, seed=seed)
        program = compile_network(
            network, config, objective=objective, progress=lambda name: say(f"compiling {name}")
        )
        open_device = device_opener(config, engine, timing, program.size, wave, say)
        used, device = open_device()
        with device:
            if jobs > 1:
                outcome = execute_layers(
                    lambda: open_device()[1],
                    program,
                    inputs,
                    jobs=jobs,
                    progress=lambda name: say(f"{name} is done"),
                )
            else:
                driver = Driver(device)
                driver.load(program)
                outcome = execute(
                    driver, program, inputs, progress=lambda cycles: say(f"{cycles:,} cycles")
                )
    return make_report(
        program,
        outcome.counters,
        version=version(),
        engine=used,
        latency=timing.latency,
        bytes_per_cycle=timing.bytes_per_cycle or config.axi_bytes,
        mismatches=[outcome.mismatches(layer.ofmap) for layer in network.layers],
    )


def model_workload(
    workload: Workload, config: AcceleratorConfig, *, timing: DramTiming, objective: Objective
) -> dict[str, Any]:
    """Report what the cost model predicts for a table's layers; no tensor is made."""
    return model_program(workload, config, timing=timing, objective=objective)[1]


def model_program(
    workload: Workload, config: AcceleratorConfig, *, timing: DramTiming, objective: Objective
) -> tuple[Program, dict[str, Any]]:
    """Compile a table's layers without contents; give the program and the cost model's report."""
    network = synthetic_network(workload, config, seed=0, weights=False)
    program = compile_network(network, config, objective=objective, contents=False)
    report = make_report(
        program,
        None,
        version=version(),
        engine=MODEL,
        latency=timing.latency,
        bytes_per_cycle=timing.bytes_per_cycle or config.axi_bytes,
        mismatches=[None] * len(network.layers),
    )
    return program, report


@click.command()
@click.argument("workload")
@config_option
@click.option("--layers", metavar="A,B", help="Only these layers.")
@click.option("--net", help="Value of the table's net column.")
@click.option("--batch", type=click.IntRange(1), help="Replaces N.")
@simulation_options
def bench(
    workload: str,
    config: str,
    sets: tuple[str, ...],
    layers: str | None,
    net: str | None,
    batch: int | None,
    engine: str | None,
    dram_latency: int,
    dram_bytes_per_cycle: int | None,
    seed: int,
    wave: Path | None,
    jobs: int,
    objective: Objective,
    json_path: Path | None,
) -> None:
    """Run layer shapes with seeded random data, every word checked.

    WORKLOAD is lenet5, alexnet, overfeat, vgg16, googlenet, resnet18, resnet50, mobilenetv1,
    mobilenetv2, or a CSV file.
    """
    resolved = resolve_config(config, sets)
    check_wave(wave, engine, jobs)
    table = load_workload(
        workload, net=net, layers=layers.split(",") if layers else None, batch=batch
    )
    console = Console(stderr=True)
    timing = dram_timing(dram_latency, dram_bytes_per_cycle, resolved)
    if engine == MODEL:
        report = model_workload(table, resolved, timing=timing, objective=objective)
    else:
        report = bench_workload(
            table, resolved, console, engine=engine, timing=timing, seed=seed, wave=wave,
            objective=objective, jobs=jobs,
        )  # fmt: skip
    wide_console().print(layer_table(report))
    write_json(json_path, report)
    if report["bit_exact"] is False:
        raise CheckFailed(f"{report['total']['mismatches']} words differ from the golden model")

"""``stillflow run``: a quantised ONNX network on the RTL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from stillflow.boards.configs import resolve_config, set_option
from stillflow.boards.engines import device_opener
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json, write_npz
from stillflow.boards.fpga.attachment import Attachment
from stillflow.boards.fpga.board import find_board
from stillflow.boards.inputs import Arrays, random_inputs, read_inputs
from stillflow.boards.simulation import (
    MODEL,
    check_wave,
    dram_timing,
    layer_progress,
    layer_table,
    progress_line,
    simulation_options,
    wide_console,
)
from stillflow.boards.version import version
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import dequantize, load_network, quantize
from stillflow.compiler.objective import CYCLES, Objective
from stillflow.compiler.program import ALIGNMENT, Program, compile_network
from stillflow.compiler.report import make_report
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.execute import Outcome, execute, execute_layers, golden_outcome
from stillflow.sim.oracle import Oracle


@contextmanager
def _runner(
    program: Program,
    *,
    attachment: Attachment | None,
    engine: str | None,
    timing: DramTiming,
    wave: Path | None,
    jobs: int,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Callable[[Arrays], Outcome]]]:
    """Give the engine's name, and what runs the program once on words by tensor name."""
    if engine == MODEL:
        yield MODEL, lambda words: golden_outcome(program, words)
        return
    progress = layer_progress(program, timing, say)
    if attachment is not None:
        say(f"loading {attachment.board.name}")
        with attachment.driver(program) as driver:
            yield (
                attachment.board.name,
                lambda words: execute(driver, program, words, progress=progress),
            )
        return
    open_device = device_opener(program.config, engine, timing, program.size, wave, say)
    used, device = open_device()
    with device:
        driver = Driver(device)
        driver.load(program)
        if jobs > 1:
            yield (
                used,
                lambda words: execute_layers(
                    lambda: open_device()[1], program, words, jobs=jobs, progress=say
                ),
            )
        else:
            yield used, lambda words: execute(driver, program, words, progress=progress)


def run_model(
    model: Path,
    config: AcceleratorConfig,
    console: Console,
    batches: list[Arrays] | None = None,
    *,
    engine: str | None = None,
    timing: DramTiming,
    seed: int = 0,
    wave: Path | None = None,
    objective: Objective = CYCLES,
    jobs: int = 1,
    batch: int | None = None,
    attachment: Attachment | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Run a model on each batch of inputs; report the first run, mismatches of all.

    With an attachment, on its board instead of an engine.

    Returns
    -------
    report : dict
        As the interface has it, with ``host`` (nodes that the host does), ``runs``,
        ``onnxruntime_differences`` and ``onnxruntime_roundings``, over all runs: words of quantised
        tensors and outputs that differ from those that ONNX Runtime computes from the golden
        model's ifmaps; those where it rounds in float arithmetic are counted apart.
    outputs : dict of ndarray
        Graph outputs, the runs along the first axis.
    """
    network = load_network(model, batch)
    runs = batches or [random_inputs(network, seed)]
    outcomes: list[Outcome] = []
    outputs: dict[str, list[NDArray[Any]]] = {port.name: [] for port in network.outputs}
    differences = roundings = 0
    with progress_line(console) as say:
        program = compile_network(
            network, config, objective=objective,
            alignment=ALIGNMENT if attachment is None else attachment.board.alignment,
            progress=lambda name: say(f"compiling {name}"),
        )  # fmt: skip
        network = program.network  # with the layers that this accelerator needs besides
        wrong = dict.fromkeys(network.results, 0)
        oracle = Oracle(model, network, batch)
        runner = _runner(
            program, attachment=attachment, engine=engine, timing=timing, wave=wave, jobs=jobs,
            say=say,
        )  # fmt: skip
        with runner as (used, execute_once):
            for index, inputs in enumerate(runs):
                say(f"run {index + 1} of {len(runs)}")
                outcome = execute_once(
                    {
                        port.tensor: quantize(port, network.tensors[port.tensor], inputs[port.name])
                        for port in network.inputs
                    }
                )
                outcomes = outcomes or [outcome]
                for tensor in wrong:
                    wrong[tensor] += outcome.mismatches(tensor)
                expected = oracle.run(inputs, outcome.golden)
                results: Arrays = {**outcome.golden, **outcome.tensors}
                for port in network.outputs:
                    tensor = network.tensors[port.tensor]
                    results[port.name] = dequantize(port, tensor, outcome.tensors[port.tensor])
                    outputs[port.name].append(results[port.name])
                found = oracle.differences(results, expected)
                differences += found.wrong
                roundings += found.rounded
    report = make_report(
        program,
        outcomes[0].counters,
        version=version(),
        engine=used,
        latency=timing.latency,
        bytes_per_cycle=timing.bytes_per_cycle or config.axi_bytes,
        mismatches=[wrong[layer.ofmap] for layer in network.layers],
    )
    report |= {
        "host": [port.host.name for port in network.outputs if port.host is not None],
        "runs": len(runs),
        "onnxruntime_differences": differences,
        "onnxruntime_roundings": roundings,
    }
    return report, {name: np.concatenate(parts) for name, parts in outputs.items()}


def _attachment(
    board_name: str | None, port: str | None, engine: str | None, wave: Path | None, jobs: int
) -> Attachment | None:
    """Find the board, if there is one; refuse what only a simulation can do."""
    if board_name is None:
        if port is not None:
            raise ValueError("--port must go with --board BOARD")
        return None
    board = find_board(board_name)
    if port is None:
        raise ValueError("--board must go with --port DEVICE")
    if engine is not None or wave is not None or jobs != 1:
        raise ValueError("--board must go without --engine, --wave and --jobs")
    return Attachment(board, port)


def _rounded(count: int) -> str:
    return f" ({count} where it rounds in float arithmetic)" if count else ""


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@click.option("--config", metavar="CONFIG",
              help="A preset's name or a TOML file. Default with --board: its preset.")  # fmt: skip
@set_option
@click.option("--board", "board_name", metavar="BOARD",
              help="Run on a board instead; see `stillflow boards`.")  # fmt: skip
@click.option("--port", metavar="DEVICE", help="Of the board, such as /dev/ttyUSB0.")
@click.option("--input", "input_path", type=click.Path(path_type=Path), metavar="X.npz",
              help="Graph inputs by name. Default: seeded random ones.")  # fmt: skip
@click.option("--output", "output_path", type=click.Path(path_type=Path), metavar="Y.npz",
              help="Write the graph outputs.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), metavar="N",
              help="First axis of the graph inputs. Default: the model's, or 1.")  # fmt: skip
@simulation_options
def run(
    model: Path,
    config: str | None,
    sets: tuple[str, ...],
    board_name: str | None,
    port: str | None,
    input_path: Path | None,
    output_path: Path | None,
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
    """Run a quantised ONNX model, every tensor compared with the golden model and ONNX Runtime."""
    attachment = _attachment(board_name, port, engine, wave, jobs)
    if config is None and attachment is None:
        raise click.UsageError("Missing option '--config'.")
    resolved = resolve_config(config or str(board_name), sets)
    check_wave(wave, engine, jobs)
    console = Console(stderr=True)
    batches = None if input_path is None else read_inputs(input_path, load_network(model, batch))
    report, outputs = run_model(
        model, resolved, console, batches, engine=engine,
        timing=dram_timing(dram_latency, dram_bytes_per_cycle, resolved), seed=seed, wave=wave,
        objective=objective, jobs=jobs, batch=batch, attachment=attachment,
    )  # fmt: skip
    printer = wide_console()
    printer.print(layer_table(report))
    if report["host"]:
        printer.print(f"on the host: {', '.join(report['host'])}")
    printer.print(
        f"{report['runs']} run(s): {report['total']['mismatches']} words differ from the golden "
        f"model, {report['onnxruntime_differences']} from ONNX Runtime"
        f"{_rounded(report['onnxruntime_roundings'])}"
    )
    if output_path is not None:
        write_npz(output_path, outputs)
    write_json(json_path, report)
    if not report["bit_exact"]:
        raise CheckFailed(f"{report['total']['mismatches']} words differ from the golden model")
    if report["onnxruntime_differences"]:
        raise CheckFailed(f"{report['onnxruntime_differences']} words differ from ONNX Runtime")

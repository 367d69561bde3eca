"""``stillflow run``: a quantised ONNX network on the RTL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.engines import device_opener
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json, write_npz
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
from stillflow.compiler.graph import Network, Port
from stillflow.compiler.objective import CYCLES, Objective
from stillflow.compiler.program import Program, compile_network
from stillflow.compiler.report import make_report
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.execute import Outcome, execute, execute_layers, golden_outcome
from stillflow.sim.oracle import Oracle

Arrays = dict[str, NDArray[Any]]


def read_inputs(path: Path, network: Network) -> list[Arrays]:
    """Graph inputs of an npz file, one dictionary for each run of the model.

    A first axis of k times the model's batch gives k runs.

    Raises
    ------
    ValueError
        If an input is missing, of the wrong shape or dtype, or there is one that the graph lacks.
    """
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                raise TypeError("it holds one array without a name")
            with loaded:
                arrays = {name: loaded[name] for name in loaded.files}
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: must be an npz file ({error})") from error
    known = {port.name: port for port in network.inputs}
    for name in arrays:
        if name not in known:
            raise ValueError(f"{path}: inputs must be among {', '.join(known)}, not {name!r}")
    counts = {_runs(path, port, arrays) for port in network.inputs}
    if len(counts) != 1:
        raise ValueError(f"{path}: all inputs must hold the same number of batches")
    (count,) = counts
    return [
        {name: np.split(array, count)[index] for name, array in arrays.items()}
        for index in range(count)
    ]


def _runs(path: Path, port: Port, arrays: Arrays) -> int:
    if port.name not in arrays:
        raise ValueError(f"{path}: input {port.name!r} must be there")
    array = arrays[port.name]
    if array.dtype != np.dtype(port.dtype):
        raise ValueError(f"{path}: {port.name} must be {port.dtype}, not {array.dtype}")
    batch = port.shape[0] if port.shape else 1
    fits = array.ndim == len(port.shape) and array.shape[1:] == port.shape[1:]
    if not fits or array.shape[0] == 0 or array.shape[0] % batch:
        raise ValueError(
            f"{path}: {port.name} must have shape {port.shape} or a multiple of its first axis, "
            f"not {array.shape}"
        )
    return array.shape[0] // batch


def random_inputs(network: Network, seed: int) -> Arrays:
    """Draw inputs that use the range of their quantised tensors."""
    random = np.random.default_rng(seed)
    inputs = {}
    for port in network.inputs:
        tensor = network.tensors[port.tensor]
        info = np.iinfo(tensor.dtype)
        words = random.integers(info.min, info.max, port.shape, endpoint=True)
        if port.dtype == "float32":
            inputs[port.name] = ((words - tensor.zero_point) * tensor.scale).astype(np.float32)
        else:
            inputs[port.name] = words.astype(port.dtype)
    return inputs


@contextmanager
def _runner(
    program: Program,
    *,
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
            yield (
                used,
                lambda words: execute(
                    driver, program, words, progress=layer_progress(program, timing, say)
                ),
            )


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
) -> tuple[dict[str, Any], Arrays]:
    """Run a model on each batch of inputs; report the first run, mismatches of all.

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
            network, config, objective=objective, progress=lambda name: say(f"compiling {name}")
        )
        network = program.network  # with the layers that this accelerator needs besides
        wrong = dict.fromkeys(network.results, 0)
        oracle = Oracle(model, network, batch)
        with _runner(program, engine=engine, timing=timing, wave=wave, jobs=jobs, say=say) as (
            used,
            execute_once,
        ):
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


def _rounded(count: int) -> str:
    return f" ({count} where it rounds in float arithmetic)" if count else ""


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@config_option
@click.option("--input", "input_path", type=click.Path(path_type=Path), metavar="X.npz",
              help="Graph inputs by name. Default: seeded random ones.")  # fmt: skip
@click.option("--output", "output_path", type=click.Path(path_type=Path), metavar="Y.npz",
              help="Write the graph outputs.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), metavar="N",
              help="First axis of the graph inputs. Default: the model's, or 1.")  # fmt: skip
@simulation_options
def run(
    model: Path,
    config: str,
    sets: tuple[str, ...],
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
    resolved = resolve_config(config, sets)
    check_wave(wave, engine, jobs)
    console = Console(stderr=True)
    batches = None if input_path is None else read_inputs(input_path, load_network(model, batch))
    report, outputs = run_model(
        model, resolved, console, batches, engine=engine,
        timing=dram_timing(dram_latency, dram_bytes_per_cycle, resolved), seed=seed, wave=wave,
        objective=objective, jobs=jobs, batch=batch,
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

"""Measures the figures of the table: cycles by the cost model, which equals the RTL."""

import csv
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import mean
from typing import Any

from stillflow.boards.targets.eyeriss import eyeriss_figures
from stillflow.boards.targets.figure import Figure
from stillflow.boards.targets.figure10 import figure10_figures
from stillflow.boards.targets.random_layers import random_layers
from stillflow.boards.targets.reports import efficiency, of_type, reported, utilisation
from stillflow.boards.targets.rules import spatial_cycles, spatial_utilisation
from stillflow.compiler.mapper import choose_mapping
from stillflow.compiler.objective import MINIMISED, Objective
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import NVDLA_SMALL_CSV, WORKLOADS, Workload, load_workload
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EDGE8, EDGE16, EDGE32

Say = Callable[[str], None]
RANDOM_LAYERS, RANDOM_SEED = 100, 1
#: Dataflows of which the best counts: row stationary is not the fastest here, and its replay slow.
FLOWS = (Dataflow.WEIGHT_STATIONARY, Dataflow.OUTPUT_STATIONARY, Dataflow.NO_LOCAL_REUSE)


def best(
    workload: Workload, config: AcceleratorConfig, figure: Callable[[list[dict[str, Any]]], float]
) -> float:
    """Give the highest figure over the dataflows."""
    return max(figure(reported(workload, replace(config, dataflow=flow))) for flow in FLOWS)


def measure(say: Say, *, seed: int = RANDOM_SEED) -> Iterator[Figure]:
    """Measure line by line.

    Parameters
    ----------
    say : callable
        Told what is measured next.
    seed : int
        Of the random layers.
    """
    yield from network_figures(say)
    yield from rule_figures(say)
    yield from eyeriss_figures(say)
    yield from figure10_figures(say)
    yield from fully_connected_figures(say)
    yield from nvdla_figures(say)
    yield from random_figures(say, seed)
    yield from time_figures(say)


def network_figures(say: Say) -> Iterator[Figure]:
    """CONV layers of whole networks, on the best dataflow."""
    for name, target, bound, comparison in (
        ("alexnet", 97, 99.6, "SCALE-Sim OS 94.8"),
        ("vgg16", 98, 99.9, "SCALE-Sim OS 96.9"),
        ("googlenet", 95, 99.0, "SCALE-Sim OS 90.2"),
        ("resnet50", 96, 99.2, "SCALE-Sim OS 85.9, NVDLA-256 69, Gemmini 51"),
    ):
        say(name)
        conv = of_type(load_workload(name), "conv")
        yield Figure(
            subject=f"edge16, {name}: utilisation, CONV",
            measured=best(conv, EDGE16, lambda layers: utilisation(layers, EDGE16)),
            target=target, bound=bound, comparison=comparison,
        )  # fmt: skip
    for name, target, bound in (("mobilenetv1", 90, 99.4), ("mobilenetv2", 88, 95.4)):
        say(name)
        conv = of_type(load_workload(name), "conv")
        yield Figure(
            subject=f"edge16, {name}: roofline efficiency, CONV",
            measured=best(conv, EDGE16, efficiency), target=target, bound=bound,
        )  # fmt: skip
    say("resnet50 on edge32")
    conv = of_type(load_workload("resnet50"), "conv")
    yield Figure(
        subject="edge32, resnet50: utilisation, CONV",
        measured=best(conv, EDGE32, lambda layers: utilisation(layers, EDGE32)),
        target=93, bound=98.9, comparison="SCALE-Sim OS 77",
    )  # fmt: skip


def rule_figures(say: Say) -> Iterator[Figure]:
    """Share of what a dataflow's own spatial rule allows."""
    for flow, bound in (
        (Dataflow.WEIGHT_STATIONARY, 99),
        (Dataflow.OUTPUT_STATIONARY, 96),
        (Dataflow.ROW_STATIONARY, 95),
    ):
        config = replace(EDGE16, dataflow=flow)
        for name in ("alexnet", "vgg16"):
            say(f"{name}, {flow}")
            conv = of_type(load_workload(name), "conv")
            shapes = [e.shape for e in conv.entries if isinstance(e.shape, ConvShape)]
            allowed = spatial_utilisation(shapes, config)
            yield Figure(
                subject=f"edge16, {flow}, {name}: share of its rule ({100 * allowed:.1f} %)",
                measured=utilisation(reported(conv, config), config) / allowed,
                target=92, bound=bound,
            )  # fmt: skip


def fully_connected_figures(say: Say) -> Iterator[Figure]:
    """FC layers, which wait for their filters."""
    for name in ("alexnet", "vgg16"):
        say(f"{name}, FC")
        layers = reported(of_type(load_workload(name), "fc"), EDGE16)
        yield Figure(
            subject=f"edge16, {name}: roofline efficiency, FC",
            measured=efficiency(layers), target=95, bound=99,
        )  # fmt: skip


def nvdla_figures(say: Say) -> Iterator[Figure]:
    """Layers whose cycles on NVDLA small were measured."""
    say("NVDLA's layers")
    bounds = (29_000, 58_000, 190_000, 8_400, 8_300, 69_000)
    table = load_workload(NVDLA_SMALL_CSV)
    layers = reported(table, EDGE8, latency=32)
    for layer, measured, bound in zip(layers, nvdla_cycles(), bounds, strict=True):
        yield Figure(
            subject=f"edge8, latency 32, {layer['name']}: cycles", measured=layer["cycles"],
            target=measured - 1, bound=bound, comparison=f"NVDLA small {measured:,}",
            unit="cycles", at_most=True,
        )  # fmt: skip


def nvdla_cycles() -> list[int]:
    """Cycles of the bundled table's layers on NVDLA small."""
    with NVDLA_SMALL_CSV.open(newline="") as file:
        return [int(row["nvdla_small_cycles"]) for row in csv.DictReader(file)]


def random_figures(say: Say, seed: int) -> Iterator[Figure]:
    """Layers of no network; the bound is what their dataflow's spatial rule leaves of each."""
    say("random layers")
    table = random_layers(RANDOM_LAYERS, seed)
    layers = reported(table, EDGE16)
    allowed = [
        layer["ideal_cycles"] / max(layer["ideal_cycles"], least_cycles(entry.shape))
        for layer, entry in zip(layers, table.entries, strict=True)
    ]
    yield Figure(
        subject=f"edge16, {RANDOM_LAYERS} random layers (seed {seed}): mean roofline efficiency",
        measured=100 * mean(layer["roofline_efficiency"] for layer in layers),
        target=90, bound=100 * mean(allowed),
    )  # fmt: skip


def least_cycles(shape: ConvShape | PoolShape) -> int:
    """Cycles of edge16's spatial rule; none for what streams through the weight chains."""
    depthwise = isinstance(shape, ConvShape) and shape.G == shape.C == shape.M > 1
    return 0 if depthwise or isinstance(shape, PoolShape) else spatial_cycles(shape, EDGE16)


def time_figures(say: Say) -> Iterator[Figure]:
    """Processor time on this machine; it varies with the machine and what else it does."""
    for minimise in MINIMISED:
        say(f"mapper, {minimise}")
        objective = Objective(minimise=minimise)
        seconds = {name: mapper_seconds(name, objective) for name in WORKLOADS}
        slowest = max(seconds, key=lambda name: seconds[name])
        yield Figure(
            subject=f"edge16, mapper for {minimise}, slowest network ({slowest}): processor time",
            measured=seconds[slowest], target=1, unit="s", at_most=True,
        )  # fmt: skip
    say("bench alexnet --engine model")
    command = ("bench", "alexnet", "--config", "edge16", "--engine", "model")
    yield Figure(
        subject=f"stillflow {' '.join(command)}: processor time",
        measured=min(command_seconds(*command) for _ in range(3)), target=1, unit="s", at_most=True,
    )  # fmt: skip


def mapper_seconds(name: str, objective: Objective) -> float:
    """Processor time for the nests of a network, layouts and addresses included."""
    network = synthetic_network(load_workload(name), EDGE16, seed=0, weights=False)
    choose_mapping.cache_clear()
    began = time.process_time()
    compile_network(network, EDGE16, objective=objective, contents=False)
    return time.process_time() - began


def command_seconds(*arguments: str) -> float:
    """Processor time of a ``stillflow`` command, start and imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "stillflow.boards.cli", *arguments],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

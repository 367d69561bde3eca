"""Cycles are exact, so they can be asserted: efficiency on the RTL, and the model's equality."""

import pytest
from rich.console import Console

from stillflow.boards.bench import bench_workload, model_workload
from stillflow.compiler.objective import CYCLES
from stillflow.compiler.workload import load_workload
from stillflow.hw.presets import EDGE16
from stillflow.sim.engine.base import DramTiming

TIMING = DramTiming(latency=40)
CONV = ["CONV1", "CONV2", "CONV3", "CONV4", "CONV5"]


def measured(workload):
    return bench_workload(
        workload, EDGE16, Console(quiet=True), engine="verilator", timing=TIMING, seed=0,
        wave=None, objective=CYCLES,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("network", "layers", "least"),
    [("alexnet", CONV, 0.98), ("resnet18", ["l3.0.c2", "l3.0.down"], 0.98)],
)
def test_layers_are_exact_and_near_the_roofline(network, layers, least):
    report = measured(load_workload(network, layers=layers))

    assert report["bit_exact"]
    for layer in report["layers"]:
        assert least <= layer["roofline_efficiency"] <= 1, layer["name"]
        assert layer["predicted_cycles"] == layer["cycles"], layer["name"]


@pytest.mark.parametrize(
    ("network", "utilization"),
    [("alexnet", 0.99), ("googlenet", 0.98), ("resnet18", 0.99), ("resnet50", 0.99)],
)
def test_networks_keep_their_utilisation_in_the_model(network, utilization):
    report = model_workload(load_workload(network), EDGE16, timing=TIMING, objective=CYCLES)

    conv = [layer for layer in report["layers"] if layer["op"] == "conv"]
    macs, cycles = (sum(layer[key] for layer in conv) for key in ("macs", "cycles"))
    assert report["bit_exact"] is None
    assert macs / (cycles * EDGE16.pes) >= utilization

"""Reports of the cost model, and the ratios that the figures are made of."""

from typing import Any

from stillflow.boards.bench import model_workload
from stillflow.compiler.cost.counters import predict_counters
from stillflow.compiler.graph import Layer
from stillflow.compiler.objective import CYCLES, Minimised, Objective
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.sim.engine.settings import DramTiming


def reported(
    workload: Workload, config: AcceleratorConfig, *, latency: int = 40
) -> list[dict[str, Any]]:
    """Give the layers of a table's report."""
    timing = DramTiming(latency=latency, bytes_per_cycle=config.axi_bytes)
    return model_workload(workload, config, timing=timing, objective=CYCLES)["layers"]


def of_type(workload: Workload, kind: str) -> Workload:
    """Take the layers of one type."""
    chosen = tuple(entry for entry in workload.entries if entry.type == kind)
    return Workload(name=workload.name, entries=chosen)


def utilisation(layers: list[dict[str, Any]], config: AcceleratorConfig) -> float:
    """MACs over the PEs in all cycles, in percent."""
    macs, cycles = (sum(layer[key] for layer in layers) for key in ("macs", "cycles"))
    return 100 * macs / (cycles * config.pes)


def efficiency(layers: list[dict[str, Any]]) -> float:
    """Ideal cycles over cycles, in percent."""
    ideal, cycles = (sum(layer[key] for layer in layers) for key in ("ideal_cycles", "cycles"))
    return 100 * ideal / cycles


def counted(
    workload: Workload, config: AcceleratorConfig, minimise: Minimised
) -> list[tuple[Layer, dict[Counter, int]]]:
    """Give each layer of a table with its counters, the cycles left out: that is quick."""
    network = synthetic_network(workload, config, seed=0, weights=False)
    program = compile_network(
        network, config, objective=Objective(minimise=minimise), contents=False
    )
    return [
        (layer.layer, predict_counters(layer.mapping, layer.descriptor)) for layer in program.layers
    ]


def dram_bytes(counters: dict[Counter, int]) -> int:
    """Bytes of a layer, both ways."""
    return counters[Counter.DRAM_READ_BYTES] + counters[Counter.DRAM_WRITE_BYTES]

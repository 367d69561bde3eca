"""The report: what each layer cost, by the names of the interface."""

from collections.abc import Mapping, Sequence
from typing import Any

from stillflow.compiler.cost.counters import activation_words
from stillflow.compiler.cost.predict import predict
from stillflow.compiler.counts import EnergyCosts, accesses, compulsory_bytes, energy, layer_macs
from stillflow.compiler.graph import Layer
from stillflow.compiler.program import LayerProgram, Program
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter

Report = dict[str, Any]


def report_op(layer: Layer) -> str:
    """Name an operator for the report: what is done where a pooling window is one pixel."""
    if layer.op != "avgpool" or layer.shape.R * layer.shape.S > 1:
        return layer.op
    if layer.joined is not None:
        return layer.joined.op
    return "table" if layer.table is not None else "requantize"


def layer_entry(
    compiled: LayerProgram,
    config: AcceleratorConfig,
    counters: Mapping[Counter, int],
    *,
    costs: EnergyCosts,
    predicted_cycles: int,
    bytes_per_cycle: int,
    mismatches: int | None,
) -> Report:
    """One layer's entry.

    Parameters
    ----------
    compiled : LayerProgram
        The layer.
    config : AcceleratorConfig
        The accelerator.
    counters : Mapping[Counter, int]
        What the layer added to the counters.
    costs : EnergyCosts
        Of accesses.
    predicted_cycles : int
        The cost model's.
    bytes_per_cycle : int
        Of the DRAM.
    mismatches : int, optional
        Ofmap words that differ from the golden model's.
    """
    layer = compiled.layer
    macs = layer_macs(layer)
    cycles = counters[Counter.CYCLES]
    work = compiled.plan.work
    least = compulsory_bytes(layer, config, work.on_chip)
    ideal = max(
        macs / config.pes,
        least.dram / bytes_per_cycle,
        max(least.local_reads, least.local_writes) / config.axi_bytes,
    )
    activations = activation_words(compiled.mapping, compiled.descriptor)
    moved = accesses(counters, config, depthwise=work.depthwise, activations=activations)
    read, written = counters[Counter.DRAM_READ_BYTES], counters[Counter.DRAM_WRITE_BYTES]
    return {
        "name": layer.name,
        "op": report_op(layer),
        "fused": list(layer.fused),
        "macs": macs,
        "cycles": cycles,
        "predicted_cycles": predicted_cycles,
        "ideal_cycles": ideal,
        "utilization": macs / (cycles * config.pes),
        "roofline_efficiency": ideal / cycles,
        "dram_read_bytes": read,
        "dram_write_bytes": written,
        **moved.as_report(),
        "energy": energy(macs, moved, (read + written) // config.act_bytes, costs),
        "mismatches": mismatches,
    }


def total_entry(layers: Sequence[Report], config: AcceleratorConfig) -> Report:
    """Sum over the layers, and take the ratios of the sums."""
    total: Report = {}
    for key, value in layers[0].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            total[key] = sum(layer[key] for layer in layers)
    cycles = total["cycles"]
    total["utilization"] = total["macs"] / (cycles * config.pes)
    total["roofline_efficiency"] = total["ideal_cycles"] / cycles
    total.setdefault("mismatches", None)
    return total


def predict_program(
    program: Program, *, latency: int, bytes_per_cycle: int
) -> tuple[dict[Counter, int], ...]:
    """Predict what each layer of a program adds to the counters."""
    return predict(
        program.config,
        [(layer.mapping, layer.descriptor) for layer in program.layers],
        program_address=program.program_address,
        record_address=program.record_address,
        latency=latency,
        bytes_per_cycle=bytes_per_cycle,
    )


def make_report(
    program: Program,
    counters: Sequence[Mapping[Counter, int]] | None,
    *,
    version: str,
    engine: str,
    latency: int,
    bytes_per_cycle: int,
    mismatches: Sequence[int | None],
) -> Report:
    """Report of one run of a program, or of the cost model's prediction.

    Parameters
    ----------
    program : Program
        What was run.
    counters : sequence of Mapping[Counter, int], optional
        What each layer added to the counters; without them, what the cost model predicts.
    version, engine : str
        Shown in the report.
    latency, bytes_per_cycle : int
        Of the DRAM.
    mismatches : sequence of int, optional
        For each layer, ofmap words that differ from the golden model's.
    """
    config = program.config
    predicted = predict_program(program, latency=latency, bytes_per_cycle=bytes_per_cycle)
    layers = [
        layer_entry(
            compiled,
            config,
            counted,
            costs=program.objective.costs,
            predicted_cycles=foreseen[Counter.CYCLES],
            bytes_per_cycle=bytes_per_cycle,
            mismatches=wrong,
        )
        for compiled, counted, foreseen, wrong in zip(
            program.layers, counters or predicted, predicted, mismatches, strict=True
        )
    ]
    total = total_entry(layers, config)
    return {
        "stillflow": version,
        "config": config.keys(),
        "workload": program.network.name,
        "engine": engine,
        "bit_exact": None if total["mismatches"] is None else total["mismatches"] == 0,
        "layers": layers,
        "total": total,
    }

"""``stillflow compare``: dataflows on the same array, memory and workload (survey, section V-B)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stillflow.boards.bench import bench_workload, model_workload
from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.engines import ENGINES
from stillflow.boards.errors import CheckFailed
from stillflow.boards.figures import write_figures
from stillflow.boards.files import write_json
from stillflow.boards.objective import objective_options
from stillflow.boards.simulation import MODEL, dram_timing, wide_console
from stillflow.compiler.breakdown import LEVELS, Breakdown, breakdown
from stillflow.compiler.counts import OPERANDS
from stillflow.compiler.objective import Objective
from stillflow.compiler.workload import load_workload
from stillflow.hw.config import AcceleratorConfig, Dataflow

LEVEL_NAMES = {
    "alu": "MACs", "spad": "in the PEs", "noc": "PE to PE", "glb": "buffers", "dram": "DRAM",
}  # fmt: skip


def read_dataflows(text: str) -> tuple[Dataflow, ...]:
    """Read names with commas between them.

    Raises
    ------
    ValueError
        If one is unknown or given twice.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in tuple(Dataflow):
            raise ValueError(f"--dataflows must be among {', '.join(Dataflow)}, not {name!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"--dataflows must name each once, not {text!r}")
    return tuple(Dataflow(name) for name in names)


def summary(reports: Mapping[str, dict[str, Any]], energies: Mapping[str, Breakdown]) -> Table:
    """Lay out the totals, one line a dataflow."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("dataflow", "cycles", "util %", "CONV util %", "roofline %", "DRAM bytes",
                    "energy", "per MAC"):  # fmt: skip
        table.add_column(heading, justify="left" if heading == "dataflow" else "right")
    for flow, report in reports.items():
        total, pes = report["total"], report["config"]["rows"] * report["config"]["cols"]
        conv = [layer for layer in report["layers"] if layer["op"] == "conv"]
        cycles = sum(layer["cycles"] for layer in conv)
        share = sum(layer["macs"] for layer in conv) / (cycles * pes) if conv else 0
        energy = energies[flow].total
        table.add_row(
            flow,
            f"{total['cycles']:,}",
            f"{100 * total['utilization']:.1f}",
            f"{100 * share:.1f}",
            f"{100 * total['roofline_efficiency']:.1f}",
            f"{total['dram_read_bytes'] + total['dram_write_bytes']:,}",
            f"{energy:.4g}",
            f"{energy / total['macs']:.2f}" if total["macs"] else "-",
        )
    return table


def energy_table(energies: Mapping[str, Breakdown], macs: int) -> Table:
    """Lay out the energy of each level and operand, per MAC."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="energy per MAC")
    table.add_column("dataflow")
    table.add_column("operand")
    for level in LEVELS:
        table.add_column(LEVEL_NAMES[level], justify="right")
    table.add_column("all", justify="right")
    for flow, energy in energies.items():
        for operand in OPERANDS:
            cells = [energy.parts[level, operand] / macs for level in LEVELS[1:]]
            shown = [f"{value:.3f}" for value in (*cells, sum(cells))]
            table.add_row(flow if operand == OPERANDS[0] else "", operand, "", *shown)
        every = [energy.level(level) / macs for level in LEVELS]
        table.add_row("", "all", *(f"{value:.3f}" for value in (*every, sum(every))))
        table.add_section()
    return table


def run_all(
    configs: Mapping[str, AcceleratorConfig], workload: Any, options: dict[str, Any], engine: str,
    *, seed: int, jobs: int,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Report a workload on each configuration, from the RTL or the cost model."""
    if engine == MODEL:
        return {
            name: model_workload(workload, config, **options) for name, config in configs.items()
        }
    console = Console(stderr=True)
    return {
        name: bench_workload(
            workload, config, console, engine=engine, seed=seed, wave=None, jobs=jobs, **options
        )
        for name, config in configs.items()
    }


@click.command()
@click.argument("workload")
@config_option
@click.option("--dataflows", default=",".join(Dataflow), show_default=True, metavar="A,B",
              help="Which to compare.")  # fmt: skip
@click.option("--layers", metavar="A,B", help="Only these layers.")
@click.option("--net", help="Value of the table's net column.")
@click.option("--batch", type=click.IntRange(1), help="Replaces N.")
@click.option("--engine", type=click.Choice([MODEL, *ENGINES]), default=MODEL, show_default=True,
              help="The cost model, or the RTL whose counters it equals.")  # fmt: skip
@click.option("--dram-latency", type=click.IntRange(1), default=40, show_default=True,
              metavar="CYCLES", help="From address to first beat.")  # fmt: skip
@click.option("--dram-bytes-per-cycle", type=click.IntRange(1), metavar="B",
              help="Reads and writes together. Default: the AXI width.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of random data.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Run layers side by side in so many processes.")  # fmt: skip
@objective_options
@click.option("-o", "folder", type=click.Path(path_type=Path), metavar="DIR",
              help="Write figures here, as PNG and SVG.")  # fmt: skip
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the reports and the energies as JSON.")  # fmt: skip
def compare(
    workload: str,
    config: str,
    sets: tuple[str, ...],
    dataflows: str,
    layers: str | None,
    net: str | None,
    batch: int | None,
    engine: str,
    dram_latency: int,
    dram_bytes_per_cycle: int | None,
    seed: int,
    jobs: int,
    objective: Objective,
    folder: Path | None,
    json_path: Path | None,
) -> None:
    """Compare dataflows on WORKLOAD: cycles, and energy by level of memory and by operand.

    The PEs, the memory on chip and the bus are the same for all.
    """
    resolved = resolve_config(config, sets)
    table = load_workload(
        workload, net=net, layers=layers.split(",") if layers else None, batch=batch
    )
    configs = {
        str(flow.value): replace(resolved, dataflow=flow) for flow in read_dataflows(dataflows)
    }
    timing = dram_timing(dram_latency, dram_bytes_per_cycle, resolved)
    options = {"timing": timing, "objective": objective}
    reports = run_all(configs, table, options, engine, seed=seed, jobs=jobs)
    energies = {
        name: breakdown(report["total"], configs[name], objective.costs)
        for name, report in reports.items()
    }
    printer = wide_console()
    printer.print(f"{table.name} on {resolved.name}, {resolved.rows}x{resolved.cols} PEs, {engine}")
    printer.print(summary(reports, energies))
    macs = next(iter(reports.values()))["total"]["macs"]
    if macs:
        printer.print(energy_table(energies, macs))
    if folder is not None:
        width = dram_bytes_per_cycle or resolved.axi_bytes
        for path in write_figures(folder, reports, energies, bytes_per_cycle=width):
            printer.print(str(path), highlight=False)
    parts = {name: energy.as_report() for name, energy in energies.items()}
    write_json(json_path, {"workload": table.name, "reports": reports, "energy": parts})
    wrong = sum(report["total"]["mismatches"] or 0 for report in reports.values())
    if wrong:
        raise CheckFailed(f"{wrong} words differ from the golden model")

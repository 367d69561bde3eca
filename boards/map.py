"""``stillflow map``: the loop nests that the mapper chooses, and what they cost."""

from pathlib import Path
from typing import Any

import click

from stillflow.boards.bench import model_program
from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.files import write_json
from stillflow.boards.objective import objective_options
from stillflow.compiler.objective import Objective
from stillflow.compiler.printer import print_nest
from stillflow.compiler.workload import load_workload
from stillflow.sim.engine.settings import DramTiming


@click.command("map")
@click.argument("workload")
@config_option
@click.option("--layers", metavar="A,B", help="Only these layers.")
@click.option("--net", help="Value of the table's net column.")
@click.option("--batch", type=click.IntRange(1), help="Replaces N.")
@objective_options
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the report, with the nests, as JSON.")  # fmt: skip
def map_workload(
    workload: str,
    config: str,
    sets: tuple[str, ...],
    layers: str | None,
    net: str | None,
    batch: int | None,
    objective: Objective,
    json_path: Path | None,
) -> None:
    """Print the loop nest of each layer of WORKLOAD, with its cycles, accesses and energy.

    These are the cost model's, equal to the RTL's with a DRAM of the AXI width and 40 cycles.
    """
    resolved = resolve_config(config, sets)
    table = load_workload(
        workload, net=net, layers=layers.split(",") if layers else None, batch=batch
    )
    program, report = model_program(table, resolved, timing=DramTiming(), objective=objective)
    report["objective"] = objective.minimise
    for entry, layer in zip(report["layers"], program.layers, strict=True):
        entry["nest"] = print_nest(layer.mapping)
        click.echo(f"{_summary(entry)}\n{entry['nest']}\n")
    write_json(json_path, report)


def _summary(entry: dict[str, Any]) -> str:
    buffers = sum(entry[f"glb_{kind}"] for kind in ("reads", "writes", "fills", "spills"))
    spads = entry["spad_reads"] + entry["spad_writes"]
    return (
        f"{entry['name']} ({entry['op']}): {entry['cycles']:,} cycles "
        f"({100 * entry['roofline_efficiency']:.1f} % of the roofline), "
        f"{entry['dram_read_bytes']:,} bytes read, {entry['dram_write_bytes']:,} written; "
        f"words: {buffers:,} buffers, {spads:,} spads, {entry['noc_transfers']:,} from PE to PE; "
        f"energy {entry['energy']:.4g}"
    )

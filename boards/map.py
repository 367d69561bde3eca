"""``stillflow map``: the loop nests that the mapper chooses."""

from pathlib import Path
from typing import Any

import click

from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.files import write_json
from stillflow.boards.simulation import OBJECTIVES
from stillflow.boards.version import version
from stillflow.compiler.estimate import dram_bytes, estimate_cycles
from stillflow.compiler.printer import print_nest
from stillflow.compiler.program import map_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import load_workload


@click.command("map")
@click.argument("workload")
@config_option
@click.option("--layers", metavar="A,B", help="Only these layers.")
@click.option("--net", help="Value of the table's net column.")
@click.option("--batch", type=click.IntRange(1), help="Replaces N.")
@click.option("--objective", type=click.Choice(OBJECTIVES), default="cycles", show_default=True,
              help="What the mapper minimises.")  # fmt: skip
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the nests as JSON.")  # fmt: skip
def map_workload(
    workload: str,
    config: str,
    sets: tuple[str, ...],
    layers: str | None,
    net: str | None,
    batch: int | None,
    objective: str,
    json_path: Path | None,
) -> None:
    """Print the loop nest of each layer of WORKLOAD, with its predicted cycles and DRAM bytes."""
    resolved = resolve_config(config, sets)
    table = load_workload(
        workload, net=net, layers=layers.split(",") if layers else None, batch=batch
    )
    network = synthetic_network(table, resolved, seed=0, weights=False)
    entries: list[dict[str, Any]] = []
    for layer, mapping in map_network(network, resolved, objective=objective):
        read, written = dram_bytes(mapping)
        entry = {
            "name": layer.name,
            "op": layer.op,
            "predicted_cycles": estimate_cycles(mapping),
            "dram_read_bytes": read,
            "dram_write_bytes": written,
            "nest": print_nest(mapping),
        }
        entries.append(entry)
        click.echo(
            f"{layer.name} ({layer.op}): about {entry['predicted_cycles']:,} cycles, "
            f"{read:,} bytes read, {written:,} written"
        )
        click.echo(entry["nest"] + "\n")
    report = {
        "stillflow": version(),
        "config": resolved.keys(),
        "workload": table.name,
        "objective": objective,
        "layers": entries,
    }
    write_json(json_path, report)

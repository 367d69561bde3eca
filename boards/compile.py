"""``stillflow compile``: a quantised ONNX network to a program image."""

import json
from pathlib import Path

import click

from stillflow.boards.configs import config_option, resolve_config
from stillflow.boards.files import write_bytes, write_json, write_whole
from stillflow.boards.objective import objective_options
from stillflow.compiler.frontend import load_network
from stillflow.compiler.image import (
    DESCRIPTORS,
    IMAGE,
    MAP,
    descriptors,
    memory_map,
    program_image,
)
from stillflow.compiler.objective import Objective
from stillflow.compiler.program import compile_network


@click.command("compile")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@config_option
@click.option("-o", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR",
              help="Where to.")  # fmt: skip
@objective_options
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the memory map here too.")  # fmt: skip
def compile_model(
    model: Path,
    config: str,
    sets: tuple[str, ...],
    folder: Path,
    objective: Objective,
    json_path: Path | None,
) -> None:
    """Write the program image, its memory map and the descriptors of MODEL.onnx.

    Tensors that are not needed at the same time share their places in DRAM.
    """
    resolved = resolve_config(config, sets)
    program = compile_network(load_network(model), resolved, objective=objective, reuse=True)
    places = memory_map(program)
    folder.mkdir(parents=True, exist_ok=True)
    # The memory map last: where it stands, the rest is complete.
    write_bytes(folder / IMAGE, program_image(program))
    write_whole(folder / DESCRIPTORS, json.dumps(descriptors(program), indent=2) + "\n")
    write_whole(folder / MAP, json.dumps(places, indent=2) + "\n")
    write_json(json_path, places)
    click.echo(
        f"{folder}: {len(program.layers)} layers for {resolved.name}, "
        f"{len(program_image(program)):,} bytes at {places['image_address']:#x}, "
        f"{program.size:,} bytes of DRAM"
    )

"""``stillflow synth``: what an accelerator and its blocks take on an FPGA family."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stillflow.boards.configs import json_option, resolve_config, set_option
from stillflow.boards.files import write_json
from stillflow.boards.synthesis.report import Block
from stillflow.boards.synthesis.run import design, find_block
from stillflow.boards.synthesis.survey import Survey, survey
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.version import version

TOP = "stillflow"


@click.command()
@click.argument("config")
@click.option(
    "--target", "target_name", required=True, type=click.Choice(list(TARGETS)), help="FPGA family."
)
@click.option(
    "--block", metavar="NAME", help="Only this module and what is inside, such as `pe` or `ifmap`."
)
@click.option("--whole", is_flag=True, help="Synthesise once more with the hierarchy dissolved.")
@json_option
@set_option
def synth(
    config: str,
    target_name: str,
    block: str | None,
    whole: bool,
    json_path: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Synthesise the blocks of CONFIG with Yosys; print sizes and depths.

    A figure is for one instance with everything inside it. LUT counts sites, those of carry chains
    and LUT RAMs included. Levels are LUTs, DSPs and carry chains on the longest path between
    registers that ends in the block; arith is the most arithmetic on such a path, an addition
    counting 1 and a multiplication 3: above 4 the command fails.
    """
    resolved = resolve_config(config, sets)
    target = TARGETS[target_name]

    from stillflow.boards.verilog import emit
    from stillflow.hw.top import Accelerator

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    screen = Console(stderr=True)
    quiet = not screen.is_terminal
    with Progress(*columns, console=screen, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"{resolved.name}: Verilog", total=None)
        files = emit(Accelerator(resolved), TOP)
        top = TOP
        if block is not None:
            top = find_block(block, [name.removesuffix(".v") for name in files])

        def tell(doing: str) -> None:
            progress.update(task, description=f"{resolved.name}, {top}: {doing}")

        with design(files, top) as made:
            found = survey(made, target, whole=whole, tell=tell)
    pes = resolved.pes if block is None else 0
    _show(found, pes)
    write_json(
        json_path,
        {
            "stillflow": version(),
            "config": resolved.keys(),
            "target": target.name,
            "top": top,
            **found.as_json(pes),
        },
    )
    found.check()


def _show(found: Survey, pes: int) -> None:
    target = found.target
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("block")
    for column in ("x", target.lut, "FF", "DSP", target.ram, "carry", "levels", "arith"):
        table.add_column(column, justify="right")
    for row in found.blocks:
        _add(table, "  " * row.depth + row.name, row)
    if found.flat is not None:
        _add(table, "hierarchy dissolved", found.flat)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(f"\n{found.tool}: {target.synthesis(flatten=False)}")
    for row in (found.blocks[0], found.flat):
        if row is not None and pes:
            name = "hierarchy dissolved" if row is found.flat else row.name
            each = row.size.luts / pes
            console.print(f"{name}: {each:.1f} {target.lut} per MAC with {pes} PEs")
    ends = found.longest.cells
    console.print(f"longest path: {found.longest.cost} levels, {ends[0]} to {ends[-1]}")
    for name, size in found.memories_elsewhere.items():
        console.print(f"{name} is not in block RAM: {size.luts} {target.lut}, {size.ffs} FF")
    if found.unknown_cells:
        console.print(f"not counted: {', '.join(found.unknown_cells)}")


def _add(table: Table, name: str, row: Block) -> None:
    size = row.size
    figures = (row.instances, size.luts, size.ffs, size.dsps, size.rams, size.carries)
    table.add_row(name, *map(str, (*figures, row.levels, row.arithmetic)))

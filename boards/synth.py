"""``stillflow synth``: what an accelerator takes on an FPGA family or in standard cells."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stillflow.boards import sram
from stillflow.boards.asic.liberty import read_liberty
from stillflow.boards.asic.macros import SramTiming
from stillflow.boards.asic.mapping import PERIOD
from stillflow.boards.asic.show import show_asic
from stillflow.boards.asic.survey import survey as asic_survey
from stillflow.boards.configs import json_option, resolve_config, set_option
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.fpga.board import BOARDS, find_board
from stillflow.boards.simulation import progress_line
from stillflow.boards.synthesis.report import Block
from stillflow.boards.synthesis.run import design, find_block
from stillflow.boards.synthesis.survey import Survey, survey
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.version import version
from stillflow.hw.presets import PRESETS

TOP = "stillflow"
ASIC = "osu018"


@click.command()
@click.argument("config")
@click.option(
    "--target",
    "target_name",
    type=click.Choice([*TARGETS, ASIC]),
    help=f"FPGA family; {ASIC}: standard cells. Without, CONFIG is a board.",
)
@click.option(
    "--block", metavar="NAME", help="Only this module and what is inside, such as `pe` or `ifmap`."
)
@click.option("--whole", is_flag=True, help="Synthesise once more with the hierarchy dissolved.")
@click.option(
    "--liberty",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"{ASIC}: cells. Default: Debian's OSU 0.18 um ones.",
)
@click.option(
    "--period",
    type=click.FloatRange(min=0, min_open=True),
    metavar="NS",
    help=f"{ASIC}: clock period. Default: {PERIOD:g}.",
)
@click.option(
    "--sram-access",
    type=click.FloatRange(min=0),
    metavar="NS",
    help=f"{ASIC}: clock to data of memories. Default: {SramTiming.access:g}.",
)
@click.option(
    "--run",
    "model",
    type=click.Path(path_type=Path),
    metavar="MODEL.onnx",
    help=f"{ASIC}: run a model on the netlist, bit for bit.",
)
@click.option("--power", is_flag=True, help=f"{ASIC}: with --run, the power of each part.")
@json_option
@set_option
def synth(
    config: str,
    target_name: str | None,
    block: str | None,
    whole: bool,
    liberty: Path | None,
    period: float | None,
    sram_access: float | None,
    model: Path | None,
    power: bool,
    json_path: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Synthesise the blocks of CONFIG with Yosys; print sizes and depths.

    In standard cells: NAND2 equivalents, the worst paths by OpenSTA (status 1 if one is too slow)
    and, with --run and --power, the power of each part.

    On an FPGA a figure is for one instance with everything inside it. LUT counts sites, those of
    carry chains and LUT RAMs included. Levels are LUTs, DSPs and carry chains on the longest path
    between registers that ends in the block; arith is the most arithmetic on such a path, an
    addition counting 1 and a multiplication 3: above 4 the command fails.

    Of a board, with its memory and link: does it fit (status 1 if not), and about how fast is it.
    """
    of_cells = {"--liberty": liberty, "--period": period, "--sram-access": sram_access,
                "--run": model, "--power": power}  # fmt: skip
    if target_name is None:
        for option, value in {"--block": block, "--whole": whole, **of_cells}.items():
            if value is not None and value is not False:
                raise ValueError(f"{option} must go with --target")
        _estimate(config, sets, json_path)
        return
    resolved = resolve_config(config, sets)
    if target_name == ASIC:
        _refuse(target_name, {"--whole": whole}, asic=False)
        if model is not None and block is not None:
            raise ValueError("--run must go without --block: it needs the whole accelerator")
        if power and model is None:
            raise ValueError("--power must go with --run MODEL.onnx")
    else:
        _refuse(target_name, of_cells, asic=True)

    from stillflow.boards.verilog import emit
    from stillflow.hw.top import Accelerator

    cells = read_liberty(liberty) if target_name == ASIC else None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    screen = Console(stderr=True)
    quiet = not screen.is_terminal
    with Progress(*columns, console=screen, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"{resolved.name}: Verilog", total=None)
        files = emit(Accelerator(resolved), TOP)
        top = TOP
        if block is not None:
            top = find_block(block, [name.removesuffix(".v") for name in files])
            if cells is not None and sram.is_sram(top):
                raise ValueError(f"--block must have standard cells, {top} is a memory")

        def tell(doing: str) -> None:
            progress.update(task, description=f"{resolved.name}, {top}: {doing}")

        if cells is not None:
            found = asic_survey(
                resolved,
                files,
                top,
                cells,
                period=PERIOD if period is None else period,
                srams=SramTiming() if sram_access is None else SramTiming(access=sram_access),
                model=model,
                with_power=power,
                tell=tell,
            )
            report = found.as_json()
            show = partial(show_asic, found)
        else:
            pes = resolved.pes if block is None else 0
            with design(files, top) as made:
                found = survey(made, TARGETS[target_name], whole=whole, tell=tell)
            report = found.as_json(pes)
            show = partial(_show, found, pes)
    show()
    head = {"stillflow": version(), "config": resolved.keys(), "target": target_name, "top": top}
    write_json(json_path, head | report)
    found.check()


def _estimate(name: str, sets: tuple[str, ...], json_path: Path | None) -> None:
    """Say whether a board's system fits, and about how fast it is."""
    if name in PRESETS and name not in BOARDS:
        raise click.UsageError("Missing option '--target'.")
    board = find_board(name)
    config = resolve_config(board.name, sets)

    from stillflow.boards.fpga.estimate import estimate

    with progress_line(Console(stderr=True)) as say:
        say(f"{board.name}: synthesis")
        found = estimate(board, config)
    table = Table("", "taken", "there", box=None, pad_edge=False)
    for cell, (taken, there) in found.rows.items():
        table.add_row(cell, str(taken), str(there))
    Console().print(table)
    click.echo(f"{found.tool}, {found.levels} levels: about {found.mhz:.0f} MHz")
    head = {"stillflow": version(), "config": config.keys(), "board": board.name}
    write_json(json_path, head | found.as_json())
    if not found.fits:
        raise CheckFailed(f"{board.name} must have room: {found.lacking()}")


def _refuse(target: str, options: Mapping[str, object], *, asic: bool) -> None:
    """Refuse options of the other kind of target.

    Raises
    ------
    ValueError
        Naming the first.
    """
    for name, value in options.items():
        if value is not None and value is not False:
            others = ASIC if asic else ", ".join(TARGETS)
            raise ValueError(f"{name} must go with --target {others}, not {target}")


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

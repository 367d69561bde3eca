"""``stillflow generate``: a folder with the Verilog of a configuration and what goes with it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from amaranth.lib import wiring

from stillflow.boards import collateral, sram
from stillflow.boards.asic.collateral import AsicOptions, flow_files
from stillflow.boards.asic.sram_map import macro_files, read_macros
from stillflow.boards.configs import json_option, resolve_config, set_option
from stillflow.boards.files import write_whole
from stillflow.boards.multipliers.files import single_multipliers
from stillflow.boards.registers import register_description
from stillflow.boards.verilog import VerilogStyle, emit
from stillflow.boards.version import version
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.reset import ResetStyle
from stillflow.hw.unit import port_signals

MANIFEST = "manifest.json"


def design_files(
    config: AcceleratorConfig,
    component: wiring.Component,
    period_ns: float,
    asic: AsicOptions | None = None,
) -> dict[str, str]:
    """Make every file of a generated folder.

    Parameters
    ----------
    config : AcceleratorConfig
        What the component was made from.
    component : wiring.Component
        The accelerator.
    period_ns : float
        Clock period for the constraints, in nanoseconds.
    asic : AsicOptions, optional
        Write for standard cells; by default for FPGAs.

    Returns
    -------
    dict[str, str]
        Path in the folder to text; the manifest is last. The same input gives the same bytes.
    """
    from stillflow.compiler.c import driver_files
    from stillflow.compiler.header import c_header

    style = VerilogStyle() if asic is None else asic.style
    inputs = [name for name, is_input, _ in port_signals(component) if is_input]
    files = emit(component, style=style)
    units = [unit for name in files if sram.is_sram(unit := name.removesuffix(".v"))]
    names = list(files)
    if asic is not None:
        cells = "asic_gated" if style.gated_clocks else "asic"
        files = single_multipliers(files, cells) | macro_files(units, asic.macros)
    for unit in units:
        files[f"blackbox/{unit}.v"] = sram.blackbox(unit)
    constraints = collateral.sdc(
        period_ns, [style.reset.port, *inputs], reset_is_async=style.reset.asynchronous
    )
    files |= {
        "stillflow.f": collateral.filelist(names),
        "stillflow.h": c_header(config),
        "stillflow.sdc": constraints,
        "stillflow.core": collateral.fusesoc_core(config, names, version()),
        "registers.md": collateral.registers_markdown(),
        "registers.json": collateral.registers_json(),
        "stillflow.rdl": register_description(config),
        **driver_files(),
    }
    if asic is not None:
        files |= flow_files(names, period_ns)
    manifest = {
        "stillflow": version(),
        "config": config.keys(),
        "clock_period_ns": period_ns,
        "target": "fpga" if asic is None else asic.as_json(units),
        "files": {
            name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())
        },
    }
    files[MANIFEST] = json.dumps(manifest, indent=2) + "\n"
    return files


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write a generated folder whole, over one of ours if there is one.

    Everything is written beside the folder first and moved when it is complete. In a folder that
    is ours, files of an earlier run that are no longer made are removed and others left alone.

    Parameters
    ----------
    folder : Path
        Where to; may not exist.
    files : Mapping[str, str]
        Path in the folder to text, the manifest among them.

    Raises
    ------
    ValueError
        If something else is there.
    OSError
        If it cannot be written.
    """
    old = _earlier_files(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            stage = Path(temporary, "new")
            for name, text in files.items():
                (stage / name).parent.mkdir(parents=True, exist_ok=True)
                (stage / name).write_text(text, encoding="utf-8")
            if old is None:
                os.replace(stage, folder)
                return
            for name in sorted(files, key=lambda name: name == MANIFEST):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(stage / name, folder / name)
            for name in old - files.keys():
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def _earlier_files(folder: Path) -> set[str] | None:
    """Files of the folder's manifest; None where there is nothing."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    if not folder.is_dir():
        raise ValueError(f"{folder}: must be a folder")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if "stillflow" in manifest:
            return {name for name in manifest["files"] if _is_inside(name)}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{folder}: must be empty or made by stillflow (it has no {MANIFEST} of ours)")


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


@click.command()
@click.argument("config")
@click.option(
    "-o", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where to."
)
@set_option
@click.option(
    "--period",
    "period_ns",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="NS",
    help="Clock period for the constraints.",
)
@click.option("--target", type=click.Choice(["fpga", "asic"]), default="fpga", show_default=True)
@click.option(
    "--reset",
    type=click.Choice(["async", "sync"]),
    help="asic: whether the reset waits for the clock. Default: async.",
)
@click.option(
    "--reset-active",
    type=click.Choice(["low", "high"]),
    help="asic: its level, port rst_n or rst. Default: low.",
)
@click.option("--gate-clocks", is_flag=True, help="asic: gate the clocks of wide registers.")
@click.option(
    "--macros",
    type=click.Path(path_type=Path),
    metavar="FILE.toml",
    help="asic: SRAM macros that take the place of the models.",
)
@json_option
def generate(
    config: str,
    folder: Path,
    sets: tuple[str, ...],
    period_ns: float,
    target: str,
    reset: str | None,
    reset_active: str | None,
    gate_clocks: bool,
    macros: Path | None,
    json_path: Path | None,
) -> None:
    """Write the Verilog of CONFIG, with memory models, C header, constraints and a manifest."""
    resolved = resolve_config(config, sets)
    asic = None
    if target == "asic":
        asic = AsicOptions(
            style=VerilogStyle(
                reset=ResetStyle(active_low=reset_active != "high", asynchronous=reset != "sync"),
                power_on_values=False,
                gated_clocks=gate_clocks,
                whole_blocks=False,
            ),
            macros=read_macros(macros),
        )
    else:
        given = {"--reset": reset, "--reset-active": reset_active, "--gate-clocks": gate_clocks,
                 "--macros": macros}  # fmt: skip
        for name, value in given.items():
            if value:
                raise ValueError(f"{name} must go with --target asic")
    _earlier_files(folder)  # complains before the work

    from stillflow.hw.top import Accelerator

    files = design_files(resolved, Accelerator(resolved), period_ns, asic)
    write_folder(folder, files)
    if json_path is not None:
        write_whole(json_path, files[MANIFEST])
    modules = sum(name.endswith(".v") and "/" not in name for name in files)
    size = sum(len(text) for name, text in files.items() if name.endswith(".v"))
    click.echo(f"{folder}: {resolved.name}, {modules} modules, {size / 1000:.0f} kB of Verilog")
    if macros is not None and asic is not None:
        units = {unit for name in files if sram.is_sram(unit := name.removesuffix(".v"))}
        for what, names in (("models, no macro", units - asic.macros.keys()),
                            ("macros, no such memory", asic.macros.keys() - units)):  # fmt: skip
            if names:
                click.echo(f"{what}: {', '.join(sorted(names))}")

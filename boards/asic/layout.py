"""``scripts/layout``: from a block's Verilog to GDS, by Debian's open chain of tools.

qflow drives Yosys, graywolf (placement), qrouter, magic (DRC, extraction, GDS) and netgen (LVS) on
the OSU 0.18 um cells. They come as abstracts: the GDS has the wires and the cells' places, DRC sees
the wires and the cells' metal.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from rich.console import Console

from stillflow.boards.cli import report_errors
from stillflow.boards.configs import json_option, resolve_config, set_option
from stillflow.boards.errors import ToolError
from stillflow.boards.files import write_json
from stillflow.boards.synthesis.run import find_block
from stillflow.boards.verilog import VerilogStyle, emit
from stillflow.boards.version import version
from stillflow.boards.yosys import run_yosys
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.top import Accelerator

TECHNOLOGY = "osu018"
STEPS = ("synthesize", "place", "route", "migrate", "drc", "lvs", "gdsii")
TOOLS = ("qflow", "graywolf", "qrouter", "magic", "netgen-lvs", "klayout")
PIXELS = 1200
_PATH = "/usr/bin:/bin"  # of Debian's tools; a virtual environment's would come between
_ROUTES = re.compile(r"^Final: (?:No failed routes|Failed net routes: (\d+))", re.MULTILINE)
_DRC = re.compile(r"^drc = (\d+)", re.MULTILINE)
_LVS = re.compile(r"^Total errors = (\d+)", re.MULTILINE)
_DIE = re.compile(r"^DIEAREA \( (-?\d+) (-?\d+) \) \( (-?\d+) (-?\d+) \)", re.MULTILINE)
_UNITS = re.compile(r"^UNITS DISTANCE MICRONS (\d+)", re.MULTILINE)
_CELLS = re.compile(r"^COMPONENTS (\d+)", re.MULTILINE)
_PICTURE = f"""\
import pya
view = pya.LayoutView()
view.load_layout(gds)
view.max_hier()
view.zoom_fit()
view.save_image(png, {PIXELS}, {PIXELS})
"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A block that was laid out.

    Parameters
    ----------
    block : str
        Module name.
    cells : int
        Placed, fill included.
    width, height : float
        Of the die, in micrometres.
    failed_routes : int
        Nets that the router gave up.
    drc_errors, lvs_errors : int
        As magic and netgen count them.
    seconds : float
        From Verilog to GDS.
    """

    block: str
    cells: int
    width: float
    height: float
    failed_routes: int
    drc_errors: int
    lvs_errors: int
    seconds: float


def lay_out(
    config: AcceleratorConfig, block: str, folder: Path, tell: Callable[[str], None]
) -> Layout:
    """Lay out a block of an accelerator, its memories as ports.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    block : str
        Module name or what `find_block` knows it by.
    folder : Path
        Where ``<block>.gds``, ``.def``, ``.lef``, ``.png`` and the logs go.
    tell : callable
        Called with what is being done.

    Raises
    ------
    ValueError
        If there is no such block.
    ToolError
        If a tool is missing or fails.
    """
    for tool in TOOLS:
        if shutil.which(tool, path=_PATH) is None:
            raise ToolError(f"{tool}: not found in {_PATH}: install Debian's package of that name")
    began = time.monotonic()
    tell("Verilog")
    files = emit(Accelerator(config), style=VerilogStyle(power_on_values=False, whole_blocks=False))
    module = find_block(block, [name.removesuffix(".v") for name in files])
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        work = Path(scratch)
        for name in ("source", "synthesis", "layout"):
            (work / name).mkdir()
        for name, text in files.items():
            (work / name).write_text(text)
        run_yosys(
            (
                f"read_verilog {' '.join(files)}",
                f"hierarchy -check -top {module}",
                "blackbox sram_1r1w_*",
                "flatten",
                "expose -evert t:sram_1r1w_*",
                "delete */t:$scopeinfo",
                "opt_clean -purge",
                f"write_verilog -noattr source/{module}.v",
            ),
            work,
        )
        folder.mkdir(parents=True, exist_ok=True)
        said = {}
        for step in STEPS:
            tell(step)
            said[step] = _qflow(work, module, step, folder / f"{module}.{step}.log")
        tell("picture")
        made = work / "layout"
        _picture(work, made / f"{module}.gds")
        for suffix in ("gds", "def", "lef", "png"):
            shutil.copy(made / f"{module}.{suffix}", folder / f"{module}.{suffix}")
        def_ = (made / f"{module}.def").read_text()
    left, bottom, right, top = map(int, _search(_DIE, def_, "a die").groups())
    unit = int(_search(_UNITS, def_, "units")[1])
    return Layout(
        block=module,
        cells=int(_search(_CELLS, def_, "components")[1]),
        width=(right - left) / unit,
        height=(top - bottom) / unit,
        failed_routes=int(_search(_ROUTES, said["route"], "a result of routing")[1] or 0),
        drc_errors=int(_search(_DRC, said["drc"], "a result of DRC")[1]),
        lvs_errors=int(_search(_LVS, said["lvs"], "a result of LVS")[1]),
        seconds=time.monotonic() - began,
    )


def _qflow(work: Path, module: str, step: str, log: Path) -> str:
    done = subprocess.run(
        ["qflow", "-T", TECHNOLOGY, step, module],
        cwd=work, env={"PATH": _PATH, "HOME": str(work)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    log.write_text(done.stdout)
    stopped = "stopped due to error" in done.stdout or "Premature exit" in done.stdout
    if done.returncode or stopped:
        raise ToolError(f"qflow {step} failed: see {log}")
    return done.stdout


def _picture(work: Path, gds: Path) -> None:
    script = work / "picture.py"
    script.write_text(_PICTURE)
    png = gds.with_suffix(".png")
    done = subprocess.run(
        ["klayout", "-zz", "-r", str(script), "-rd", f"gds={gds}", "-rd", f"png={png}"],
        env={"PATH": _PATH, "HOME": str(work), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or not png.exists():
        raise ToolError(f"klayout failed: {(done.stderr or done.stdout).strip()[:500]}")


def _search(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    found = pattern.search(text)
    if found is None:
        raise ToolError(f"qflow failed: its output has no {what}")
    return found


@click.command()
@click.argument("config", default="tiny")
@click.option("--block", default="pe", show_default=True, metavar="NAME",
              help="Module to lay out; stillflow is all.")  # fmt: skip
@click.option("-o", "folder", default="build/layout", show_default=True,
              type=click.Path(path_type=Path), metavar="DIR", help="Where to.")  # fmt: skip
@set_option
@json_option
def layout(
    config: str, block: str, folder: Path, sets: tuple[str, ...], json_path: Path | None
) -> None:
    """Lay out a block of CONFIG, memories as ports: GDS, a picture, DRC and LVS as they are."""
    resolved = resolve_config(config, sets)
    screen = Console(stderr=True)
    with screen.status("") as status:
        made = lay_out(resolved, block, folder, lambda doing: status.update(f"{block}: {doing}"))
    click.echo(
        f"{made.block}: {made.cells:,} cells on {made.width:.0f} x {made.height:.0f} um, "
        f"{made.failed_routes} failed routes, {made.drc_errors} DRC errors, "
        f"{made.lvs_errors} LVS errors, {made.seconds:.0f} s"
    )
    click.echo(f"{folder}/{made.block}.gds, .def, .lef, .png and the logs of each step")
    head = {"stillflow": version(), "config": resolved.keys()}
    write_json(json_path, head | asdict(made))


if __name__ == "__main__":
    sys.exit(report_errors(lambda: layout(standalone_mode=False)))

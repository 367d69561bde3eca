"""``scripts/asic``: the figures that stillflow aims at in standard cells, in one table."""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from stillflow.boards.asic.areas import parts, share_of_rest
from stillflow.boards.asic.liberty import Liberty, read_liberty
from stillflow.boards.asic.mapping import PERIOD, map_cells
from stillflow.boards.cli import report_errors
from stillflow.boards.configs import json_option
from stillflow.boards.errors import ToolError
from stillflow.boards.files import write_json
from stillflow.boards.multipliers.files import single_multipliers
from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.synthesis.run import find_block
from stillflow.boards.verilog import emit
from stillflow.boards.version import version
from stillflow.boards.yosys import run_yosys
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.presets import EDGE16, EYERISS
from stillflow.hw.top import Accelerator

GENERIC = "AND,NAND,OR,NOR,XOR,XNOR,MUX"
#: Sizes of the square arrays that are generated, with the most CPU seconds.
SQUARES = {16: 1.5, 32: 2.5, 64: 6.0, 128: 20.0}
MOST_KILOBYTES = 250  # at 64 x 64


@dataclass(frozen=True)
class Figure:
    """A figure and what it should be.

    Parameters
    ----------
    name : str
        What it is.
    value, most : float
        Measured; aimed at, at most.
    unit : str
        Behind both.
    """

    name: str
    value: float
    most: float
    unit: str = ""


def figures(liberty: Liberty, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Measure one figure after the other.

    Parameters
    ----------
    liberty : Liberty
        The cells.
    tell : callable
        Called with what is being done.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    tell("multipliers")
    bare = {bits: _gates(liberty, {"mult.v": _multiplier(bits)}, "mult") for bits in (8, 16)}
    for config, bits, most in ((EDGE16, 8, 2.5), (EYERISS, 16, 1.6)):
        tell(f"PE of {config.name}")
        files = emit(Accelerator(config))
        pe = find_block("pe", [name.removesuffix(".v") for name in files])
        ratio = _gates(liberty, files, pe) / bare[bits]
        name = f"PE over its multiplier, int{bits} {config.dataflow}"
        yield Figure(name, ratio, most)

    tell(f"{EDGE16.name}, all blocks")
    files = emit(Accelerator(EDGE16))
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        mapped = map_cells(files, "stillflow", liberty, Path(folder), period_ns=PERIOD)
    by_part = parts(mapped.netlist, liberty)
    rest = 100 * share_of_rest(by_part)
    yield Figure(f"{EDGE16.name}: neither PE nor requantiser lane", rest, 10, "%")
    (lane,) = (name for name in mapped.netlist.modules if name.startswith("requant_lane_"))
    lane_gates = liberty.gates(mapped.netlist.cells(lane))
    yield Figure("requantiser lane over a bare 8x8 multiplier", lane_gates / bare[8], 15)

    tell(f"{EDGE16.name}, array in generic gates")
    files = single_multipliers(files, "asic")
    cells = generic_cells(files, find_block("array", [name.removesuffix(".v") for name in files]))
    yield Figure("generic-gate cells of the array per MAC", cells / EDGE16.pes, 550)

    for size, most in SQUARES.items():
        tell(f"Verilog of {size} x {size} PEs")
        seconds, kilobytes = generation(square(size))
        yield Figure(f"Verilog of {size} x {size} PEs: CPU time", seconds, most, "s")
        if size == 64:
            yield Figure("its size", kilobytes, MOST_KILOBYTES, "kB")


def square(size: int) -> AcceleratorConfig:
    """Scale `EDGE16` to another array, its memory with the PEs."""
    scale = size // EDGE16.rows
    return replace(
        EDGE16,
        name=f"square{size}",
        rows=size,
        cols=size,
        glb_kib=EDGE16.glb_kib * scale * scale,
        axi_data_bits=min(512, EDGE16.axi_data_bits * scale),
    )


def generation(config: AcceleratorConfig) -> tuple[float, float]:
    """Generate Verilog in a process of its own: CPU seconds, imports included, and kilobytes."""
    program = (
        "import json, sys; from stillflow.hw.config import AcceleratorConfig; "
        "from stillflow.hw.top import Accelerator; from stillflow.boards.verilog import emit; "
        "files = emit(Accelerator(AcceleratorConfig(**json.loads(sys.argv[1])))); "
        "print(sum(map(len, files.values())))"
    )
    before = _children()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, json.dumps(config.keys())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ToolError(f"generation failed: {done.stderr.splitlines()[-1:]}")
    return _children() - before, int(done.stdout) / 1000


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def generic_cells(files: dict[str, str], top: str) -> int:
    """Count the cells of a block in generic gates and flip-flops, its hierarchy dissolved."""
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        for name, text in files.items():
            (folder / name).write_text(text)
        run_yosys(
            (
                f"read_verilog {' '.join(files)}",
                f"synth -flatten -top {top}",
                f"abc -g {GENERIC}",
                "opt_clean -purge",
                "delete */t:$scopeinfo",
                "write_json netlist.json",
            ),
            folder,
        )
        return sum(Netlist.read(folder / "netlist.json", top).cells(top).values())


def _multiplier(bits: int) -> str:
    return (
        f"module mult(input signed [{bits - 1}:0] a, input signed [{bits - 1}:0] b,\n"
        f"  output signed [{2 * bits - 1}:0] y);\n  assign y = a * b;\nendmodule\n"
    )


def _gates(liberty: Liberty, files: dict[str, str], top: str) -> float:
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        mapped = map_cells(files, top, liberty, Path(folder), period_ns=PERIOD)
    return liberty.gates(mapped.netlist.cells(top))


@click.command()
@click.option("--liberty", type=click.Path(path_type=Path), metavar="FILE",
              help="Cells. Default: Debian's OSU 0.18 um ones.")  # fmt: skip
@json_option
def asic(liberty: Path | None, json_path: Path | None) -> None:
    """Print the figures in standard cells beside what they should be."""
    cells = read_liberty(liberty)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure")
    for name in ("measured", "at most"):
        table.add_column(name, justify="right")
    screen = Console(stderr=True)
    made = []
    with screen.status("") as status:
        for figure in figures(cells, status.update):
            made.append(figure)
            values = (f"{value:.4g} {figure.unit}" for value in (figure.value, figure.most))
            table.add_row(figure.name, *values)
    Console(highlight=False, soft_wrap=True).print(table)
    write_json(json_path, {"stillflow": version(), "figures": [asdict(f) for f in made]})


if __name__ == "__main__":
    sys.exit(report_errors(lambda: asic(standalone_mode=False)))

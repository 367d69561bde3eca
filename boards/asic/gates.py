"""Simulation of a netlist of standard cells: a model run bit for bit, and how often nets change."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stillflow.boards import sram
from stillflow.boards.asic.liberty import Liberty
from stillflow.boards.asic.mapping import Mapped
from stillflow.boards.engines import MEMORY_GRANULE, cache_folder
from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.yosys import run_yosys
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.engine.verilator import VerilatorEngine

_COMMENT = re.compile(r"^//.*$", re.MULTILINE)
_TOKEN = re.compile(r'\(|\)|"[^"]*"|(?:\\[\[\]]|[^\s()\\])+')


def cell_models(liberty: Liberty, used: Mapping[str, int], folder: Path) -> str:
    """Write the cells of a library as Verilog, from their Liberty functions.

    Parameters
    ----------
    liberty : Liberty
        The library.
    used : Mapping[str, int]
        Types to write; others are left out.
    folder : Path
        For what lies between.

    Raises
    ------
    ToolError
        If Yosys fails, or a cell has no function.
    """
    names = " ".join(name for name in sorted(used) if name in liberty.cells)
    run_yosys(
        (
            f'read_liberty -ignore_miss_func "{liberty.path}"',
            f"select {names}",
            "proc",
            "write_verilog -noattr -selected models.v",
        ),
        folder,
    )
    return "/* verilator tracing_off */\n" + (folder / "models.v").read_text()


@contextmanager
def open_netlist(
    mapped: Mapped,
    liberty: Liberty,
    *,
    axi_data_bits: int,
    timing: DramTiming,
    memory_bytes: int,
    saif: Path | None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[VerilatorEngine]:
    """Start a netlist in the fast engine.

    Parameters
    ----------
    mapped : Mapped
        The netlist of an accelerator.
    liberty : Liberty
        Its cells.
    axi_data_bits : int
        Width of its AXI4 port.
    timing : DramTiming
        Of the DRAM.
    memory_bytes : int
        Bytes of DRAM in use.
    saif : Path, optional
        Where to write how often each net changes.
    progress : callable, optional
        Called with what is being done.

    Raises
    ------
    EngineUnavailable
        If there is no Verilator or compiler.
    """
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        models = cell_models(liberty, mapped.netlist.cells(mapped.top), folder)
        texts = {"cells.v": mapped.verilog, "models.v": models}
        texts |= {f"{name}.v": sram.behavioural(name) for name in mapped.macros}
        files = []
        for name, text in texts.items():
            files.append(folder / name)
            files[-1].write_text(text)
        with VerilatorEngine.from_verilog(
            files, axi_data_bits=axi_data_bits, cache_dir=cache_folder(), timing=timing,
            memory_bytes=-(-memory_bytes // MEMORY_GRANULE) * MEMORY_GRANULE, wave=saif,
            quick=True, progress=progress,
        ) as engine:  # fmt: skip
            yield engine


def read_activity(saif: Path, netlist: Netlist) -> dict[str, float]:
    """Tell from a SAIF file how often the outputs of each cell change.

    Parameters
    ----------
    saif : Path
        As `open_netlist` writes it.
    netlist : Netlist
        What was simulated.

    Returns
    -------
    dict[str, float]
        Cell by its path, joined by ``/``, to changes of an output per clock cycle.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    nets = _nets(saif)
    cycles = nets.get(("clk",), 0) / 2
    counts: dict[str, list[int]] = {}
    for path, module in _instances(netlist, netlist.top, ()):
        drivers = {}
        for cell, entry in module["cells"].items():
            if entry["type"] not in netlist.modules:
                for port, bits in entry["connections"].items():
                    if entry["port_directions"][port] == "output":
                        drivers |= dict.fromkeys(bits, "/".join((*path, cell)))
        seen = set()
        for name, net in module["netnames"].items():
            for index, bit in enumerate(net["bits"]):
                key = (*path, name if len(net["bits"]) == 1 else f"{name}[{index}]")
                if bit in drivers and bit not in seen and key in nets:
                    seen.add(bit)
                    counts.setdefault(drivers[bit], []).append(nets[key])
    if not counts or not cycles:
        raise ValueError(f"{saif}: must hold the nets of {netlist.top}")
    return {cell: sum(changes) / len(changes) / cycles for cell, changes in counts.items()}


def _instances(
    netlist: Netlist, module: str, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping]]:
    yield path, netlist.modules[module]
    for name, cell in netlist.modules[module]["cells"].items():
        if cell["type"] in netlist.modules:
            yield from _instances(netlist, cell["type"], (*path, name))


def _nets(saif: Path) -> dict[tuple[str, ...], int]:
    """Net by its path below the top to its changes."""
    nets: dict[tuple[str, ...], int] = {}
    stack: list[list[str]] = []
    path: list[str] = []
    for match in _TOKEN.finditer(_COMMENT.sub("", saif.read_text())):
        token = match[0]
        if token == "(":
            stack.append([])
        elif token != ")":
            stack[-1].append(token)
            if stack[-1][0] == "INSTANCE" and len(stack[-1]) == 2:
                path.append(token.replace("\\", ""))
        else:
            group = stack.pop()
            if not group:
                continue
            if group[0] == "TC" and stack:
                stack[-1].append(group[1])
            elif group[0] == "INSTANCE":
                path.pop()
            elif len(group) == 2 and group[1].isdigit() and stack and stack[-1][0] == "NET":
                # below Verilator's top, the bench and the accelerator
                nets[*path[3:], group[0].replace("\\", "")] = int(group[1])
    return nets

"""Verilog of a component: one file per module, one module per distinct unit."""

import gc
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amaranth.lib import wiring

from stillflow.boards import sram
from stillflow.boards.yosys import run_yosys
from stillflow.hw.unit import VerilogPlatform, convert

# Multiplexers and flip-flops with reset and enable come out as what they are, not as processes.
# Equal logic is merged, equal registers are not: they may be copies on purpose.
_PASSES = (
    "read_rtlil design.il",
    "proc -norom",
    "opt_expr -keepdc",
    "opt_clean",
    "opt_merge t:*dff* %n",
    "opt_dff -keepdc",
    "opt_clean -purge",
    "memory_collect",
    "write_verilog -noattr design.v",
)
_HEADER = "// Made by stillflow. Changes belong in the generator.\n\n"
# Memories are written before they are read: zeros as initial contents would be a promise.
_ZERO_INIT = re.compile(
    r"  cell \$meminit_v2 \S+\n(?:    .*\n)*?    connect \\DATA \d+'0+\n(?:    .*\n)*?  end\n"
)
_MODULE = re.compile(r"^module (\w+)\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_ESCAPED = re.compile(r"\\(\S+) ")


def emit(component: wiring.Component, name: str = "stillflow") -> dict[str, str]:
    """Write a design as Verilog-2005.

    Ports are called as the component's members, paths joined by ``_``; clock and reset are ``clk``
    and ``rst`` (synchronous, active high). The same component gives the same bytes.

    Parameters
    ----------
    component : wiring.Component
        Top of the design.
    name : str
        Its module name.

    Returns
    -------
    dict[str, str]
        File name to text, sorted: ``<module>.v`` for each module, memory models included.

    Raises
    ------
    ValueError
        If a unit is not distinct or uses a clock domain of its own (see `stillflow.hw.unit`).
    ToolError
        If Yosys fails.
    """
    platform = VerilogPlatform(is_macro=sram.is_sram)
    with _no_collection():
        top = convert(component, name, platform, top=True)
    if name in platform.units:
        raise ValueError(f"name must differ from the units' names, not {name!r}")
    parts = [unit.rtlil for unit in (*platform.units.values(), top)]
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        Path(folder, "design.il").write_text(_ZERO_INIT.sub("", "\n".join(parts)))
        run_yosys(_PASSES, Path(folder))
        text = plain_names(Path(folder, "design.v").read_text())
    files = {f"{match[1]}.v": _HEADER + match[0] for match in _MODULE.finditer(text)}
    for unit in platform.units:
        if sram.is_sram(unit):
            files[f"{unit}.v"] = _HEADER + sram.behavioural(unit)
    return dict(sorted(files.items()))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Amaranth makes millions of small objects that stay: looking for garbage costs a quarter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def plain_names(text: str) -> str:
    r"""Replace escaped identifiers, such as ``\fifo.level$3``, by plain ones.

    A name is replaced alike in all modules, so that ports still meet.
    """
    taken = set(re.findall(r"\w+", text))
    plain: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in plain:
            if name.startswith("$auto$verilog_backend"):
                name = "at_start"
            new = re.sub(r"\W+", "_", name).strip("_")
            while new in taken or not re.match(r"[A-Za-z_]", new):
                new = f"{new}_" if new[:1].isalpha() else f"n_{new}"
            taken.add(new)
            plain[match[1]] = new
        return plain[match[1]]

    return _ESCAPED.sub(replace, text)

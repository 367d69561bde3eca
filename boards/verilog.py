"""Verilog of a component: one file per module, one module per distinct unit."""

import gc
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import getdoc
from pathlib import Path

from amaranth.lib import wiring

from stillflow.boards import sram
from stillflow.boards.modules import HEADER, MODULE, plain_name, plain_names
from stillflow.boards.readable import readable
from stillflow.boards.yosys import run_yosys
from stillflow.hw.reset import ResetStyle
from stillflow.hw.unit import VerilogPlatform, convert

#: Module of a gated clock; a library's cell takes its place.
CLOCK_GATE = "stillflow_clock_gate"
LEAST_GATED = 8  # bits of a register behind a gate: fewer are not worth it
_CLOCK_GATE = f"""\
// Replace this module by the library's integrated clock gate, or keep it for simulation.
module {CLOCK_GATE} (
  input i_clk,
  input i_enable,
  output o_clk
);
  reg enabled;

  // verilator lint_off LATCH
  always @*
    if (!i_clk) enabled = i_enable;
  assign o_clk = i_clk & enabled;
endmodule
"""
# Multiplexers and flip-flops with reset and enable come out as what they are, not as processes.
# Equal logic is merged, equal registers are not: they may be copies on purpose.
_MERGE = "opt_merge t:*dff* %n"
_PASSES = (
    "read_rtlil design.il",
    "proc -norom",
    "opt_expr -keepdc",
    "opt_clean",
    _MERGE,
    "opt_dff -keepdc",
    _MERGE,
    "opt_clean -purge",
)
_NO_POWER_ON_VALUES = "setattr -unset init */w:*"
# A reset that needs the clock opens the gate, too. Narrow registers keep their enables as
# multiplexers: `clockgate` counts registers, not bits.
_OPEN_IN_RESET = f"""\
(* techmap_celltype = "$sdffe" *)
module wide_sdffe (CLK, SRST, EN, D, Q);
  parameter WIDTH = 0;
  parameter CLK_POLARITY = 1'b1;
  parameter SRST_POLARITY = 1'b1;
  parameter EN_POLARITY = 1'b1;
  parameter SRST_VALUE = 0;
  input CLK, SRST, EN;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  wire _TECHMAP_FAIL_ = WIDTH < {LEAST_GATED} || !EN_POLARITY || !SRST_POLARITY;
  $sdffce #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY), .SRST_POLARITY(SRST_POLARITY),
    .EN_POLARITY(EN_POLARITY), .SRST_VALUE(SRST_VALUE))
    _TECHMAP_REPLACE_ (.CLK(CLK), .SRST(SRST), .EN(EN || SRST), .D(D), .Q(Q));
endmodule
"""
_GATE_CLOCKS = (
    "techmap -map open_in_reset.v",
    f"dffunmap -ce-only t:*dff*e r:WIDTH<{LEAST_GATED} %i",
    f"clockgate -pos {CLOCK_GATE} i_enable:i_clk:o_clk -min_net_size 1",
    "opt_clean -purge",
)
_WRITE = ("memory_collect", "write_verilog -noattr design.v")
# Memories are written before they are read: zeros as initial contents would be a promise.
_ZERO_INIT = re.compile(
    r"  cell \$meminit_v2 \S+\n(?:    .*\n)*?    connect \\DATA \d+'0+\n(?:    .*\n)*?  end\n"
)


@dataclass(frozen=True, kw_only=True)
class VerilogStyle:
    """What depends on where the Verilog goes.

    Parameters
    ----------
    reset : ResetStyle
        Polarity, and whether it needs a clock.
    power_on_values : bool
        Give registers an initial value beside their reset, as FPGAs have.
    gated_clocks : bool
        Let registers that are enabled together share a clock behind a `CLOCK_GATE`.
    whole_blocks : bool
        Let memory models have powers of two of words, as block RAMs have.
    """

    reset: ResetStyle = field(default_factory=ResetStyle)
    power_on_values: bool = True
    gated_clocks: bool = False
    whole_blocks: bool = True


def emit(
    component: wiring.Component, name: str = "stillflow", style: VerilogStyle | None = None
) -> dict[str, str]:
    """Write a design as Verilog-2005.

    Ports are called as the component's members, paths joined by ``_``; clock and reset are ``clk``
    and ``rst`` (synchronous and active high, if the style has no other). The same component gives
    the same bytes.

    Parameters
    ----------
    component : wiring.Component
        Top of the design.
    name : str
        Its module name.
    style : VerilogStyle, optional
        By default that for FPGAs.

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
    style = style or VerilogStyle()
    platform = VerilogPlatform(is_macro=sram.is_sram, reset=style.reset)
    with _no_collection():
        top = convert(component, name, platform, top=True)
    if name in platform.units:
        raise ValueError(f"name must differ from the units' names, not {name!r}")
    units = (*platform.units.values(), top)
    parts = [unit.rtlil for unit in units]
    sources = {plain_name(name): cls for unit in units for name, cls in unit.sources.items()}
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        Path(folder, "design.il").write_text(_ZERO_INIT.sub("", "\n".join(parts)))
        Path(folder, "open_in_reset.v").write_text(_OPEN_IN_RESET)
        run_yosys(_passes(style), Path(folder))
        text = plain_names(Path(folder, "design.v").read_text())
    files = {
        f"{match[1]}.v": HEADER + _about(sources.get(match[1])) + readable(match[0])
        for match in MODULE.finditer(text)
    }
    for unit in platform.units:
        if sram.is_sram(unit):
            files[f"{unit}.v"] = HEADER + sram.behavioural(unit, whole_blocks=style.whole_blocks)
    if style.gated_clocks:
        files[f"{CLOCK_GATE}.v"] = HEADER + _CLOCK_GATE
    return dict(sorted(files.items()))


def _about(source: type | None) -> str:
    """Say in a comment what a module is and where it is described."""
    if source is None:
        return ""
    summary = (getdoc(source) or "").partition("\n")[0]
    return f"// {source.__name__}, {source.__module__}:\n// {summary}\n\n"


def _passes(style: VerilogStyle) -> tuple[str, ...]:
    return (
        *_PASSES,
        *(() if style.power_on_values else (_NO_POWER_ON_VALUES,)),
        *(_GATE_CLOCKS if style.gated_clocks else ()),
        *_WRITE,
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Amaranth makes millions of small objects that stay: looking for garbage costs a quarter."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # What was made is young: as old objects it waits for a collection that comes anyway.
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()

"""Compares what synthesis makes of multipliers with generic ones, over all operands."""

import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyosys
from amaranth.hdl import Module
from amaranth.lib import wiring

from stillflow.boards.multipliers.catalogue import PRIMITIVES
from stillflow.boards.multipliers.files import paired_multipliers
from stillflow.boards.multipliers.text import Words
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.verilog import emit
from stillflow.boards.yosys import run_yosys
from stillflow.hw.array.multiplier import Multiplier
from stillflow.hw.unit import unit
from stillflow.sim.engine.library import default_cache_dir
from stillflow.sim.engine.toolchain import Toolchain, find_toolchain

HERE = Path(__file__).parent
_YOSYS = Path(pyosys.__file__).parent / "share"
#: Models of a target's cells: Yosys', and ours where it has none.
MODELS = {
    "ecp5": (_YOSYS / "ecp5" / "cells_sim.v", HERE / "ecp5.v"),
    "ice40": (_YOSYS / "ice40" / "cells_sim.v",),
    "xc7": (_YOSYS / "xilinx" / "cells_sim.v",),
    "gowin": (_YOSYS / "gowin" / "cells_sim.v", HERE / "gowin.v"),
    "asic": (),
    "asic_gated": (),
}
_MODULE = re.compile(r"^module (\w+).*?^endmodule$", re.MULTILINE | re.DOTALL)
GATE = "mapped_array"
QUICK_CYCLES = 1_000_000  # of those, compiling well would take longer than running
SETTLED = 5  # cycles until nothing depends on what was there at power-on
_MAIN = """
#include "Vbench.h"
#include <cstdio>
int main() {
  Vbench bench;
  for (long cycle = 0; cycle < CYCLES; ++cycle) {
    bench.clk = 0;
    bench.eval();
    bench.clk = 1;
    bench.eval();
  }
  std::printf("%u\\n", bench.bad);
}
"""


class Holder(wiring.Component):
    """A component with a multiplier inside."""

    def __init__(self, words: Words) -> None:
        self.words = words
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self.words
        multiplier = Multiplier(
            words.a_bits, words.b_bits, holds=words.holds, registered=words.registered
        )
        m.submodules.multiplier = unit(platform, multiplier)
        return m


def generic(words: Words) -> dict[str, str]:
    """Give the file of the generic multiplier."""
    name = f"{words.name}.v"
    return {name: emit(Holder(words), "holder")[name]}


def pair_design(words: Words, target: str, name: str) -> dict[str, str]:
    """Two generic multipliers in a module that is called like an array."""
    both = words.both(shares=PRIMITIVES[target].shares)
    return generic(words) | {f"{name}.v": both.replace(words.pair_name, name, 1)}


Change = Callable[[dict[str, str]], dict[str, str]]


def differences(words: Words, target: str, change: Change = lambda files: files) -> int:
    """Count cycles in which mapped and generic multipliers differ, over all operands.

    ``change`` is given the files before they are mapped.
    """
    shares = PRIMITIVES[target].shares
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        mapped = change(paired_multipliers(pair_design(words, target, GATE), target, GATE))
        _map(mapped, target, folder)
        files = pair_design(words, target, "gold") | {"bench.v": _bench(words, shares=shares)}
        return _simulate(files, folder, cycles=(1 << _counted(words, shares=shares)) + SETTLED)


def mapped_differences(
    component: wiring.Component,
    target: str,
    *,
    cycles: int = 20_000,
    inputs: Mapping[str, str] | None = None,
) -> int:
    """Count cycles in which a mapped component and the component itself differ.

    Inputs are all at random, but for those that ``inputs`` gives Verilog expressions of; ``dice``
    in them are 32 random bits of the cycle.
    """
    files = emit(component, GATE)
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        _map(paired_multipliers(files, target, GATE), target, folder)
        driven = re.findall(
            r"^  input (?:signed )?(?:\[(\d+):0\] )?(\w+)\b", files[f"{GATE}.v"], re.M
        )
        outputs = re.findall(
            r"^  output (?:reg )?(?:signed )?(?:\[(\d+):0\] )?(\w+)\b", files[f"{GATE}.v"], re.M
        )
        gold = {
            name: text.replace(f"module {GATE}(", "module gold(") for name, text in files.items()
        }
        gold["gold.v"] = gold.pop(f"{GATE}.v")
        gold["bench.v"] = _noise_bench(driven, outputs, inputs or {})
        return _simulate(gold, folder, cycles)


def _noise_bench(
    inputs: list[tuple[str, str]], outputs: list[tuple[str, str]], given: Mapping[str, str]
) -> str:
    driven = [(int(high or 0), name) for high, name in inputs if name not in ("clk", "rst")]
    assert given.keys() <= {name for _, name in driven}
    lines = ["module bench(input clk, output reg [31:0] bad);", "  reg [31:0] count, dice;"]
    lines += [f"  reg [{high}:0] {name};" for high, name in driven]
    pins = [".clk(clk), .rst(1'b0)", *(f".{name}({name})" for _, name in driven)]
    for block in ("gold", GATE):
        lines += [f"  wire [{high or 0}:0] {block}_{name};" for high, name in outputs]
        shown = [f".{name}({block}_{name})" for _, name in outputs]
        lines.append(f"  {block} {block}({', '.join((*pins, *shown))});")
    both = [
        f"{{{', '.join(f'{block}_{name}' for _, name in outputs)}}}" for block in ("gold", GATE)
    ]
    lines += [
        "  initial begin",
        "    bad = 0;",
        "    count = 0;",
        "  end",
        "  always @(posedge clk) begin",
    ]
    lines += ["    count <= count + 1;", "    dice = $random;"]
    for high, name in driven:
        words = ", ".join(["$random"] * (high // 32 + 1))
        lines.append(f"    {name} <= {given.get(name, f'{{{words}}}')};")
    lines.append(f"    if (count > 200 && {both[0]} != {both[1]}) bad <= bad + 1;")
    return "\n".join([*lines, "  end", "endmodule", ""])


def _used(models: str, netlist: str, target: str) -> str:
    """Leave out what is not used of iCE40's models: Yosys takes half a minute for all."""
    if target != "ice40":
        return models
    parts = [
        "`define ICE40_DEFAULT_ASSIGNMENT_0",
        "`define ICE40_DEFAULT_ASSIGNMENT_1",
        "`define SB_DFF_INIT initial Q = 0;",
        *(match[0] for match in _MODULE.finditer(models) if f"  {match[1]} " in netlist),
    ]
    return "\n".join([*parts, ""])


def _map(files: Mapping[str, str], target: str, folder: Path) -> None:
    """Synthesise as for a board, then put models in the place of cells: plain Verilog."""
    for name, text in files.items():
        (folder / name).write_text(text)
    mapped = TARGETS.get(target)
    commands = mapped.commands(GATE, flatten=True) if mapped else ("proc",)
    run_yosys((f"read_verilog {' '.join(files)}", *commands, "write_verilog netlist.v"), folder)
    netlist = (folder / "netlist.v").read_text()
    models = "".join(_used(path.read_text(), netlist, target) for path in MODELS[target])
    (folder / "models.v").write_text(models)
    run_yosys(
        (
            f"read_verilog -D NO_INCLUDES -I{_YOSYS}/ecp5 netlist.v models.v",
            f"hierarchy -check -top {GATE}", "proc", "flatten", "opt_clean -purge",
            "delete */t:$scopeinfo", "write_verilog -noattr gate.v",
        ),
        folder,
    )  # fmt: skip


def _bench(words: Words, *, shares: bool) -> str:
    """Count differences over all words: of both operands of each, and of all three if shared.

    Words stay for two cycles. One that is held is loaded in the first and now and then; in other
    cycles its complement is at the input.
    """
    a, b = words.a_bits, words.b_bits
    held = ", .i_load(load)" if words.holds else ""
    comes = "load" if words.holds else "1'b1"
    acts = ".i_a(a)" if shares else ".i_a0(a), .i_a1(other_a)"
    bits = _counted(words, shares=shares)
    second = f"count[{a + 2 * b}:{a + b + 1}]" if shares else "other_b"
    return f"""\
module bench(input clk, output reg [31:0] bad);
  reg [{bits}:0] count;
  wire [{a - 1}:0] a = count[{a}:1];
  wire [{b - 1}:0] b = count[{a + b}:{a + 1}];
  wire [{a - 1}:0] other_a = a ^ {{b, a}} >> 3;
  wire [{b - 1}:0] other_b = {{b[0], ~b[{b - 1}:1]}};
  reg [15:0] noise;
  initial begin
    count = 0;
    noise = 1;
    bad = 0;
  end
  wire load = count[{a}:0] == 0 || &noise[2:0];
  wire [{a + b - 1}:0] gold0, gold1, gate0, gate1;
  wire [{b - 1}:0] b0 = {comes} ? b : ~b, b1 = {comes} ? {second} : ~{second};
  gold gold(.clk(clk), {acts}, .i_b0(b0), .i_b1(b1){held},
    .o_product0(gold0), .o_product1(gold1));
  {GATE} gate(.clk(clk), {acts}, .i_b0(b0), .i_b1(b1){held},
    .o_product0(gate0), .o_product1(gate1));
  always @(posedge clk) begin
    count <= count + 1;
    noise <= {{noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]}};
    if (count > {SETTLED} && {{gold0, gold1}} != {{gate0, gate1}}) bad <= bad + 1;
  end
endmodule
"""


def _counted(words: Words, *, shares: bool) -> int:
    return 1 + words.bits + words.b_bits * shares


def _simulate(files: Mapping[str, str], folder: Path, cycles: int) -> int:
    """Run the bench; compile in a second or two what runs for no longer than that."""
    for name, text in (*files.items(), ("main.cpp", _MAIN.replace("CYCLES", str(cycles)))):
        (folder / name).write_text(text)
    tools = find_toolchain()
    _run(
        [tools.verilator, "--cc", "-O3", "--no-timing", "-Wno-fatal", "-Wno-lint",
         "--top-module", "bench", "--prefix", "Vbench", "--Mdir", "made", "gate.v", *files],
        folder, tools,
    )  # fmt: skip
    made = [f'#include "{path}"\n' for path in sorted((folder / "made").glob("*.cpp"))]
    (folder / "bench.cpp").write_text("".join([*made, '#include "main.cpp"\n']))
    level = "-O1" if cycles > QUICK_CYCLES else "-O0"
    command = [*_compiler(tools), level, "-I", "made", "bench.cpp"]
    _run([*command, str(_runtime(tools)), "-o", "bench"], folder, tools)
    done = subprocess.run([folder / "bench"], capture_output=True, text=True, check=True)
    return int(done.stdout)


def _compiler(tools: Toolchain) -> list[str]:
    include = tools.root / "include"
    defines = [f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE")]
    paths = ["-isystem", str(include), "-isystem", str(include / "vltstd")]
    return [tools.compiler, "-std=gnu++17", "-w", "-pthread", "-DVERILATOR=1", *defines, *paths]


def _runtime(tools: Toolchain) -> Path:
    """Verilator's own library, compiled once for all tests and processes."""
    key = hashlib.sha256(repr((tools, _compiler(tools))).encode()).hexdigest()[:16]
    target = default_cache_dir() / f"bench-runtime-{key}.o"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                sources = [
                    f'#include "{tools.root}/include/{name}.cpp"\n'
                    for name in ("verilated", "verilated_threads")
                ]
                Path(scratch, "runtime.cpp").write_text("".join(sources))
                command = [*_compiler(tools), "-O1", "-c", "runtime.cpp", "-o", "runtime.o"]
                _run(command, Path(scratch), tools)
                Path(scratch, "runtime.o").rename(target)
    return target


def _run(command: Sequence[str], folder: Path, tools: Toolchain) -> None:
    environment = os.environ | {"VERILATOR_ROOT": str(tools.root)}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

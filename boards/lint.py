"""Holds generated Verilog to the lint rules of Verilator and the checks of Yosys."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stillflow.boards.errors import CheckFailed
from stillflow.boards.verilog import CLOCK_GATE
from stillflow.boards.yosys import run_yosys
from stillflow.sim.cocotb_tb.runner import simulator_environment
from stillflow.sim.engine.toolchain import find_toolchain

TOP = "stillflow"
#: Rules of Verilator's ``-Wall`` that do not apply to this Verilog, and why.
WAIVERS = {
    "WIDTHEXPAND": "operands are written in their own width; Verilog extends them as is meant",
    "WIDTHTRUNC": "only of `! x` for `x == 0` on a vector, which is how Yosys writes it",
    "UNUSEDSIGNAL": "carries of counters that wrap, low bits of aligned addresses, AXI signals "
    "that a master with one ID and a slave without protection ignore",
    "CASEOVERLAP": "one-hot multiplexers are written as `casez` with one bit a branch",
    "PROCASSINIT": "registers have a power-on value for FPGAs beside their reset; "
    "tests strip them all and run without",
}  # fmt: skip
#: The same with gated clocks only; Yosys finds bits that are driven twice.
GATED_WAIVERS = {
    "MULTIDRIVEN": "bits of a bus lie in registers with different gated clocks",
}


def verilator_warnings(files: Sequence[Path]) -> list[str]:
    """Warnings of ``verilator --lint-only -Wall`` beside the waived rules.

    Parameters
    ----------
    files : sequence of Path
        Everything that is needed to elaborate module ``stillflow``.

    Raises
    ------
    EngineUnavailable
        If there is no Verilator.
    """
    environment = simulator_environment("verilator")
    is_gated = any(path.stem == CLOCK_GATE for path in files)
    rules = WAIVERS | (GATED_WAIVERS if is_gated else {})
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        waivers = Path(folder, "waivers.vlt")
        lines = [f"lint_off -rule {rule}  // {reason}" for rule, reason in rules.items()]
        waivers.write_text("\n".join(["`verilator_config", *lines, ""]))
        done = subprocess.run(
            [find_toolchain().verilator, "--lint-only", "-Wall", "--top-module", TOP,
             str(waivers), *map(str, files)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if line.startswith("%")]
    return lines if done.returncode or lines else []


def yosys_problems(files: Sequence[Path]) -> None:
    """Let Yosys read the files and look for loops, undriven and doubly driven wires.

    Raises
    ------
    CheckFailed
        If ``check -assert`` finds anything.
    """
    names = " ".join(f'"{path.absolute()}"' for path in files)
    with tempfile.TemporaryDirectory(prefix="stillflow-") as folder:
        try:
            run_yosys(
                [f"read_verilog {names}", f"hierarchy -check -top {TOP}", "proc", "check -assert"],
                Path(folder),
            )
        except RuntimeError as error:
            raise CheckFailed(f"yosys check: {error}") from error


def lint(files: Sequence[Path]) -> None:
    """Check Verilog with both tools.

    Raises
    ------
    CheckFailed
        With the first warning.
    """
    warnings = verilator_warnings(files)
    if warnings:
        raise CheckFailed(f"verilator -Wall: {len(warnings)} warnings, the first: {warnings[0]}")
    yosys_problems(files)

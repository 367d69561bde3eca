"""Yosys, in a process of its own: an error inside it would end ours."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stillflow.boards.errors import ToolError

_PROGRAM = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.argv[1:]:
    libyosys.run_pass(command, design)
"""


def run_yosys(commands: Sequence[str], folder: Path) -> str:
    """Run Yosys commands, one after the other.

    Parameters
    ----------
    commands : Sequence[str]
        As in a Yosys script.
    folder : Path
        Working directory.

    Returns
    -------
    str
        The log.

    Raises
    ------
    ToolError
        If a command fails, with Yosys' message.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *commands],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stdout.splitlines()
        reasons = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise ToolError(f"Yosys stopped with status {done.returncode}: {' '.join(reasons)}")
    return done.stdout

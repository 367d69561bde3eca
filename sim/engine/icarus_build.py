"""Turn Verilog into a program for Icarus Verilog's ``vvp``, once per design."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stillflow.sim.engine.base import EngineUnavailable
from stillflow.sim.engine.library import Progress, default_cache_dir

OLDEST_VERSION = 11  # the first with queues
_TESTBENCH = Path(__file__).with_name("testbench.v")
_TOP = "stillflow_testbench"
_FLAGS = ("-g2005-sv", "-s", _TOP)


def find_icarus() -> tuple[str, str]:
    """Find Icarus Verilog.

    Returns
    -------
    str, str
        The path of ``iverilog``, and its version.

    Raises
    ------
    EngineUnavailable
        If ``iverilog`` or ``vvp`` is missing, does not run or is too old.
    """
    missing = [name for name in ("iverilog", "vvp") if not shutil.which(name)]
    compiler = shutil.which("iverilog")
    if missing or compiler is None:
        raise EngineUnavailable(f"the icarus engine needs {' and '.join(missing)}")
    done = subprocess.run([compiler, "-V"], capture_output=True, text=True, check=False)
    match = re.search(r"Icarus Verilog version ((\d+)\S*)", done.stdout)
    if match is None:
        raise EngineUnavailable(f"the icarus engine cannot run {compiler}")
    if int(match[2]) < OLDEST_VERSION:
        raise EngineUnavailable(
            f"the icarus engine needs iverilog {OLDEST_VERSION} or later, not {match[1]}"
        )
    return compiler, match[1]


def compile_verilog(
    verilog_files: Iterable[str | Path],
    cache_dir: Path | None = None,
    *,
    axi_data_bits: int,
    progress: Progress | None = None,
) -> Path:
    """Compile module ``stillflow`` with the testbench for ``vvp``, or find it in the cache.

    Parameters
    ----------
    verilog_files : iterable of path
        Everything that is needed to elaborate.
    cache_dir : Path, optional
        Where programs are kept; by default `default_cache_dir`.
    axi_data_bits : int
        Width of the AXI4 port.
    progress : callable, optional
        Called with a line of text before a compilation; not called on a cache hit.

    Returns
    -------
    Path
        The program.

    Raises
    ------
    EngineUnavailable
        If Icarus Verilog is missing or fails.
    OSError
        If a file cannot be read, or the cache not be written: the message says where and why.
    """
    compiler, version = find_icarus()
    cache = (cache_dir or default_cache_dir()).absolute()
    sources = [_TESTBENCH, *(Path(path).resolve() for path in verilog_files)]
    flags = [*_FLAGS, f"-P{_TOP}.BEAT={axi_data_bits // 8}"]
    digest = hashlib.sha256(repr((version, flags)).encode())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    program = cache / f"{digest.hexdigest()[:24]}.vvp"
    if program.exists():
        return program
    if progress is not None:
        progress("compiling for Icarus Verilog")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as folder:
            made = Path(folder, "made.vvp")
            command = [compiler, *flags, "-o", str(made), *map(str, sources)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise EngineUnavailable(f"iverilog failed: {done.stderr.strip()[:2000]}")
            os.replace(made, program)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot build the simulator in {cache}: {reason}") from error
    return program

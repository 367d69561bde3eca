"""The 4-state engine: the accelerator's Verilog in Icarus Verilog, which tells what is X.

``testbench.v`` holds the DRAM and the host. The DRAM's content is a file that both sides see.
"""

import contextlib
import hashlib
import mmap
import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from stillflow.sim.engine.base import (
    CSR_TIMEOUT_CYCLES,
    RESET_CYCLES,
    DramTiming,
    Engine,
    EngineUnavailable,
    SimulationError,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.library import Progress, default_cache_dir
from stillflow.sim.engine.verilator import wave_format

OLDEST_VERSION = 11  # the first with queues
_TESTBENCH = Path(__file__).with_name("testbench.v")
_TOP = "stillflow_testbench"
_FLAGS = ("-g2005-sv", "-s", _TOP)
_ANSWER = "@stillflow"
_CLOSE_SECONDS = 60  # a long waveform takes a while to finish


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
    verilog_files: Iterable[str | Path], cache_dir: Path | None = None, *, axi_data_bits: int
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


class IcarusEngine(Engine):
    """The accelerator in a program made by `compile_verilog`.

    An X where it does harm is a `SimulationError` that names the signal: at the interrupt line, at a
    valid or ready that the core drives, in a request, in a byte that it writes, in a register that
    is read. Payloads that come without valid are X here, those of the other engines are not.

    Parameters
    ----------
    program : Path
        What `compile_verilog` gave.
    axi_data_bits : int
        The width that it was compiled for.
    timing : DramTiming
        The DRAM's timing.
    memory_bytes : int
        Size of the DRAM.
    stalls : Stalls, optional
        Let the memory stall at random.
    wave : path, optional
        Waveform to write, a ``.vcd`` or ``.fst``.

    Raises
    ------
    ValueError
        If the design has another width, or the waveform another suffix.
    EngineUnavailable
        If ``vvp`` is missing.
    OSError
        If the waveform's file cannot be written.
    """

    def __init__(
        self,
        program: Path,
        *,
        axi_data_bits: int,
        timing: DramTiming | None = None,
        memory_bytes: int = 64 << 20,
        stalls: Stalls | None = None,
        wave: str | Path | None = None,
    ) -> None:
        self._process: subprocess.Popen[str] | None = None
        super().__init__(
            axi_data_bits=axi_data_bits, timing=timing or DramTiming(), memory_bytes=memory_bytes
        )
        format_ = wave_format(wave)
        if wave is not None:
            Path(wave).open("wb").close()
        self._folder = tempfile.TemporaryDirectory(prefix="stillflow-")
        self._said: deque[str] = deque(maxlen=20)
        self._cycles, self._irq, self._message = 0, False, ""
        self._traffic = Traffic(0, 0, 0, 0, 0)
        file = Path(self._folder.name, "memory")
        with file.open("w+b") as opened:
            opened.truncate(memory_bytes)
            self.memory = np.frombuffer(mmap.mmap(opened.fileno(), memory_bytes), np.uint8)
        plusargs = {
            "memory": file,
            "bytes": memory_bytes,
            "latency": self.timing.latency,
            "rate": self.bytes_per_cycle,
        }
        if stalls is not None:
            plusargs["seed"] = stalls.seed % (1 << 64)
            plusargs |= zip(("ar", "aw", "w", "r", "b"), stalls.thresholds(), strict=True)
        if wave is not None:
            plusargs["wave"] = Path(wave).absolute()
        try:
            self._process = _start(program, format_, plusargs)
            self.reset()
            width = self._exchange("b")[1]
            if width != axi_data_bits:
                raise ValueError(
                    f"axi_data_bits must be {width} with this design, not {axi_data_bits!r}"
                )
        except BaseException:
            self.close()
            raise

    @classmethod
    def from_verilog(
        cls,
        verilog_files: Iterable[str | Path],
        *,
        axi_data_bits: int,
        cache_dir: Path | None = None,
        timing: DramTiming | None = None,
        memory_bytes: int = 64 << 20,
        stalls: Stalls | None = None,
        wave: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Compile the Verilog, or find the program in the cache, and start it."""
        if progress is not None:
            progress("compiling Verilog")
        return cls(
            compile_verilog(verilog_files, cache_dir, axi_data_bits=axi_data_bits),
            axi_data_bits=axi_data_bits,
            timing=timing,
            memory_bytes=memory_bytes,
            stalls=stalls,
            wave=wave,
        )

    @property
    def cycles(self) -> int:
        """Clock cycles since the start, the reset before them not counted."""
        return self._cycles

    @property
    def irq(self) -> bool:
        """The interrupt line as it was in the last cycle."""
        return self._irq

    @property
    def traffic(self) -> Traffic:
        """Counts taken at the AXI4 port."""
        return self._traffic

    def close(self) -> None:
        """Finish the waveform and end the simulator."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

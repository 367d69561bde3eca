"""The 4-state engine: the accelerator's Verilog in Icarus Verilog, which tells what is X.

``testbench.v`` holds the DRAM and the host. The DRAM's content is a file that both sides see.
"""

import contextlib
import mmap
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import numpy as np

from stillflow.sim.engine.base import (
    CSR_TIMEOUT_CYCLES,
    RESET_CYCLES,
    DramTiming,
    Engine,
    EngineUnavailable,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.icarus_build import compile_verilog
from stillflow.sim.engine.library import Progress
from stillflow.sim.engine.wave import check_whole, wave_format

_ANSWER = "@stillflow"
_CLOSE_SECONDS = 60  # a long waveform takes a while to finish


class IcarusEngine(Engine):
    """The accelerator in a program made by `compile_verilog`.

    An X where it does harm is a `SimulationError` that names the signal: at the interrupt line, at
    a valid or ready that the core drives, in a request, in a byte that it writes, in a register
    that is read. Memories start as X, and so do registers to which the Verilog gives no value.
    Payloads that come to the core without valid are X here, those of the other engines are not.

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
    SimulationError
        If the design stops at once.
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
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._wave = wave
        super().__init__(
            axi_data_bits=axi_data_bits, timing=timing or DramTiming(), memory_bytes=memory_bytes
        )
        format_ = wave_format(wave)
        self._folder = tempfile.TemporaryDirectory(prefix="stillflow-")
        self._said: deque[str] = deque(maxlen=20)
        self._cycles, self._irq, self._message, self._stopped = 0, False, "", False
        self._traffic = Traffic(0, 0, 0, 0, 0)
        file = Path(self._folder.name, "memory")
        with file.open("w+b") as opened:
            opened.truncate(memory_bytes)
            self.memory = np.frombuffer(mmap.mmap(opened.fileno(), memory_bytes), np.uint8)
        plusargs: dict[str, object] = {
            "memory": file,
            "bytes": memory_bytes,
            "latency": self.timing.latency,
            "rate": self.bytes_per_cycle,
        }
        if stalls is not None:
            plusargs["seed"] = stalls.seed % (1 << 64)
            plusargs |= zip(("ar", "aw", "w", "r", "b"), stalls.thresholds(), strict=True)
        if wave is not None:
            Path(wave).open("wb").close()
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
        program = compile_verilog(
            verilog_files, cache_dir, axi_data_bits=axi_data_bits, progress=progress
        )
        return cls(
            program,
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
        folder, self._folder = self._folder, None
        try:
            if process is not None:
                with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                    process.communicate("q\n", timeout=_CLOSE_SECONDS)
        finally:
            if process is not None:
                _kill(process)
            if folder is not None:
                folder.cleanup()
        wave, self._wave = self._wave, None
        if process is not None and wave is not None:
            check_whole(wave)

    def __del__(self) -> None:
        if getattr(self, "_folder", None) is not None:
            with contextlib.suppress(OSError):
                self.close()

    def _step(self, cycles: int) -> None:
        self._exchange("s", cycles)

    def _run_until_irq(self, max_cycles: int) -> int:
        return self._exchange("u", max_cycles)[0]

    def _csr(self, write: bool, offset: int, value: int) -> tuple[int, int]:
        response, read = self._exchange("w" if write else "r", offset, value, CSR_TIMEOUT_CYCLES)
        return response, 0 if write else read

    def _reset(self) -> None:
        self._exchange("z", RESET_CYCLES)

    def _inject(self, kind: int, channel: int, index: int) -> None:
        self._exchange("i", kind, channel, index)

    def _clear_faults(self) -> None:
        self._exchange("c")

    def _failure(self) -> str:
        return self._message

    # --------------------------------------------------------------------------------------------

    def _exchange(self, command: str, *numbers: int) -> tuple[int, int]:
        """Let the testbench obey: the result and the value that it answers."""
        process = self._process
        if process is None:
            raise ValueError("the engine is closed")
        if self._stopped:
            return -1, 0
        assert process.stdin is not None
        assert process.stdout is not None
        line = ""
        try:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(" ".join([command, *(f"{n:x}" for n in numbers)]) + "\n")
                process.stdin.flush()
            for line in process.stdout:
                if line.startswith(_ANSWER):
                    break
                self._said.append(line)
        except BaseException:  # Ctrl-C: what comes next would be the answer to this command
            self._process = None
            _kill(process)
            self.close()
            raise
        if not line.startswith(_ANSWER):
            self._stopped = True
            self._message = f"vvp ended: {''.join(self._said).strip() or 'it said nothing'}"
            return -1, 0
        _, result, value, cycles, irq, stopped, *counts, message = line.rstrip("\n").split(" ", 11)
        self._cycles, self._irq, self._stopped = int(cycles), irq == "1", stopped == "1"
        self._traffic = Traffic(*map(int, counts))
        self._message = self._where_stopped() if self._stopped else message
        return int(result), int(value)

    def _where_stopped(self) -> str:
        """Say where the design ended the simulation, as far as it is known."""
        match = re.search(r"^\w+: (.*):(\d+):", "".join(self._said), re.MULTILINE)
        where = f" in line {match[2]} of {match[1]}" if match else ""
        return f"the design stopped the simulation{where}"


def _start(
    program: Path, wave_format: str, plusargs: Mapping[str, object]
) -> subprocess.Popen[str]:
    """Start a program; Ctrl-C at the terminal does not reach it."""
    vvp = shutil.which("vvp")
    if vvp is None:
        raise EngineUnavailable("the icarus engine needs vvp")
    command = [vvp, "-n", str(program), *([f"-{wave_format}"] if wave_format else [])]
    return subprocess.Popen(
        [*command, *(f"+{name}={value}" for name, value in plusargs.items())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process, leaving nothing behind."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

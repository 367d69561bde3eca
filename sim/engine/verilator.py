"""The fast engine: the accelerator's Verilog, verilated, with the DRAM in C++ beside it."""

import ctypes
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self

from stillflow.sim.engine.base import (
    CSR_TIMEOUT_CYCLES,
    RESET_CYCLES,
    DramTiming,
    Engine,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.library import TRACES, Progress, build
from stillflow.sim.engine.wave import check_whole, refuse_wave, wave_format

__all__ = ["VerilatorEngine", "build"]

_U64, _U32, _U8, _I64 = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint8, ctypes.c_int64
_HANDLE, _TEXT = ctypes.c_void_p, ctypes.c_char_p
_FUNCTIONS = {
    "sf_open": (_HANDLE, [_HANDLE, _U64, _U64, _U64, _TEXT]),
    "sf_close": (ctypes.c_int, [_HANDLE]),
    "sf_wave_error": (ctypes.c_int, [_HANDLE]),
    "sf_trace": (_TEXT, []),
    "sf_axi_bytes": (_U32, []),
    "sf_set_stalls": (None, [_HANDLE, _U64, ctypes.POINTER(_U32)]),
    "sf_reset": (_I64, [_HANDLE, _U64]),
    "sf_step": (_I64, [_HANDLE, _U64]),
    "sf_run_until_irq": (_I64, [_HANDLE, _U64]),
    "sf_write_csr": (_I64, [_HANDLE, _U32, _U32, _U64]),
    "sf_read_csr": (_I64, [_HANDLE, _U32, ctypes.POINTER(_U32), _U64]),
    "sf_inject": (None, [_HANDLE, _U8, _U8, _U64]),
    "sf_clear_faults": (None, [_HANDLE]),
    "sf_cycles": (_U64, [_HANDLE]),
    "sf_irq": (ctypes.c_int, [_HANDLE]),
    "sf_traffic": (None, [_HANDLE, ctypes.POINTER(_U64)]),
    "sf_failure": (_TEXT, [_HANDLE]),
}


class VerilatorEngine(Engine):
    """The accelerator in a library made by `build`.

    Parameters
    ----------
    library : Path
        What `build` gave.
    axi_data_bits : int
        The width that it was built for.
    timing : DramTiming
        The DRAM's timing.
    memory_bytes : int
        Size of the DRAM.
    stalls : Stalls, optional
        Let the memory stall at random.
    wave : path, optional
        Waveform to write; the library must have been built for its format (`wave_format`).

    Raises
    ------
    ValueError
        If the library was built for another width or cannot write this waveform.
    OSError
        If the waveform's file cannot be written, now or later.
    """

    def __init__(
        self,
        library: Path,
        *,
        axi_data_bits: int,
        timing: DramTiming | None = None,
        memory_bytes: int = 64 << 20,
        stalls: Stalls | None = None,
        wave: str | Path | None = None,
    ) -> None:
        super().__init__(
            axi_data_bits=axi_data_bits, timing=timing or DramTiming(), memory_bytes=memory_bytes
        )
        self._handle: int | None = None
        self._wave = wave
        self._c = _load(library)
        built_for = 8 * self._c.sf_axi_bytes()
        if axi_data_bits != built_for:
            raise ValueError(
                f"axi_data_bits must be {built_for} with this library, not {axi_data_bits!r}"
            )
        trace = self._c.sf_trace().decode()
        if wave_format(wave, TRACES[1:]) not in ("", trace):
            raise ValueError(f"wave must suit a library for {trace or 'no'} waves, not {wave!r}")
        if wave is not None:
            Path(wave).open("wb").close()
        self._handle = self._c.sf_open(
            self.memory.ctypes.data,
            self.memory.size,
            self.timing.latency,
            self.bytes_per_cycle,
            None if wave is None else str(wave).encode(),
        )
        if stalls is not None:
            thresholds = (_U32 * 5)(*stalls.thresholds())
            self._c.sf_set_stalls(self._handle, stalls.seed % (1 << 64), thresholds)
        self.reset()

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
        quick: bool = False,
        progress: Progress | None = None,
    ) -> Self:
        """Build the library, or find it in the cache, and start it."""
        library = build(
            verilog_files,
            cache_dir,
            axi_data_bits=axi_data_bits,
            trace=wave_format(wave, TRACES[1:]),
            quick=quick,
            progress=progress,
        )
        return cls(
            library,
            axi_data_bits=axi_data_bits,
            timing=timing,
            memory_bytes=memory_bytes,
            stalls=stalls,
            wave=wave,
        )

    @property
    def cycles(self) -> int:
        """Clock cycles since the start, the reset before them not counted."""
        return self._c.sf_cycles(self._open())

    @property
    def irq(self) -> bool:
        """The interrupt line as it was in the last cycle."""
        return bool(self._c.sf_irq(self._open()))

    @property
    def traffic(self) -> Traffic:
        """Counts taken at the AXI4 port."""
        counts = (_U64 * 5)()
        self._c.sf_traffic(self._open(), counts)
        return Traffic(*counts)

    def close(self) -> None:
        """Finish the waveform and free the model."""
        handle, self._handle = self._handle, None
        if handle is not None:
            wave = self._wave
            self._refuse(self._c.sf_close(handle))
            if wave is not None and wave_format(wave, TRACES[1:]) == "saif":
                check_whole(wave)

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            with suppress(OSError):
                self.close()

    def _open(self) -> int:
        """Give the model's handle while there is one."""
        if self._handle is None:
            raise ValueError("the engine is closed")
        return self._handle

    def _step(self, cycles: int) -> None:
        self._c.sf_step(self._open(), cycles)

    def _run_until_irq(self, max_cycles: int) -> int:
        return self._c.sf_run_until_irq(self._open(), max_cycles)

    def _csr(self, write: bool, offset: int, value: int) -> tuple[int, int]:
        if write:
            handle = self._open()
            return self._c.sf_write_csr(handle, offset, value, CSR_TIMEOUT_CYCLES), 0
        read = _U32()
        response = self._c.sf_read_csr(self._open(), offset, ctypes.byref(read), CSR_TIMEOUT_CYCLES)
        return response, read.value

    def _reset(self) -> None:
        self._c.sf_reset(self._open(), RESET_CYCLES)

    def _inject(self, kind: int, channel: int, index: int) -> None:
        self._c.sf_inject(self._open(), kind, channel, index)

    def _clear_faults(self) -> None:
        self._c.sf_clear_faults(self._open())

    def _failure(self) -> str:
        return self._c.sf_failure(self._open()).decode()

    def _check(self) -> None:
        """Raise if the design failed, or the waveform."""
        self._refuse(self._c.sf_wave_error(self._open()))
        super()._check()

    def _refuse(self, code: int) -> None:
        """Raise, once, if the waveform could not be written."""
        wave, self._wave = self._wave, self._wave if not code else None
        if code and wave is not None:
            refuse_wave(wave, code)


@cache
def _load(library: Path) -> ctypes.CDLL:
    """Load a library and declare its functions."""
    loaded = ctypes.CDLL(str(library))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded

"""What every engine offers: registers, memory, clock, and faults on demand."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import numpy as np
import numpy.typing as npt

from stillflow.hw.csr import CSR_ADDRESS_BITS
from stillflow.sim.engine.settings import (
    DramTiming,
    EngineUnavailable,
    SimulationError,
    Stalls,
    Traffic,
    check_integer,
)

__all__ = [
    "CSR_TIMEOUT_CYCLES",
    "FAULT_CHANNELS",
    "FAULT_KINDS",
    "RESET_CYCLES",
    "DramTiming",
    "Engine",
    "EngineUnavailable",
    "SimulationError",
    "Stalls",
    "Traffic",
]

RESET_CYCLES = 4
CSR_TIMEOUT_CYCLES = 1_000
PAGE_BYTES = 4096
FAULT_KINDS = ("slverr", "decerr", "silent")
FAULT_CHANNELS = ("r", "w")
_CHUNK_CYCLES = 100_000  # between two looks at Ctrl-C and the progress callback


class Engine(ABC):
    """An accelerator in reset-fresh state, the DRAM at its AXI4 port and the host at its registers.

    Time stands still between calls. Use it as a context manager, or call `close`.

    Attributes
    ----------
    memory : ndarray of uint8, shape (memory_bytes,)
        The DRAM from address 0, writable. Accesses beyond it answer DECERR.
    axi_bytes : int
        Bytes of one beat.
    timing : DramTiming
        The DRAM's timing.

    Parameters
    ----------
    axi_data_bits : int
        Width of the AXI4 port: 32, 64, 128, 256 or 512.
    timing : DramTiming
        The DRAM's timing.
    memory_bytes : int
        Size of the DRAM, whole pages of 4 KiB up to 4 GiB. Untouched pages cost nothing.
    """

    def __init__(self, *, axi_data_bits: int, timing: DramTiming, memory_bytes: int) -> None:
        if axi_data_bits not in (32, 64, 128, 256, 512):
            raise ValueError(
                f"axi_data_bits must be one of 32, 64, 128, 256, 512, not {axi_data_bits!r}"
            )
        if memory_bytes % PAGE_BYTES or not PAGE_BYTES <= memory_bytes <= 1 << 32:
            raise ValueError(
                f"memory_bytes must be whole 4 KiB pages up to 4 GiB, not {memory_bytes!r}"
            )
        self.axi_bytes = axi_data_bits // 8
        self.timing = timing
        self.bytes_per_cycle = timing.bytes_per_cycle or self.axi_bytes
        self.memory: npt.NDArray[np.uint8] = np.zeros(memory_bytes, np.uint8)

    # -- what an engine implements ---------------------------------------------------------------

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Clock cycles since the start, the reset before them not counted."""

    @property
    @abstractmethod
    def irq(self) -> bool:
        """The interrupt line as it was in the last cycle."""

    @property
    @abstractmethod
    def traffic(self) -> Traffic:
        """Counts taken at the AXI4 port: the second witness for the hardware's counters."""

    @abstractmethod
    def close(self) -> None:
        """Finish the waveform and free the model. Twice is no error."""

    @abstractmethod
    def _step(self, cycles: int) -> None:
        """Run so many cycles, fewer if the design fails."""

    @abstractmethod
    def _run_until_irq(self, max_cycles: int) -> int:
        """Run until the interrupt line is high; give the cycles taken, or -1 at the limit."""

    @abstractmethod
    def _csr(self, write: bool, offset: int, value: int) -> tuple[int, int]:
        """Access a register: the AXI response, or -1 where none came, and the value read."""

    @abstractmethod
    def _reset(self) -> None:
        """Hold reset for ``RESET_CYCLES``; forget transfers in flight, faults and traffic."""

    @abstractmethod
    def _inject(self, kind: int, channel: int, index: int) -> None:
        """Add a fault: positions in ``FAULT_KINDS`` and ``FAULT_CHANNELS``."""

    @abstractmethod
    def _clear_faults(self) -> None:
        """Forget all faults."""

    @abstractmethod
    def _failure(self) -> str:
        """Say what the design did wrong; empty as long as it behaves."""

    # -- what the host does ----------------------------------------------------------------------

    def step(self, cycles: int = 1) -> None:
        """Run ``cycles`` clock cycles."""
        check_integer("cycles", cycles, 0)
        self._step(cycles)
        self._check()

    def wait_irq(self, max_cycles: int, *, progress: Callable[[int], None] | None = None) -> int:
        """Run until the interrupt line is high.

        Parameters
        ----------
        max_cycles : int
            Cycles to wait, at least 1.
        progress : callable, optional
            Called now and then with the cycles waited so far.

        Returns
        -------
        int
            Cycles waited, the one in which the line was seen high included.

        Raises
        ------
        TimeoutError
            If the line stayed low.
        SimulationError
            If the design fails.
        """
        check_integer("max_cycles", max_cycles, 1)
        waited = 0
        while waited < max_cycles:
            chunk = min(_CHUNK_CYCLES, max_cycles - waited)
            taken = self._run_until_irq(chunk)
            self._check()
            if taken >= 0:
                return waited + taken
            waited += chunk
            if progress is not None:
                progress(waited)
        raise TimeoutError(f"no interrupt within {max_cycles} cycles")

    def write_csr(self, offset: int, value: int) -> None:
        """Write a 32-bit register.

        Raises
        ------
        SimulationError
            If the core answers with an error or not at all.
        """
        if not 0 <= value < 1 << 32:
            raise ValueError(f"value must be an unsigned 32-bit number, not {value!r}")
        self._access(True, offset, value)

    def read_csr(self, offset: int) -> int:
        """Read a 32-bit register.

        Raises
        ------
        SimulationError
            If the core answers with an error or not at all.
        """
        return self._access(False, offset, 0)

    def read_memory(self, address: int, length: int) -> bytes:
        """Copy ``length`` bytes out of the DRAM."""
        self._check_range(address, length)
        return self.memory[address : address + length].tobytes()

    def write_memory(self, address: int, content: bytes | bytearray | memoryview) -> None:
        """Copy bytes into the DRAM."""
        words = np.frombuffer(content, np.uint8)
        self._check_range(address, words.size)
        self.memory[address : address + words.size] = words

    def reset(self) -> None:
        """Reset core and DRAM controller: transfers in flight, faults and traffic are forgotten.

        The memory's content and the cycle count stay.
        """
        self._reset()
        self._check()

    def inject(self, kind: str, channel: str, index: int) -> None:
        """Let the DRAM fail once.

        Parameters
        ----------
        kind : str
            ``"slverr"`` or ``"decerr"``: that response instead of OKAY. ``"silent"``: the channel
            falls silent there until `clear_faults`.
        channel : str
            ``"r"``: the ``index``-th R beat. ``"w"``: the B response of the ``index``-th write
            burst.
        index : int
            Counted from 0 at the start or the last reset, as in `traffic`.
        """
        for name, value, known in (
            ("kind", kind, FAULT_KINDS),
            ("channel", channel, FAULT_CHANNELS),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        check_integer("index", index, 0)
        self._inject(FAULT_KINDS.index(kind), FAULT_CHANNELS.index(channel), index)

    def clear_faults(self) -> None:
        """Forget all faults; a silent channel goes on."""
        self._clear_faults()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --------------------------------------------------------------------------------------------

    def _access(self, write: bool, offset: int, value: int) -> int:
        """Access a register and judge the answer."""
        if offset % 4 or not 0 <= offset < 1 << CSR_ADDRESS_BITS:
            raise ValueError(
                f"offset must be a multiple of 4 below {1 << CSR_ADDRESS_BITS:#x}, not {offset!r}"
            )
        response, read = self._csr(write, offset, value)
        self._check()
        verb = "write" if write else "read"
        if response < 0:
            raise SimulationError(
                f"no answer to a register {verb} at {offset:#05x} in {CSR_TIMEOUT_CYCLES} cycles"
            )
        if response:
            name = ("OKAY", "EXOKAY", "SLVERR", "DECERR")[response]
            raise SimulationError(f"register {verb} at {offset:#05x} answered {name}")
        return read

    def _check_range(self, address: int, length: int) -> None:
        """Raise unless the range lies in the DRAM."""
        if address < 0 or length < 0 or address + length > self.memory.size:
            raise ValueError(
                f"address must leave room for {length} bytes in the DRAM's {self.memory.size}, "
                f"not {address!r}"
            )

    def _check(self) -> None:
        """Raise if the design failed."""
        failure = self._failure()
        if failure:
            raise SimulationError(f"cycle {self.cycles}: {failure}")

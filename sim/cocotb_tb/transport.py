"""The host driver's way to the simulated accelerator."""

from collections.abc import Callable, Coroutine
from typing import Any

from cocotb.task import resume
from cocotbext.axi import AxiResp

JOB_CYCLES = 100_000  # longer than any job here, stalls included


class Transport:
    """What the host driver needs, for its thread beside the simulation.

    Parameters
    ----------
    read, write : coroutine functions
        Of an offset; of an offset and a value. They give the AXI response.
    wait_irq : coroutine function
        Of the most cycles to wait; it gives the cycles waited.
    content : bytearray
        The DRAM.
    """

    def __init__(
        self,
        *,
        read: Callable[[int], Coroutine[Any, Any, tuple[int, AxiResp]]],
        write: Callable[[int, int], Coroutine[Any, Any, AxiResp]],
        wait_irq: Callable[[int], Coroutine[Any, Any, int]],
        content: bytearray,
    ) -> None:
        self._read, self._write, self._wait = resume(read), resume(write), resume(wait_irq)
        self._content = content

    def write_csr(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""
        response = self._write(offset, value)
        assert response == AxiResp.OKAY, f"write to {offset:#x}: {response.name}"

    def read_csr(self, offset: int) -> int:
        """Read a 32-bit register."""
        value, response = self._read(offset)
        assert response == AxiResp.OKAY, f"read of {offset:#x}: {response.name}"
        return value

    def write_memory(self, address: int, content: bytes) -> None:
        """Copy bytes into DRAM."""
        self._content[address : address + len(content)] = content

    def read_memory(self, address: int, length: int) -> bytes:
        """Copy bytes out of DRAM."""
        return bytes(self._content[address : address + length])

    def wait_irq(self, max_cycles: int, *, progress: Callable[[int], None] | None = None) -> int:
        """Wait for the interrupt, at most `JOB_CYCLES`."""
        return self._wait(min(max_cycles, JOB_CYCLES))

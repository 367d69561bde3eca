"""The host driver's way to the simulated accelerator."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cocotb.task import resume
from cocotbext.axi import AxiResp

if TYPE_CHECKING:
    from stillflow.sim.cocotb_tb.bench import Bench


class Transport:
    """What the host driver needs, for its thread beside the simulation."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self._read, self._write = resume(bench.read), resume(bench.write)
        self._wait = resume(bench.wait_irq)

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
        self._bench.dram.content[address : address + len(content)] = content

    def read_memory(self, address: int, length: int) -> bytes:
        """Copy bytes out of DRAM."""
        return bytes(self._bench.dram.content[address : address + length])

    def wait_irq(self, max_cycles: int, *, progress: Callable[[int], None] | None = None) -> int:
        """Wait for the interrupt."""
        return self._wait(min(max_cycles, self._bench.job_cycles))

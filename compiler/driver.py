"""Host driver: loads a program, rings the doorbell, reads results and counters.

It needs registers, memory and a way to wait for the interrupt, nothing else: see `Transport`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.program import Program
from stillflow.compiler.tensors import from_signed, load_tensor, store_tensor, to_signed
from stillflow.hw.csr import COUNTER_BASE, ID_VALUE, OFFSETS, RECORD_BYTES, Counter, ErrorCode
from stillflow.hw.descriptor import BYTES

START, SOFT_RESET = 1, 2
BUSY = 1
DONE, FAILED = 1, 2


class Transport(Protocol):
    """A way to a device: simulated or on a board."""

    def write_csr(self, offset: int, value: int) -> None:
        """Write a 32-bit register."""
        ...

    def read_csr(self, offset: int) -> int:
        """Read a 32-bit register."""
        ...

    def write_memory(self, address: int, content: bytes) -> None:
        """Copy bytes into DRAM."""
        ...

    def read_memory(self, address: int, length: int) -> bytes:
        """Copy bytes out of DRAM."""
        ...

    def wait_irq(self, max_cycles: int, *, progress: Callable[[int], None] | None = None) -> int:
        """Wait for the interrupt."""
        ...


class DeviceError(RuntimeError):
    """The device reported an error, or is not a stillflow core of this configuration."""


@dataclass(frozen=True, kw_only=True)
class JobCounters:
    """Counters of a job.

    Parameters
    ----------
    layers : tuple[dict[Counter, int], ...]
        What each layer added to each counter; their sums are the totals, unless a counter passed
        `AcceleratorConfig.counter_bits` and started anew.
    total : dict[Counter, int]
        Counters at the interrupt.
    """

    layers: tuple[dict[Counter, int], ...]
    total: dict[Counter, int]


class Driver:
    """One device and the program that is loaded into it.

    Parameters
    ----------
    transport : Transport
        The way to the device.

    Raises
    ------
    DeviceError
        If there is no stillflow core.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        found = transport.read_csr(OFFSETS["ID"])
        if found != ID_VALUE:
            raise DeviceError(f"the ID register must read {ID_VALUE:#010x}, not {found:#010x}")

    def load(self, program: Program) -> None:
        """Copy descriptors and filter streams to DRAM.

        Raises
        ------
        DeviceError
            If the device's array is not the program's.
        """
        expected = program.config.rows | program.config.cols << 16
        found = self.transport.read_csr(OFFSETS["ARRAY"])
        if found != expected:
            raise DeviceError(
                f"the program is for a {program.config.rows}x{program.config.cols} array, "
                f"the device has {found & 0xFFFF}x{found >> 16}"
            )
        for address, content in program.segments.items():
            self.transport.write_memory(address, content)

    def write_tensor(self, program: Program, name: str, words: NDArray[np.integer]) -> None:
        """Copy a tensor [N, C, H, W] in its own dtype to DRAM."""
        layout, address = program.layouts[name], program.addresses[name]
        signed = to_signed(words)
        if layout.dense:
            self.transport.write_memory(address, store_tensor(signed, layout))
            return
        for number in range(layout.N):  # others lie between the images
            content = store_tensor(signed[number : number + 1], layout)
            self.transport.write_memory(address + number * layout.image_bytes, content)

    def read_tensor(self, program: Program, name: str) -> NDArray[np.integer]:
        """Copy a tensor [N, C, H, W] in its own dtype from DRAM."""
        layout = program.layouts[name]
        content = self.transport.read_memory(program.addresses[name], layout.bytes)
        return from_signed(load_tensor(content, layout), program.network.tensors[name].dtype)

    def run(
        self,
        program: Program,
        *,
        layers: range | None = None,
        max_cycles: int = 1 << 40,
        progress: Callable[[int], None] | None = None,
    ) -> JobCounters:
        """Run the loaded program, or some layers of it, once.

        Parameters
        ----------
        program : Program
            What is loaded.
        layers : range, optional
            Consecutive layers to run; by default all.
        max_cycles : int
            How long to wait.
        progress : callable, optional
            Called with the cycles so far.

        Raises
        ------
        DeviceError
            If the job ends with an error: its code and address.
        TimeoutError
            If no interrupt comes.
        """
        layers = range(len(program.layers)) if layers is None else layers
        if self.transport.read_csr(OFFSETS["STATUS"]) & BUSY:
            raise DeviceError("the device is busy with another job")
        write = self.transport.write_csr
        write(OFFSETS["PROGRAM_ADDRESS"], program.program_address + BYTES * layers.start)
        write(OFFSETS["PROGRAM_LENGTH"], len(layers))
        write(OFFSETS["RECORD_ADDRESS"], program.record_address)
        write(OFFSETS["IRQ_STATUS"], DONE | FAILED)
        write(OFFSETS["IRQ_ENABLE"], DONE | FAILED)
        write(OFFSETS["CONTROL"], START)
        self.transport.wait_irq(max_cycles, progress=progress)
        status = self.transport.read_csr(OFFSETS["IRQ_STATUS"])
        write(OFFSETS["IRQ_STATUS"], DONE | FAILED)
        if status & FAILED:
            code = ErrorCode(self.transport.read_csr(OFFSETS["ERROR_CODE"]))
            address = self.transport.read_csr(OFFSETS["ERROR_ADDRESS"])
            # A layer's record is written when it counts as completed.
            completed = min(self.transport.read_csr(OFFSETS["LAYER"]), len(layers) - 1)
            failed = program.layers[layers[completed]].layer.name
            raise DeviceError(f"layer {failed} failed: {code.name} at {address:#010x}")
        return self._counters(program, layers)

    def _counters(self, program: Program, layers: range) -> JobCounters:
        total = {}
        for counter in Counter:
            low = self.transport.read_csr(COUNTER_BASE + 8 * counter)
            high = self.transport.read_csr(COUNTER_BASE + 8 * counter + 4)
            total[counter] = high << 32 | low
        count = len(layers) + 1
        content = self.transport.read_memory(program.record_address, RECORD_BYTES * count)
        records = np.frombuffer(content, dtype="<u8").reshape(count, len(Counter)).astype(object)
        added = records[1:] - records[:-1]
        if layers.stop == len(program.layers):
            # What happens after the last completion belongs to the last layer.
            end = np.array([total[counter] for counter in Counter], dtype=object)
            added[-1] += end - records[-1]
        added %= 1 << program.config.counter_bits  # a counter may have started anew meanwhile
        per_layer = tuple({c: int(row[c]) for c in Counter} for row in added)
        return JobCounters(layers=per_layer, total=total)

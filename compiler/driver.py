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
MAX_CYCLES = 1 << 40  # how long a job may take


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
        """Copy a tensor [N, C, H, W] in its own dtype to DRAM, or through it to the chip."""
        layout, address = program.layouts[name], program.host_address(name)
        signed = to_signed(words)
        if layout.dense:
            self.transport.write_memory(address, store_tensor(signed, layout))
        else:  # others lie between the images
            for number in range(layout.N):
                content = store_tensor(signed[number : number + 1], layout)
                self.transport.write_memory(address + number * layout.image_bytes, content)
        self._copy(program, name, to_chip=True)

    def read_tensor(self, program: Program, name: str) -> NDArray[np.integer]:
        """Copy a tensor [N, C, H, W] in its own dtype from DRAM, or through it from the chip."""
        self._copy(program, name, to_chip=False)
        layout = program.layouts[name]
        content = self.transport.read_memory(program.host_address(name), layout.bytes)
        return from_signed(load_tensor(content, layout), program.network.tensors[name].dtype)

    def clear_tensor(self, program: Program, name: str) -> None:
        """Let a tensor, and what lies between its rows and images, be zero."""
        size = program.layouts[name].bytes
        self.transport.write_memory(program.host_address(name), bytes(size))
        self._copy(program, name, to_chip=True)

    def _copy(self, program: Program, name: str, *, to_chip: bool) -> None:
        """Let the device copy a tensor of the activation memory, whole, to or from DRAM."""
        if program.on_chip(name):
            index = program.copies[program.whole(name)] + to_chip
            self._start(program, range(index, index + 1))
            self._finish(lambda _: f"copy of {name}", MAX_CYCLES)

    def run(
        self,
        program: Program,
        *,
        layers: range | None = None,
        max_cycles: int = MAX_CYCLES,
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
        self._start(program, layers)
        self._finish(
            lambda done: f"layer {program.layers[layers[min(done, len(layers) - 1)]].layer.name}",
            max_cycles, progress,
        )  # fmt: skip
        return self._counters(program, layers)

    def _start(self, program: Program, descriptors: range) -> None:
        """Ring the doorbell for some descriptors."""
        if self.transport.read_csr(OFFSETS["STATUS"]) & BUSY:
            raise DeviceError("the device is busy with another job")
        write = self.transport.write_csr
        write(OFFSETS["PROGRAM_ADDRESS"], program.program_address + BYTES * descriptors.start)
        write(OFFSETS["PROGRAM_LENGTH"], len(descriptors))
        write(OFFSETS["RECORD_ADDRESS"], program.record_address)
        write(OFFSETS["IRQ_STATUS"], DONE | FAILED)
        write(OFFSETS["IRQ_ENABLE"], DONE | FAILED)
        write(OFFSETS["CONTROL"], START)

    def _finish(
        self,
        what: Callable[[int], str],
        max_cycles: int,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Wait for the interrupt; ``what`` names the job, or what it had done so many layers of."""
        self.transport.wait_irq(max_cycles, progress=progress)
        status = self.transport.read_csr(OFFSETS["IRQ_STATUS"])
        self.transport.write_csr(OFFSETS["IRQ_STATUS"], DONE | FAILED)
        if status & FAILED:
            code = ErrorCode(self.transport.read_csr(OFFSETS["ERROR_CODE"]))
            address = self.transport.read_csr(OFFSETS["ERROR_ADDRESS"])
            # A layer's record is written when it counts as completed.
            done = self.transport.read_csr(OFFSETS["LAYER"])
            raise DeviceError(f"{what(done)} failed: {code.name} at {address:#010x}")

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

"""The accelerator in its testbench: clock, host, DRAM, monitor, and whole jobs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.task import bridge
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from stillflow.compiler.driver import DONE, FAILED, SOFT_RESET, START, Driver, JobCounters
from stillflow.compiler.program import Program, compile_network
from stillflow.hw.csr import OFFSETS, RECORD_BYTES, Counter, ErrorCode
from stillflow.sim.cocotb_tb.memory import Dram, coin
from stillflow.sim.cocotb_tb.monitor import Monitor
from stillflow.sim.cocotb_tb.networks import Case
from stillflow.sim.cocotb_tb.settings import Settings
from stillflow.sim.cocotb_tb.transport import JOB_CYCLES, Transport
from stillflow.sim.golden.network import run_network

PERIOD_NS = 10
MEMORY_BYTES = 1 << 17
TIMEOUT_MS = 10  # of a test: a million cycles
ACCESS_CYCLES = 1_000  # longer than any register access


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A case, compiled, with what must come out.

    Parameters
    ----------
    case : Case
        Network and input.
    program : Program
        The same for this accelerator.
    golden : dict of str to intx[N, C, H, W]
        Words of every tensor.
    """

    case: Case
    program: Program
    golden: dict[str, np.ndarray]


class Bench:
    """Make it with `start`, inside a cocotb test.

    Attributes
    ----------
    dram : Dram
        Memory at the AXI4 port.
    monitor : Monitor
        Protocol checks and traffic.
    host : AxiLiteMaster
        At the registers.
    config : AcceleratorConfig
        The accelerator.
    seed : int
        Of this run.
    driver : Driver
        The host driver; it runs in a thread of its own.
    """

    monitor: Monitor
    driver: Driver

    def __init__(self, dut: Any) -> None:
        settings = Settings.load()
        self.config, self.seed = settings.config, settings.seed
        self.dut = dut
        self.dram = Dram(dut, size=MEMORY_BYTES, seed=self.seed)
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)

    @staticmethod
    async def start(dut: Any) -> "Bench":
        """Start the clock, reset the accelerator, connect host, memory and monitor."""
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, "ns").start()
        await ClockCycles(dut.clk, 2)
        bench = Bench(dut)
        await ClockCycles(dut.clk, 3)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        bench.monitor = Monitor(dut)
        transport = Transport(
            read=bench.read,
            write=bench.write,
            wait_irq=bench.wait_irq,
            content=bench.dram.content,
        )
        bench.driver = await bridge(Driver)(transport)
        return bench

    async def reset(self, cycles: int = 2) -> None:
        """Pull the reset line; transfers in flight are lost on both sides."""
        self.monitor.stop()
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, cycles)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)
        self.monitor = Monitor(self.dut)

    async def abandon(self) -> None:
        """Give up transfers that are not answered: soft reset here, a reset interconnect there."""
        self.monitor.stop()
        await self.write("CONTROL", SOFT_RESET)
        await self.cycles(10)
        self.dram.forget()
        self.monitor = Monitor(self.dut)

    def stall_host(self, seed: int, highest: float = 0.8) -> None:
        """Pause the channels of the AXI4-Lite master at random."""
        for side, names in (
            (self.host.write_if, ("aw", "w", "b")),
            (self.host.read_if, ("ar", "r")),
        ):
            for name in names:
                channel = getattr(side, f"{name}_channel")
                channel.set_pause_generator(coin(highest, f"host {name} {seed}"))

    # -- registers -------------------------------------------------------------------------------

    async def write(self, register: int | str, value: int) -> AxiResp:
        """Write a register by offset or name; return the response."""
        access = self.host.write(_offset(register), value.to_bytes(4, "little"))
        answer: Any = await with_timeout(access, ACCESS_CYCLES * PERIOD_NS, "ns")
        return AxiResp(answer.resp)

    async def read(self, register: int | str) -> tuple[int, AxiResp]:
        """Read a register by offset or name; return its value and the response."""
        access = self.host.read(_offset(register), 4)
        answer: Any = await with_timeout(access, ACCESS_CYCLES * PERIOD_NS, "ns")
        return int.from_bytes(answer.data, "little"), AxiResp(answer.resp)

    async def value(self, register: int | str) -> int:
        """Read a register that must answer OKAY."""
        value, response = await self.read(register)
        assert response == AxiResp.OKAY, f"read of {register}: {response.name}"
        return value

    async def cycles(self, count: int) -> None:
        """Let cycles pass."""
        await ClockCycles(self.dut.clk, count)

    async def wait_irq(self, max_cycles: int) -> int:
        """Wait for the interrupt line; return the cycles waited.

        Raises
        ------
        cocotb.triggers.SimTimeoutError
            If it stays low.
        """
        begin = get_sim_time("ns")
        if self.dut.irq.value != 1:
            await with_timeout(RisingEdge(self.dut.irq), max_cycles * PERIOD_NS, "ns")
            await RisingEdge(self.dut.clk)
        return int(get_sim_time("ns") - begin) // PERIOD_NS

    # -- jobs ------------------------------------------------------------------------------------

    def compile(self, case: Case, *, on_chip: bool = True) -> Job:
        """Compile a case for this accelerator and compute what must come out."""
        program = compile_network(case.network, self.config, on_chip=on_chip)
        assert program.size <= MEMORY_BYTES
        return Job(case=case, program=program, golden=run_network(case.network, case.inputs))

    async def load(self, job: Job) -> None:
        """Copy program and input to DRAM through the host driver."""
        await bridge(self.driver.load)(job.program)
        for name, words in job.case.inputs.items():
            self.driver.write_tensor(job.program, name, words)

    async def begin(self, job: Job) -> None:
        """Ring the doorbell of a loaded job and go on."""
        program = job.program
        await self.write("PROGRAM_ADDRESS", program.program_address)
        await self.write("PROGRAM_LENGTH", len(program.layers))
        await self.write("RECORD_ADDRESS", program.record_address)
        await self.write("IRQ_STATUS", DONE | FAILED)
        await self.write("IRQ_ENABLE", DONE | FAILED)
        await self.write("CONTROL", START)

    async def run(self, job: Job) -> JobCounters:
        """Load and run a job through the host driver, and check everything that it leaves.

        Raises
        ------
        AssertionError
            If a word of an ofmap differs from the golden model, DRAM changed elsewhere, the bus
            saw something else than the counters, or the protocol was broken.
        stillflow.compiler.driver.DeviceError
            If the job failed.
        """
        await self.load(job)
        self._spoil(job)
        before = bytes(self.dram.content)
        traffic = self.monitor.traffic
        start = traffic.read_beats, traffic.write_beats, traffic.empty_beats
        counters = await bridge(self.driver.run)(job.program)
        self.check_tensors(job)
        self._check_elsewhere(job, before)
        beat = self.config.axi_bytes
        total = counters.total
        assert [layer[Counter.LAYERS] for layer in counters.layers] == [1] * len(counters.layers)
        assert total[Counter.DRAM_READ_BYTES] == beat * (traffic.read_beats - start[0])
        assert total[Counter.DRAM_WRITE_BYTES] == beat * (traffic.write_beats - start[1])
        assert traffic.empty_beats == start[2], "a job without error wrote beats without strobes"
        assert await self.value("LAYER") == len(job.program.layers)
        self.monitor.check_quiet()
        return counters

    def check_tensors(self, job: Job) -> None:
        """Compare every ofmap word in DRAM with the golden model."""
        for name in _stored(job):
            found = self.driver.read_tensor(job.program, name)
            wrong = int((found != job.golden[name]).sum())
            assert not wrong, f"{job.case.network.name}: {wrong} of {found.size} words of {name}"

    async def fails(self, max_cycles: int = JOB_CYCLES) -> tuple[ErrorCode, int]:
        """Wait until the job under way fails; clear the interrupt; return code and address."""
        await self.wait_irq(max_cycles)
        assert await self.value("IRQ_STATUS") == FAILED
        status = await self.value("STATUS")
        assert status == 0b100, f"STATUS {status:#05b} after an error"
        code = ErrorCode(await self.value("ERROR_CODE"))
        address = await self.value("ERROR_ADDRESS")
        await self.write("IRQ_STATUS", FAILED)
        await ReadOnly()
        assert self.dut.irq.value == 0
        await RisingEdge(self.dut.clk)
        self.monitor.check_quiet()
        return code, address

    def _spoil(self, job: Job) -> None:
        """Overwrite what the job will write, so that nothing of an earlier job is left."""
        for start, stop in self._written(job):
            self.dram.content[start:stop] = bytes(0xA5 ^ i & 0xFF for i in range(stop - start))

    def _written(self, job: Job) -> list[tuple[int, int]]:
        """Address ranges that the job writes."""
        program = job.program
        records = program.record_address
        count = len(program.layers) + 1  # one before the first layer
        ranges = [(records, records + RECORD_BYTES * count)]
        for name in _stored(job):
            start = program.addresses[name]
            ranges.append((start, start + program.layouts[name].bytes))
        return ranges

    def _check_elsewhere(self, job: Job, before: bytes) -> None:
        after, expected = bytes(self.dram.content), bytearray(before)
        for start, stop in self._written(job):
            expected[start:stop] = after[start:stop]
        if after != expected:
            first = next(i for i, word in enumerate(after) if word != expected[i])
            raise AssertionError(f"DRAM changed outside ofmaps and records, first at {first:#x}")


def _stored(job: Job) -> list[str]:
    """Ofmaps that go to DRAM."""
    ofmaps = (layer.ofmap for layer in job.program.network.layers)
    return [name for name in ofmaps if not job.program.on_chip(name)]


def _offset(register: int | str) -> int:
    return OFFSETS[register] if isinstance(register, str) else register

"""cocotb tests of whole jobs that end well."""

from typing import Any

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from stillflow.compiler.driver import DONE, START
from stillflow.hw.csr import RECORD_BYTES
from stillflow.sim.cocotb_tb.bench import TIMEOUT_MS, Bench
from stillflow.sim.cocotb_tb.memory import RHYTHMS
from stillflow.sim.cocotb_tb.networks import make_case
from stillflow.sim.cocotb_tb.transport import JOB_CYCLES


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(network=["conv", "chain", "odd"])
async def ofmaps_match_the_golden_model(dut: Any, network: str) -> None:
    """Every word, twice from the same accelerator, and the same counts."""
    bench = await Bench.start(dut)
    job = bench.compile(make_case(network, seed=bench.seed))
    first = await bench.run(job)
    second = await bench.run(job)
    assert first.total == second.total


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(network=["conv", "chain", "odd"], turn=[0, 1])
async def ofmaps_match_under_random_stalls(dut: Any, network: str, turn: int) -> None:
    """Give the same bits, whatever the memory's and the host's timing."""
    await stalled(dut, network, turn, highest=0.95)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(network=["chain", "odd"], rhythm=list(RHYTHMS))
async def ofmaps_match_in_any_rhythm(dut: Any, network: str, rhythm: str) -> None:
    """Give the same bits when channels move in single cycles, or are silent for long."""
    bench = await Bench.start(dut)
    bench.dram.stall_in(rhythm, bench.seed)
    await bench.run(bench.compile(make_case(network, seed=bench.seed)))


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def one_layer_under_stalls(dut: Any) -> None:
    """Run the shortest complete job, for slow simulators."""
    await stalled(dut, "conv", 0, highest=0.5)


async def stalled(dut: Any, network: str, turn: int, *, highest: float) -> None:
    """Run a network with stalls and compare."""
    bench = await Bench.start(dut)
    seed = 1000 * bench.seed + turn
    rates = bench.dram.stall(seed, highest)
    bench.stall_host(seed)
    dut._log.info("stalls %s", rates)
    job = bench.compile(make_case(network, seed=bench.seed))
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def start_while_busy_is_ignored(dut: Any) -> None:
    """Even with other registers: the job under way keeps what it started with."""
    bench = await Bench.start(dut)
    job = bench.compile(make_case("chain", seed=bench.seed))
    await bench.load(job)
    await bench.begin(job)
    await bench.write("PROGRAM_ADDRESS", 0x40)
    await bench.write("PROGRAM_LENGTH", 9)
    await bench.write("RECORD_ADDRESS", 0x100)
    for _ in range(5):
        assert await bench.value("STATUS") == 0b001
        await bench.write("CONTROL", START)
        await bench.cycles(97)
    await bench.wait_irq(JOB_CYCLES)
    assert await bench.value("STATUS") == 0b010
    assert await bench.value("LAYER") == len(job.program.layers)
    bench.check_tensors(job)
    bench.monitor.check_quiet()


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def interrupt_is_a_level_that_the_host_enables_and_clears(dut: Any) -> None:
    """Done is kept while the interrupt is off, and shows when it is enabled."""
    bench = await Bench.start(dut)
    job = bench.compile(make_case("conv", seed=bench.seed))
    await bench.load(job)
    await bench.begin(job)
    await bench.write("IRQ_ENABLE", 0)
    while await bench.value("STATUS") & 1:
        assert dut.irq.value == 0
    assert (await bench.value("STATUS"), await bench.value("IRQ_STATUS")) == (0b010, DONE)
    for enable, line in ((0, 0), (0b10, 0), (0b01, 1), (0b00, 0), (0b11, 1)):
        await bench.write("IRQ_ENABLE", enable)
        await ReadOnly()
        assert dut.irq.value == line
        await RisingEdge(dut.clk)
    await bench.write("IRQ_STATUS", 0b10)  # ones clear, zeros do not
    assert await bench.value("IRQ_STATUS") == DONE
    await bench.write("IRQ_STATUS", 0b01)
    assert (await bench.value("IRQ_STATUS"), dut.irq.value) == (0, 0)
    assert await bench.value("STATUS") == 0b010
    bench.check_tensors(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def job_without_a_record_address_writes_no_records(dut: Any) -> None:
    """RECORD_ADDRESS 0 is off."""
    bench = await Bench.start(dut)
    job = bench.compile(make_case("conv", seed=bench.seed))
    await bench.load(job)
    await bench.begin(job)
    before = bytes(bench.dram.content[: job.program.record_address + 4096])
    await bench.wait_irq(JOB_CYCLES)
    with_records = bench.monitor.traffic.write_beats
    assert before != bench.dram.content[: len(before)]

    await bench.write("IRQ_STATUS", DONE)
    await bench.write("RECORD_ADDRESS", 0)
    before = bytes(bench.dram.content[: len(before)])
    await bench.write("CONTROL", START)
    await bench.wait_irq(JOB_CYCLES)
    assert before == bench.dram.content[: len(before)]
    beats = 2 * RECORD_BYTES // bench.config.axi_bytes  # before and after the layer
    assert bench.monitor.traffic.write_beats == 2 * with_records - beats
    bench.check_tensors(job)
    bench.monitor.check_quiet()

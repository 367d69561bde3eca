"""cocotb tests of jobs that fail, and of the job that follows."""

import random
from typing import Any

import cocotb
from cocotbext.axi import AxiResp

from stillflow.compiler.driver import DONE, FAILED, SOFT_RESET, START
from stillflow.compiler.lower import pack
from stillflow.hw.control.job import DRAIN_CYCLES
from stillflow.hw.csr import RECORD_BYTES, Counter, ErrorCode
from stillflow.hw.descriptor import BYTES, Op
from stillflow.sim.cocotb_tb.bench import MEMORY_BYTES, TIMEOUT_MS, Bench, Job
from stillflow.sim.cocotb_tb.memory import CHANNELS, Fault, coin
from stillflow.sim.cocotb_tb.networks import make_case
from stillflow.sim.cocotb_tb.transport import JOB_CYCLES


async def begin_bench(dut: Any, network: str = "chain", *, stalls: int = 0) -> tuple[Bench, Job]:
    """Start a bench, with seeded stalls unless 0, and compile a network; all of it in DRAM."""
    bench = await Bench.start(dut)
    if stalls:
        bench.dram.stall(1000 * bench.seed + stalls, highest=0.8)
    return bench, bench.compile(make_case(network, seed=bench.seed), on_chip=False)


def read_targets(job: Job) -> dict[str, tuple[int, int]]:
    """Ranges that a job reads: first byte, last byte."""
    program = job.program
    ifmap = program.layouts["t2"]
    filters = program.layers[0].descriptor["filter_address"]
    return {
        "first_program": (program.program_address, program.program_address + BYTES - 1),
        "last_program": (
            program.program_address + BYTES * (len(program.layers) - 1),
            program.program_address + BYTES * len(program.layers) - 1,
        ),
        "filters": (filters, filters + len(program.segments[filters]) - 1),
        "ifmap": (program.addresses["t2"], program.addresses["t2"] + ifmap.bytes - 1),
    }


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(where=["first_program", "last_program", "filters", "ifmap"], stalls=[0, 1])
async def read_errors_stop_the_job(dut: Any, where: str, stalls: int) -> None:
    """Code and address of the beat, interrupt; without the fault the next job is exact."""
    bench, job = await begin_bench(dut, stalls=stalls)
    first, last = read_targets(job)[where]
    beat = bench.config.axi_bytes
    draw = random.Random(f"{bench.seed} {where} {stalls}")
    for place in (first, draw.randint(first, last), last):
        response = draw.choice([AxiResp.SLVERR, AxiResp.DECERR])
        bench.dram.faults = [Fault(kind="read", start=place, stop=place + 1, response=response)]
        await bench.load(job)
        await bench.begin(job)
        found = await bench.fails()
        assert found == (ErrorCode[f"READ_{response.name}"], place // beat * beat), (
            f"{place:#x}: {found}"
        )
        bench.dram.faults = []
        await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(where=["t1", "t3", "first_record", "last_record"], stalls=[0, 1])
async def write_errors_stop_the_job(dut: Any, where: str, stalls: int) -> None:
    """Code and address of the burst, interrupt; without the fault the next job is exact."""
    bench, job = await begin_bench(dut, stalls=stalls)
    program = job.program
    if where in program.addresses:
        first = program.addresses[where]
        last = first + program.layouts[where].bytes - 1
    else:
        first = program.record_address
        first += RECORD_BYTES * len(program.layers) if where == "last_record" else 0
        last = first + RECORD_BYTES - 1
    reach = bench.config.max_burst_beats * bench.config.axi_bytes
    draw = random.Random(f"{bench.seed} {where} {stalls}")
    for place in (first, draw.randint(first, last), last):
        response = draw.choice([AxiResp.SLVERR, AxiResp.DECERR])
        bench.dram.faults = [Fault(kind="write", start=place, stop=place + 1, response=response)]
        await bench.load(job)
        await bench.begin(job)
        code, address = await bench.fails()
        assert code == ErrorCode[f"WRITE_{response.name}"]
        assert address <= place < address + reach, f"{place:#x} is not in a burst at {address:#x}"
        bench.dram.faults = []
        await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(stalls=[0, 1])
async def flipped_descriptor_bit_is_found(dut: Any, stalls: int) -> None:
    """In any layer, anywhere: the layers before are done, the rest is not begun."""
    bench, job = await begin_bench(dut, stalls=stalls)
    program = job.program
    draw = random.Random(f"{bench.seed} {stalls}")
    for _ in range(8):
        await bench.load(job)
        layer, bit = draw.randrange(len(program.layers)), draw.randrange(8 * BYTES)
        address = program.program_address + BYTES * layer
        bench.dram.content[address + bit // 8] ^= 1 << bit % 8
        await bench.begin(job)
        found = await bench.fails()
        assert found == (ErrorCode.DESCRIPTOR, address), f"bit {bit} of layer {layer}: {found}"
        assert await bench.value("LAYER") == layer
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def impossible_fields_are_found(dut: Any) -> None:
    """Refuse what the sequencers could not run, also with the right checksum."""
    bench, job = await begin_bench(dut, "conv")
    program = job.program
    fields = program.layers[0].descriptor
    for name, value in (
        ("magic", fields["magic"] ^ 1),
        ("op", max(Op) + 1),
        ("tile_pixels", 0),
        ("tile_pixels", bench.config.ofmap_depth + 1),
        ("slots", 0),
        ("pool_r", 1),
        *([] if bench.config.pools else [("pool_s", 1)]),
    ):
        await bench.load(job)
        start = program.program_address
        bench.dram.content[start : start + BYTES] = pack(fields | {name: value})
        await bench.begin(job)
        found = await bench.fails()
        assert found == (ErrorCode.DESCRIPTOR, start), f"{name} {value}: {found}"
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def impossible_programs_are_refused(dut: Any) -> None:
    """Nothing is read or written, and the address is reported."""
    bench, job = await begin_bench(dut, "conv")
    await bench.load(job)
    await bench.begin(job)
    await bench.wait_irq(JOB_CYCLES)
    bursts = bench.monitor.traffic.bursts
    for address, length in ((0x20, 1), (0x1, 1), (0x0, 0), (MEMORY_BYTES + 4, 2), (0x40, 0)):
        await bench.write("IRQ_STATUS", DONE)
        await bench.write("PROGRAM_ADDRESS", address)
        await bench.write("PROGRAM_LENGTH", length)
        await bench.write("CONTROL", START)
        found = await bench.fails(100)
        assert found == (ErrorCode.PROGRAM, address), f"{address:#x}, {length}: {found}"
        assert bench.monitor.traffic.bursts == bursts
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def program_outside_the_memory_is_a_read_error(dut: Any) -> None:
    """Report the memory's answer, and the address that it refused."""
    bench, job = await begin_bench(dut, "conv")
    for address in (MEMORY_BYTES, 0xFFFF_FFC0):
        await bench.begin(job)
        await bench.wait_irq(JOB_CYCLES)
        await bench.write("IRQ_STATUS", DONE | FAILED)
        await bench.write("PROGRAM_ADDRESS", address)
        await bench.write("CONTROL", START)
        assert await bench.fails() == (ErrorCode.READ_DECERR, address)
    await bench.run(job)


async def wake_watchdog(bench: Bench, job: Job, channels: str, seed: str) -> None:
    """Begin a job and silence the memory somewhere in its first half."""
    names = CHANNELS if channels == "all" else (channels,)
    length = (await bench.run(job)).total[Counter.CYCLES]
    await bench.write("WATCHDOG", 500)
    await bench.load(job)
    await bench.begin(job)
    await bench.cycles(random.Random(seed).randrange(1, length // 2))
    bench.dram.silence(names)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(channels=["all", *CHANNELS], turn=[0, 1])
async def silent_memory_wakes_the_watchdog(dut: Any, channels: str, turn: int) -> None:
    """Transfers under way are waited for; then comes the error, and the next job is exact."""
    bench, job = await begin_bench(dut)
    await wake_watchdog(bench, job, channels, f"{bench.seed} {channels} {turn}")
    await bench.cycles(2500)
    assert await bench.value("STATUS") == 0b001
    bench.dram.resume()
    code, address = await bench.fails()
    layer = await bench.value("LAYER")
    assert (code, address) == (
        ErrorCode.WATCHDOG,
        job.program.program_address + BYTES * layer,
    )
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(channels=["all", "r", "aw"], lost=[False, True])
async def memory_silent_for_long_is_reported(dut: Any, channels: str, lost: bool) -> None:
    """Stay busy until the answers come, or a soft reset forgets them."""
    bench, job = await begin_bench(dut)
    await wake_watchdog(bench, job, channels, f"{bench.seed} {channels}")
    await bench.wait_irq(DRAIN_CYCLES + 5000)
    assert await bench.value("STATUS") == 0b101
    assert await bench.value("ERROR_CODE") == ErrorCode.WATCHDOG
    await bench.write("IRQ_STATUS", FAILED)
    bench.monitor.check()
    if lost:
        await bench.abandon()
    bench.dram.resume()
    while await bench.value("STATUS") & 1:
        assert not lost
    assert await bench.value("IRQ_STATUS") == 0
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(stalls=[0, 1, 2])
async def soft_reset_ends_a_job_anywhere(dut: Any, stalls: int) -> None:
    """No interrupt, every register as after reset, no transfer left; the next job is exact."""
    bench, job = await begin_bench(dut, stalls=stalls)
    draw = random.Random(f"{bench.seed} {stalls}")
    for _ in range(12):
        await bench.load(job)
        await bench.begin(job)
        await bench.cycles(draw.choice([0, 1, 2, 3, draw.randrange(200), draw.randrange(3000)]))
        await bench.write("CONTROL", SOFT_RESET)
        while (status := await bench.value("STATUS")) & 1:
            assert dut.irq.value == 0
        assert (status, await bench.value("IRQ_STATUS")) == (0, 0)
        for name in ("IRQ_ENABLE", "PROGRAM_ADDRESS", "PROGRAM_LENGTH", "ERROR_CODE", "LAYER"):
            assert await bench.value(name) == 0, f"{name} after soft reset"
        bench.monitor.check_quiet()
        if draw.random() < 0.5:
            await bench.run(job)
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def soft_reset_leaves_waiting_write_data_alone(dut: Any) -> None:
    """Hold what was offered while the memory is slow to take write data."""
    bench, job = await begin_bench(dut, "conv")
    bench.dram.channels["w"].set_pause_generator(coin(0.6, f"w {bench.seed}"))
    draw = random.Random(bench.seed)
    for _ in range(120):
        await bench.load(job)
        await bench.begin(job)
        await bench.cycles(draw.randrange(500))
        await bench.write("CONTROL", SOFT_RESET)
        while await bench.value("STATUS") & 1:
            pass
        bench.monitor.check_quiet()
    await bench.run(job)


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def reset_line_ends_a_job_anywhere(dut: Any) -> None:
    """Leave nothing behind: the next job is exact."""
    bench, job = await begin_bench(dut)
    draw = random.Random(bench.seed)
    for _ in range(6):
        await bench.load(job)
        await bench.begin(job)
        await bench.cycles(draw.randrange(2500))
        await bench.reset(draw.choice([1, 2, 5]))
        assert await bench.value("STATUS") == 0
        await bench.run(job)

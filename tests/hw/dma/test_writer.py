"""Write engine between the ofmap buffer and a memory that stalls."""

from collections import deque
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import RECORD_BYTES, Counter, ErrorCode
from stillflow.hw.dma.writer import Writer
from stillflow.hw.timing import COUNTER_ROUND
from stillflow.sim import bench
from tests.hw.dma.memories import WriteMemory


def config_of(rows, cols, glb_kib, axi_data_bits, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits, requant_lanes=1, **keys
    )


CONFIGS = {
    "beats of one channel block": config_of(4, 4, 1, 32, max_burst_beats=4),
    "beats of four channel blocks": config_of(4, 4, 2, 128, max_burst_beats=8),
    "beats of 64 channel blocks": config_of(1, 1, 4, 512, max_burst_beats=3),
    "four beats a channel block": config_of(16, 16, 4, 32, max_burst_beats=16),
    "seven channel blocks an entry": config_of(12, 14, 8, 64, max_burst_beats=5),
    "an activation memory": config_of(4, 8, 4, 64, max_burst_beats=4, activation_kib=8),
    "an activation memory of 16 bits": config_of(
        4, 8, 4, 64, act_bits=16, acc_bits=48, activation_kib=8
    ),
    "16 bits, two beats a channel block": config_of(4, 8, 4, 32, act_bits=16, acc_bits=48),
}


def draw_runs(random, config):
    """Draw runs and records that do not meet in memory, in the order they are offered."""
    unit = config.channel_block * config.act_bytes
    atom = min(unit, config.axi_bytes)
    jobs, address = [], random.randrange(0, 8192, atom)
    local = config.activation_base + random.randrange(0, 1024, atom)
    for _ in range(random.randint(1, 9)):
        if random.random() < 0.2:
            address = -(-address // RECORD_BYTES) * RECORD_BYTES
            jobs.append({"record": address})
            address += RECORD_BYTES
            continue
        pixels = random.choice([1, 2, 3, random.randint(1, min(40, config.ofmap_depth))])
        run = {
            "address": address,
            "pixels": pixels,
            "entry": random.randrange(config.ofmap_depth),
            "unit": random.randrange(config.block_units),
            "release": random.random() < 0.5,
        }
        jobs.append({"run": run})
        if config.activation_kib and random.random() < 0.5:
            run["address"] = local
            local += pixels * unit + random.randrange(0, 60, atom)
            continue
        address += pixels * unit + random.choice([0, 0, atom, 4096, random.randrange(0, 600, atom)])
    return jobs


def shower(ctx, dut, counters):
    """Return what shows the counters in rounds, as it is called in each cycle."""
    cycles = count()

    def show():
        turn, last = divmod(next(cycles) % COUNTER_ROUND, 2)
        ctx.set(dut.i_counter, {"counter": turn, "value": counters[turn], "last": last})

    return show


def write_job(job, config, entries, counters, memory):
    """Write what a job must write, byte by byte."""
    if "record" in job:
        for counter, value in enumerate(counters):
            for byte, word in enumerate(value.to_bytes(8, "little")):
                memory[job["record"] + 8 * counter + byte] = word
        return
    run = job["run"]
    unit = config.channel_block * config.act_bytes
    for pixel in range(run["pixels"]):
        entry = entries[(run["entry"] + pixel) % config.ofmap_depth]
        vector = entry.to_bytes(config.m_block * config.act_bytes, "little")
        for byte in range(unit):
            place = run["address"] + pixel * unit + byte
            memory[place] = vector[run["unit"] * unit + byte]


def run_writer(config, random, fails_at=None, response=2):
    """Write runs and records; with ``fails_at`` the memory refuses that burst."""
    dut = Writer(config)
    jobs = draw_runs(random, config)
    entries = [random.getrandbits(8 * config.m_block * config.act_bytes)
               for _ in range(config.ofmap_depth)]  # fmt: skip
    counters = [random.getrandbits(config.counter_bits) for _ in Counter]
    wanted = {}
    send_rate = random.choice([0.2, 1])

    async def drive(ctx):
        ctx.set(dut.i_ring, config.ofmap_depth)
        memory = WriteMemory(dut, ctx, random)
        show = shower(ctx, dut, counters)
        assert ctx.get(dut.o_idle)
        waiting, offered = deque(jobs), False
        answered = freed = spilled = 0
        while waiting or not ctx.get(dut.o_idle):
            show()
            fails = answered == fails_at
            memory.drive(response if fails else random.choice([0, 1]))
            offered = offered or (bool(waiting) and random.random() < send_rate)
            job = waiting[0] if offered else {}
            ctx.set(dut.i_run.valid, "run" in job)
            ctx.set(dut.i_record.valid, "record" in job)
            if "run" in job:
                ctx.set(dut.i_run.payload, job["run"])
            if "record" in job:
                ctx.set(dut.i_record.payload, job["record"])
            assert not (ctx.get(dut.o_idle) and memory.open())
            failed = memory.answering and fails
            assert ctx.get(dut.o_error) == failed
            if failed:
                codes = {2: ErrorCode.WRITE_SLVERR, 3: ErrorCode.WRITE_DECERR}
                assert ctx.get(dut.o_error_code) == codes[response]
                assert ctx.get(dut.o_error_address) == memory.answers[0]
            answered += memory.answering
            memory.sample()
            sample_local(ctx, dut, memory.bytes)
            port = dut.i_record if "record" in job else dut.i_run
            if offered and ctx.get(port.ready):
                write_job(waiting.popleft(), config, entries, counters, wanted)
                offered = False
            freed += ctx.get(dut.o_freed)
            spilled += ctx.get(dut.o_spill)
            reads, entry = ctx.get(dut.o_read_en), ctx.get(dut.o_read_entry)
            await ctx.tick()
            if reads:
                ctx.set(dut.i_vector, entries[entry])
            if failed:
                await drain(ctx, dut, memory, random)
                assert memory.bytes.items() <= wanted.items()
                return
        assert memory.bytes == wanted
        runs = [job["run"] for job in jobs if "run" in job]
        assert spilled == sum(run["pixels"] for run in runs)
        assert freed == sum(run["pixels"] for run in runs if run["release"])

    bench.run(dut, drive, cycles=30_000)


def sample_local(ctx, dut, memory):
    """Keep what goes to the activation memory in this cycle."""
    config = dut.config
    mask = ctx.get(dut.o_local_mask) if config.activation_kib else 0
    content = ctx.get(dut.o_local_data).to_bytes(config.axi_bytes, "little") if mask else b""
    for byte in range(len(content)):
        if mask >> byte // config.act_bytes & 1:
            line = ctx.get(dut.o_local_line)
            memory[config.activation_base + line * config.axi_bytes + byte] = content[byte]


async def drain(ctx, dut, memory, random):
    """Abort: no new address, bursts end without a byte, then the engine is idle."""
    ctx.set(dut.i_abort, 1)
    ctx.set(dut.i_run.valid, random.random() < 0.5)
    memory.silent = True
    for cycle in range(2000):
        memory.drive(random.choice([0, 2]))
        asked, may_ask = len(memory.addresses), "aw" in memory.held
        assert not (dut.config.activation_kib and ctx.get(dut.o_local_mask))
        assert not ctx.get(dut.o_error)
        assert not (ctx.get(dut.o_idle) and memory.open())
        memory.sample()
        assert len(memory.addresses) <= asked + may_ask
        await ctx.tick()
        if cycle > 2 and not memory.open() and not memory.held:
            break
    memory.drive()
    await ctx.tick()
    assert ctx.get(dut.o_idle)


randoms = st.randoms(use_true_random=True)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@settings(max_examples=8)
@given(random=randoms)
def test_runs_and_records_reach_memory_at_any_alignment(config, random):
    run_writer(config, random)


@settings(max_examples=40)
@given(
    config=st.sampled_from(list(CONFIGS.values())),
    random=randoms,
    burst=st.integers(0, 12),
    response=st.sampled_from([2, 3]),
)
def test_a_refused_burst_is_reported_and_the_rest_ends_silently(config, random, burst, response):
    run_writer(config, random, burst, response)


def test_a_record_goes_before_a_run():
    config = CONFIGS["beats of one channel block"]
    dut = Writer(config)

    async def drive(ctx):
        ctx.set(dut.i_ring, config.ofmap_depth)
        ctx.set(dut.i_run.valid, 1)
        ctx.set(dut.i_run.p.pixels, 1)
        ctx.set(dut.i_record.valid, 1)
        assert ctx.get(dut.i_record.ready)
        assert not ctx.get(dut.i_run.ready)
        await ctx.tick()

    bench.run(dut, drive)


@pytest.mark.parametrize("name", ["beats of one channel block", "four beats a channel block"])
def test_a_beat_leaves_every_cycle_when_the_memory_is_ready(name):
    config = CONFIGS[name]
    dut = Writer(config)
    unit = config.channel_block * config.act_bytes
    pixels = config.max_burst_beats * config.axi_bytes // unit
    runs = [
        {"address": 0x1000 * i, "pixels": pixels, "entry": 0, "unit": 0, "release": 1}
        for i in range(4)
    ]
    beats, cycles = [], [0]

    async def send(ctx):
        await bench.put_all(ctx, dut.i_run, runs)

    async def memory(ctx):
        ctx.set(dut.aw_ready, 1)
        ctx.set(dut.w_ready, 1)
        while len(beats) < 4 * config.max_burst_beats:
            if ctx.get(dut.w_valid):
                beats.append(cycles[0])
            answer = ctx.get(dut.w_valid) and ctx.get(dut.w_last)
            await ctx.tick()
            ctx.set(dut.b_valid, answer)
            cycles[0] += 1

    bench.run(dut, send, memory)
    assert beats == list(range(beats[0], beats[0] + len(beats)))


def test_a_beat_behind_the_activation_memory_is_an_error():
    config = CONFIGS["an activation memory"]
    dut = Writer(config)
    end = config.activation_base + 8 * 1024
    run = {"address": end - 8, "pixels": 4, "entry": 0, "unit": 0, "release": 1}
    lines, errors = [], []

    async def drive(ctx):
        ctx.set(dut.i_ring, config.ofmap_depth)
        ctx.set(dut.i_run.payload, run)
        ctx.set(dut.i_run.valid, 1)
        await ctx.tick()
        ctx.set(dut.i_run.valid, 0)
        for _ in range(30):
            if ctx.get(dut.o_local_mask):
                lines.append(ctx.get(dut.o_local_line))
            if ctx.get(dut.o_error):
                code, address = ctx.get(dut.o_error_code), ctx.get(dut.o_error_address)
                errors.append((ErrorCode(code), address))
                ctx.set(dut.i_abort, 1)
            assert not ctx.get(dut.aw_valid)
            await ctx.tick()
        assert ctx.get(dut.o_idle)

    bench.run(dut, drive)
    assert lines == [config.activation_lines - 1]
    assert errors == [(ErrorCode.WRITE_DECERR, end)]

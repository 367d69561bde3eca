"""Beats of runs, byte by byte, under back-pressure."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.csr import Counter
from stillflow.hw.dma.packer import Packer
from stillflow.hw.timing import BEATS_AHEAD
from stillflow.sim import bench
from tests.hw.dma.test_writer import CONFIGS, draw_runs, shower, write_job


@settings(max_examples=20)
@given(
    config=st.sampled_from(list(CONFIGS.values())),
    random=st.randoms(use_true_random=True),
)
def test_each_run_fills_its_own_beats(config, random):
    dut = Packer(config)
    jobs = draw_runs(random, config)
    bits = 8 * config.m_block * config.act_bytes
    entries = [random.getrandbits(bits) for _ in range(config.ofmap_depth)]
    counters = [random.getrandbits(config.counter_bits) for _ in Counter]
    size = config.axi_bytes
    wanted = []
    for job in jobs:
        content = {}
        write_job(job, config, entries, counters, content)
        for first in range(min(content) // size * size, max(content) + 1, size):
            wanted.append({i: content[first + i] for i in range(size) if first + i in content})
    got = []
    counted = {"freed": 0, "spilled": 0}
    take_rate = random.choice([0.1, 0.7, 1])

    async def drive(ctx):
        ctx.set(dut.i_ring, config.ofmap_depth)
        show = shower(ctx, dut, counters)
        waiting = list(jobs)
        while len(got) < len(wanted):
            show()
            loads = bool(waiting) and ctx.get(dut.o_ready)
            ctx.set(dut.i_load, loads)
            if loads:
                job = waiting.pop(0)
                ctx.set(dut.i_is_record, "record" in job)
                ctx.set(dut.i_run, job.get("run", {}))
            takes = random.random() < take_rate
            ctx.set(dut.o_beat.ready, takes)
            if takes and ctx.get(dut.o_beat.valid):
                beat = ctx.get(dut.o_beat.payload)
                words = beat.data.to_bytes(size, "little")
                got.append({i: words[i] for i in range(size) if beat.strobes >> i & 1})
            reads, entry = ctx.get(dut.o_read_en), ctx.get(dut.o_read_entry)
            await ctx.tick()
            counted["freed"] += ctx.get(dut.o_freed)
            counted["spilled"] += ctx.get(dut.o_spill)
            if reads:
                ctx.set(dut.i_vector, entries[entry])
        assert ctx.get(dut.o_idle)
        assert not ctx.get(dut.o_beat.valid)

    bench.run(dut, drive, cycles=20_000)
    assert got == wanted
    runs = [job["run"] for job in jobs if "run" in job]
    assert counted["spilled"] == sum(run["pixels"] for run in runs)
    assert counted["freed"] == sum(run["pixels"] for run in runs if run["release"])


def test_a_few_beats_wait_and_a_clear_forgets_the_rest():
    config = CONFIGS["beats of one channel block"]
    dut = Packer(config)

    async def drive(ctx):
        ctx.set(dut.i_load, 1)
        ctx.set(dut.i_run, {"pixels": 20})
        await ctx.tick()
        ctx.set(dut.i_load, 0)
        reads = 0
        for _ in range(20):
            reads += ctx.get(dut.o_read_en)
            await ctx.tick()
        assert reads == BEATS_AHEAD
        assert not ctx.get(dut.o_ready)
        assert not ctx.get(dut.o_idle)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        await ctx.tick()
        assert ctx.get(dut.o_ready)
        assert ctx.get(dut.o_idle)

    bench.run(dut, drive)

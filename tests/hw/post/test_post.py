"""Post-processing against the golden requantisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import requant_latency, requant_tail
from stillflow.sim import bench
from stillflow.sim.golden.requantize import requantize


def config_of(cols, lanes, **keys):
    return AcceleratorConfig(
        rows=4, cols=cols, glb_kib=8, axi_data_bits=32, requant_lanes=lanes, **keys
    )


CONFIGS = {
    "pace 1": config_of(4, 4),
    "pace 4": config_of(4, 1),
    "pace 5, two lanes": config_of(10, 2),
    "one column": config_of(1, 1),
    "16 bits": config_of(4, 2, act_bits=16, weight_bits=16, acc_bits=48),
    "serial": config_of(4, 1, requant_serial=True),
    "serial, two lanes": config_of(6, 2, requant_serial=True, act_bits=16, acc_bits=40),
    "serial, one column": config_of(1, 1, requant_serial=True, acc_bits=24),
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_vectors_back_to_back_match_the_golden_model(config, seed):
    rng = np.random.default_rng(seed)
    dut = PostProcessor(config)
    columns, pace = config.m_block, config.pace
    dtype = f"int{config.act_bits}"
    top = 1 << (config.act_bits - 1)
    act_min, act_max = -top + 3, top - 5
    zero_point = int(rng.integers(-9, 10))
    mask = (1 << config.weight_bits) - 1
    wanted, got = [], []

    def draw_step():
        """Scales of a step, as slices, and its vectors."""
        scales = rng.uniform(1, 2, columns).astype(np.float32) / np.float32(2**9)
        words = [s | h << 24 for s, h in (encode_scale(float(x)) for x in scales)]
        lines = [
            [word >> (config.weight_bits * i) & mask for word in words]
            for i in range(config.scale_lines)
        ]
        psums = rng.integers(-(top << 10), top << 10, (4, columns))
        wanted.extend(requantize(psums, scales, zero_point, act_min, act_max, dtype).tolist())
        return lines, psums.tolist()

    async def tick(ctx):
        await ctx.tick()
        if ctx.get(dut.o_valid):
            got.append(list(ctx.get(dut.o_words)))

    async def drive(ctx):
        ctx.set(dut.i_zero_point, zero_point)
        ctx.set(dut.i_min, act_min)
        ctx.set(dut.i_max, act_max)
        lines, psums = draw_step()
        for number in range(4):
            # Scales shift in while the vectors before them pass; then both change at once.
            for line in lines:
                ctx.set(dut.i_scale_shift, 1)
                ctx.set(dut.i_line, line)
                await tick(ctx)
            ctx.set(dut.i_scale_shift, 0)
            ctx.set(dut.i_scale_swap, 1)
            await tick(ctx)
            ctx.set(dut.i_scale_swap, 0)
            lines, following = draw_step() if number < 3 else ([], [])
            early = list(lines)
            for vector in psums:
                ctx.set(dut.i_psums, vector)
                for phase in range(pace):
                    ctx.set(dut.i_valid, phase == 0)
                    ctx.set(dut.i_scale_shift, bool(early))
                    if early:
                        ctx.set(dut.i_line, early.pop(0))
                    await tick(ctx)
                ctx.set(dut.i_valid, 0)
                if rng.random() < 0.3:
                    ctx.set(dut.i_scale_shift, 0)
                    await tick(ctx)
            lines, psums = early, following
        for _ in range(requant_tail(config) + 1):
            await tick(ctx)

    bench.run(dut, drive, cycles=1000 + 20 * pace)
    assert len(got) == 16
    assert got == wanted


@pytest.mark.parametrize("name", ["pace 4", "serial"])
def test_words_come_together_a_fixed_time_after_their_psums(name):
    config = CONFIGS[name]
    dut = PostProcessor(config)
    pace = config.pace
    starts = 5, 5 + pace, 5 + 4 * pace - 1
    cycles = []

    async def drive(ctx):
        for cycle in range(6 * pace + 60):
            ctx.set(dut.i_valid, cycle in starts)
            if ctx.get(dut.o_valid):
                cycles.append(cycle)
            await ctx.tick()

    bench.run(dut, drive, cycles=6 * pace + 65)
    assert cycles == [start + requant_latency(config) for start in starts]

"""Sums of windows to their means, against the golden requantiser."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.post.mean import Mean
from stillflow.hw.presets import TINY
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import mean_latency
from stillflow.sim import bench
from stillflow.sim.golden.requantize import requantize
from tests.hw.layers import set_layer

CONFIGS = {
    "int8": replace(TINY, pool_windows=4),
    "int16": replace(
        TINY, pool_windows=4, cols=6, act_bits=16, weight_bits=16, acc_bits=48, requant_lanes=6
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=10, deadline=None)
@given(random=st.randoms(use_true_random=True), pixels=st.integers(4, 256))
def test_means_are_the_golden_models_as_often_as_they_may_come(name, random, pixels):
    config = CONFIGS[name]
    dut, info = Mean(config), np.iinfo(f"int{config.act_bits}")
    before, zero_point = (random.randint(int(info.min), int(info.max)) for _ in range(2))
    low, high = sorted(random.randint(int(info.min), int(info.max)) for _ in range(2))
    scale = float(np.float32(random.uniform(0.2, 3) / pixels))
    significand, shift = encode_scale(scale)
    ends = (int(info.min) * pixels, int(info.max) * pixels)
    vectors = [
        [random.choice([*ends, random.randint(*ends)]) for _ in range(config.m_block)]
        for _ in range(6)
    ]
    psums = np.array(vectors).T - pixels * before
    golden = requantize(psums, scale, zero_point, low, high, info.dtype).T.tolist()
    found = []

    async def drive(ctx):
        fields = {
            "pool_significand": significand, "pool_shift": shift, "pool_offset": -pixels * before,
            "pool_zero_point": zero_point, "pool_min": low, "pool_max": high,
        }  # fmt: skip
        set_layer(ctx, dut, fields)
        came, cycle = [], 0
        coming, wait = list(vectors), 0
        while len(found) < len(vectors):
            valid = bool(coming) and wait <= 0
            ctx.set(dut.i_valid, valid)
            if valid:
                for lane, total in enumerate(coming.pop(0)):
                    ctx.set(dut.i_sums[lane], total)
                came.append(cycle)
                wait = config.m_block + random.choice([0, 0, 1, 5])
            if ctx.get(dut.o_valid):
                assert cycle == came[len(found)] + mean_latency(config)
                words = ctx.get(dut.o_words).to_bytes(
                    len(golden[0]) * info.dtype.itemsize, "little"
                )
                found.append(np.frombuffer(words, info.dtype).tolist())
            await ctx.tick()
            cycle, wait = cycle + 1, wait - 1

    bench.run(dut, drive, cycles=2_000)
    assert found == golden

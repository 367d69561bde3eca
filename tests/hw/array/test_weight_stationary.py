"""Weight-stationary array against NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.array.weight_stationary import WeightStationaryArray
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim import bench


def config_of(rows, cols, bits, registers):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=64, axi_data_bits=32, requant_lanes=1,
        act_bits=bits, weight_bits=bits, acc_bits=48, operand_registers=registers,
    )  # fmt: skip


@settings(max_examples=12)
@given(
    rows=st.integers(1, 6),
    cols=st.sampled_from([1, 2, 3, 5]),
    bits=st.sampled_from([8, 16]),
    registers=st.booleans(),
    gaps=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_blocks_follow_each_other_while_vectors_pass(rows, cols, bits, registers, gaps, seed):
    config = config_of(rows, cols, bits, registers)
    dut = WeightStationaryArray(config)
    rng = np.random.default_rng(seed)
    half = 1 << (bits - 1)
    blocks = rng.integers(-half, half, (len(gaps) + 1, rows, config.m_block))
    blocks[0], blocks[1] = -half, half - 1
    wanted, got = [], []

    async def tick(ctx, active, line=None, swap=False):
        acts = rng.choice([-half, half - 1, int(rng.integers(-half, half))], rows)
        ctx.set(dut.i_acts, acts.tolist())
        other = rng.integers(-half, half, config.m_block)
        ctx.set(dut.i_line, (other if line is None else line).tolist())
        ctx.set(dut.i_shift, line is not None)
        ctx.set(dut.i_swap, swap)
        wanted.append(None if active is None else (acts @ active).tolist())
        await ctx.tick()
        got.append([ctx.get(total) for total in dut.o_sums])

    async def drive(ctx):
        for line in blocks[0]:
            await tick(ctx, None, line)
        for number, gap in enumerate(gaps):
            # The swap comes with the first line of the next block.
            before = blocks[number - 1] if number else None
            following = blocks[number + 1]
            await tick(ctx, before, following[0], swap=True)
            for line in following[1:]:
                for _ in range(gap):
                    await tick(ctx, blocks[number])
                await tick(ctx, blocks[number], line)
        await tick(ctx, blocks[-2], swap=True)
        for _ in range(3 + dut.latency):
            await tick(ctx, blocks[-1])

    bench.run(dut, drive)
    late = dut.latency - 1
    pairs = [(w, g) for w, g in zip(wanted, got[late:], strict=False) if w is not None]
    assert len(pairs) > 4 * rows
    assert [g for _, g in pairs] == [w for w, _ in pairs]


@settings(max_examples=12)
@given(
    rows=st.integers(1, 6),
    cols=st.sampled_from([1, 2, 3, 5]),
    registers=st.booleans(),
    gaps=st.lists(st.booleans(), min_size=20, max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_depthwise_column_filters_the_sequence_of_its_channel(rows, cols, registers, gaps, seed):
    config = config_of(rows, cols, 8, registers)
    dut = WeightStationaryArray(config)
    rng = np.random.default_rng(seed)
    taps = rng.integers(-128, 128, (rows, config.m_block))
    pixels = [np.zeros(rows, int)] * rows  # the chain's history, newest last
    wanted, got = [], []

    async def drive(ctx):
        for line in taps:
            ctx.set(dut.i_line, line.tolist())
            ctx.set(dut.i_shift, 1)
            await ctx.tick()
        ctx.set(dut.i_shift, 0)
        ctx.set(dut.i_swap, 1)
        await ctx.tick()
        ctx.set(dut.i_swap, 0)
        ctx.set(dut.i_depthwise, 1)
        for number, stream in enumerate([True] * rows + gaps + [False] * dut.latency):
            acts = rng.integers(-128, 128, rows)
            ctx.set(dut.i_acts, acts.tolist())
            ctx.set(dut.i_stream, stream)
            if stream:
                pixels.append(acts)
            window = np.array(pixels[-rows:])
            channels = [window[:, c] if c < rows else np.zeros(rows, int) for c in range(cols)]
            sums = [int(channels[c] @ taps[:, c]) for c in range(config.m_block)]
            wanted.append(sums if stream and number >= rows else None)
            await ctx.tick()
            got.append([ctx.get(total) for total in dut.o_sums])

    bench.run(dut, drive)
    late = dut.latency - 1
    pairs = [(w, g) for w, g in zip(wanted, got[late:], strict=False) if w is not None]
    assert [g for _, g in pairs] == [w for w, _ in pairs]
    assert len(pairs) == sum(gaps)

"""Multipliers and adder trees that keep nothing, against NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.array.no_local_reuse import NoLocalReuseArray
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.sim import bench


@settings(max_examples=12)
@given(
    rows=st.integers(1, 6),
    cols=st.sampled_from([1, 2, 3, 5]),
    bits=st.sampled_from([(8, 8), (16, 8), (16, 16)]),
    registers=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_are_those_of_the_words_of_one_cycle(rows, cols, bits, registers, seed):
    act_bits, weight_bits = bits
    config = AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=64, axi_data_bits=32, requant_lanes=1,
        dataflow=Dataflow.NO_LOCAL_REUSE,
        act_bits=act_bits, weight_bits=weight_bits, acc_bits=48, operand_registers=registers,
    )  # fmt: skip
    dut = NoLocalReuseArray(config)
    rng = np.random.default_rng(seed)
    wanted, got = [], []

    def words(bits, *shape):
        half = 1 << (bits - 1)
        edges = rng.choice([-half, half - 1], shape)
        return np.where(rng.random(shape) < 0.3, edges, rng.integers(-half, half, shape))

    async def drive(ctx):
        for _ in range(40):
            acts, lines = words(act_bits, rows), words(weight_bits, rows, config.m_block)
            used = rng.random(rows) < 0.8
            ctx.set(dut.i_acts, acts.tolist())
            for row, line in zip(dut.i_lines, lines.tolist(), strict=True):
                ctx.set(row, line)
            ctx.set(dut.i_used, sum(int(u) << row for row, u in enumerate(used)))
            wanted.append((np.where(used, acts, 0) @ lines).tolist())
            await ctx.tick()
            got.append([ctx.get(total) for total in dut.o_sums])

    bench.run(dut, drive)
    late = dut.latency - 1
    assert got[late:] == wanted[: len(wanted) - late]

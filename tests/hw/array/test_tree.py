import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from stillflow.hw.array.tree import AdderTree
from stillflow.sim import bench


@pytest.mark.parametrize("terms", range(1, 10))
def test_sums_come_every_cycle_after_the_latency(terms):
    tree = AdderTree(terms=terms, term_bits=5)
    dut = Module()
    dut.submodules.tree = tree
    dut.d.sync += Signal().eq(0)  # a tree of one term has no clock
    rng = np.random.default_rng(terms)
    vectors = rng.integers(-16, 16, (40, terms)).tolist()
    vectors += [[-16] * terms, [15] * terms, [-16] * terms]  # no bit of the sum is too few
    sums = []

    async def drive(ctx):
        for vector in vectors:
            ctx.set(tree.i_terms, vector)
            if tree.latency == 0:
                sums.append(ctx.get(tree.o_sum))
            await ctx.tick()
            sums.append(ctx.get(tree.o_sum))
        for _ in range(tree.latency):
            await ctx.tick()
            sums.append(ctx.get(tree.o_sum))

    bench.run(dut, drive)
    assert tree.latency == [0, 1, 2, 2, 3, 3, 3, 3, 4][terms - 1]
    step = 2 if tree.latency == 0 else 1
    first = max(0, tree.latency - 1)
    assert sums[first::step][: len(vectors)] == [sum(vector) for vector in vectors]

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.control.counters import Counters
from stillflow.hw.csr import Counter
from stillflow.hw.presets import TINY
from stillflow.sim import bench

amounts = st.lists(st.integers(0, 0xFFFF), min_size=len(Counter), max_size=len(Counter))


@settings(max_examples=10)
@given(cycles=st.lists(st.tuples(amounts, st.booleans()), min_size=1, max_size=20))
def test_every_counter_adds_its_own_amounts_since_the_last_clear(cycles):
    dut = Counters(TINY)

    async def drive(ctx):
        counts = [0] * len(Counter)
        for amounts, clear in cycles:
            ctx.set(dut.i_amounts, amounts)
            ctx.set(dut.i_clear, clear)
            # An amount that comes with the clear belongs to what is over.
            counts = [0 if clear else n + a for n, a in zip(counts, amounts, strict=True)]
            await ctx.tick()
            if clear:
                assert list(ctx.get(dut.o_values)) == counts
        ctx.set(dut.i_amounts, [0] * len(Counter))
        ctx.set(dut.i_clear, 0)
        await ctx.tick()
        assert list(ctx.get(dut.o_values)) == counts

    bench.run(dut, drive)


def test_counters_pass_32_bits():
    dut = Counters(TINY)

    async def drive(ctx):
        # Not four billion cycles: start just below, in the registers themselves.
        ctx.set(dut.o_values[Counter.IFMAP_READS], (1 << 32) - 1)
        ctx.set(dut.i_amounts[Counter.IFMAP_READS], 3)
        await ctx.tick()
        ctx.set(dut.i_amounts[Counter.IFMAP_READS], 0)
        await ctx.tick()
        assert ctx.get(dut.o_values[Counter.IFMAP_READS]) == (1 << 32) + 2

    bench.run(dut, drive)


def test_narrow_counters_start_anew():
    dut = Counters(replace(TINY, counter_bits=16))

    async def drive(ctx):
        ctx.set(dut.i_amounts[Counter.PSUM_READS], 0xFFFF)
        await ctx.tick()
        ctx.set(dut.i_amounts[Counter.PSUM_READS], 3)
        await ctx.tick()
        ctx.set(dut.i_amounts[Counter.PSUM_READS], 0)
        await ctx.tick()
        assert ctx.get(dut.o_values[Counter.PSUM_READS]) == 2

    bench.run(dut, drive)

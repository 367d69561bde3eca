"""Loop nests against itertools.product."""

from itertools import product

from amaranth.hdl import Module
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.nest import LoopNest, NestAddress
from stillflow.sim import bench

counts_lists = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def bits(flags):
    return sum(int(flag) << i for i, flag in enumerate(flags))


@settings(max_examples=15)
@given(counts=counts_lists, waits=st.lists(st.integers(0, 2), max_size=20), spaced=st.booleans())
def test_iterations_come_in_order_with_their_flags(counts, waits, spaced):
    dut = LoopNest(len(counts), 16, spaced=spaced)
    walk = [index[::-1] for index in product(*map(range, counts[::-1]))]
    pauses = iter(waits)

    async def drive(ctx):
        ctx.set(dut.i_counts, counts)
        ctx.set(dut.i_step, 1)
        await ctx.tick()  # somewhere in the nest
        ctx.set(dut.i_restart, 1)
        await ctx.tick()
        ctx.set(dut.i_restart, 0)
        for place, index in enumerate(walk * 2):
            ctx.set(dut.i_step, 0)
            for _ in range(next(pauses, 0) + 2 * spaced):
                await ctx.tick()
            at_end = [i == n - 1 for i, n in zip(index, counts, strict=True)]
            moves = next((i for i, end in enumerate(at_end) if not end), None)
            assert tuple(ctx.get(dut.o_index)) == index
            assert ctx.get(dut.o_first) == bits(i == 0 for i in index)
            assert ctx.get(dut.o_last) == bits(at_end)
            assert ctx.get(dut.o_level) == (0 if moves is None else 1 << moves)
            assert ctx.get(dut.o_done) == all(at_end) == ((place + 1) % len(walk) == 0)
            ctx.set(dut.i_step, 1)
            await ctx.tick()

    bench.run(dut, drive, cycles=6000)


def test_a_count_may_follow_an_outer_loop():
    dut = LoopNest(2, 16)
    seen = []

    async def drive(ctx):
        while len(seen) < 7:
            ctx.set(dut.i_counts[1], 3)
            last_row = ctx.get(dut.o_last[1])
            ctx.set(dut.i_counts[0], 1 if last_row else 3)
            seen.append(tuple(ctx.get(dut.o_index))[::-1])
            ctx.set(dut.i_step, 1)
            await ctx.tick()

    bench.run(dut, drive)
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]


@settings(max_examples=20)
@given(data=st.data(), counts=counts_lists)
def test_addresses_are_sums_of_products(data, counts):
    levels = len(counts)
    width = data.draw(st.integers(4, 24), label="bits")
    flags = st.lists(st.booleans(), min_size=levels, max_size=levels)
    moves = data.draw(flags.map(tuple), label="moves")
    words = st.integers(0, (1 << width) - 1)
    strides = data.draw(st.lists(words, min_size=levels, max_size=levels), label="strides")
    base = data.draw(words, label="base")
    nest, address = LoopNest(levels, 16), NestAddress(moves, width)
    dut = pair(nest, address)
    wanted = [
        (base + sum(i * s * m for i, s, m in zip(index[::-1], strides, moves, strict=True)))
        % (1 << width)
        for index in product(*map(range, counts[::-1]))
    ]
    got = []

    async def drive(ctx):
        ctx.set(nest.i_counts, counts)
        ctx.set(address.i_strides, strides)
        ctx.set(address.i_base, base)
        for part in (nest, address):
            ctx.set(part.i_restart, 1)
        await ctx.tick()
        ctx.set(address.i_base, 0)
        for part in (nest, address):
            ctx.set(part.i_restart, 0)
            ctx.set(part.i_step, 1)
        for _ in wanted:
            got.append(ctx.get(address.o_address))
            await ctx.tick()

    bench.run(dut, drive)
    assert got == wanted


def pair(nest, address):
    """Both side by side, the address following the nest."""
    m = Module()
    m.submodules.nest, m.submodules.address = nest, address
    m.d.comb += address.i_level.eq(nest.o_level)
    return m

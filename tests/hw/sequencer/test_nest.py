"""Loop nests against itertools.product."""

from itertools import pairwise, product

from amaranth.hdl import Module, Signal
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.nest import Choice, LoopNest, drive_counts
from stillflow.hw.sequencer.nest_address import NestAddress
from stillflow.sim import bench

counts_lists = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def bits(flags):
    return sum(int(flag) << i for i, flag in enumerate(flags))


@settings(max_examples=15)
@given(counts=counts_lists, waits=st.lists(st.integers(0, 2), max_size=20))
def test_iterations_come_in_order_with_their_flags(counts, waits):
    dut = LoopNest(len(counts), 16)
    walk = [index[::-1] for index in product(*map(range, counts[::-1]))]
    pauses = iter(waits)

    def last(index):
        return [i == n - 1 for i, n in zip(index, counts, strict=True)]

    async def drive(ctx):
        ctx.set(dut.i_counts, counts)
        ctx.set(dut.i_single, bits(n == 1 for n in counts))
        ctx.set(dut.i_step, 1)
        for _ in range(2):
            await ctx.tick()  # somewhere in the nest
        ctx.set(dut.i_step, 0)
        ctx.set(dut.i_restart, 1)
        await ctx.tick()
        ctx.set(dut.i_restart, 0)
        ctx.set(dut.i_step, 1)
        assert ctx.get(dut.o_done)
        assert ctx.get(dut.o_coming) == bits(last(walk[0]))
        await ctx.tick()
        for place, index in enumerate(walk * 2):
            ctx.set(dut.i_step, 0)
            for _ in range(next(pauses, 0)):
                await ctx.tick()
            moves = next((i for i, end in enumerate(last(index)) if not end), None)
            assert ctx.get(dut.o_first) == bits(i == 0 for i in index)
            assert ctx.get(dut.o_last) == bits(last(index))
            assert ctx.get(dut.o_coming) == bits(last(walk[(place + 1) % len(walk)]))
            assert ctx.get(dut.o_level) == (0 if moves is None else 1 << moves)
            assert ctx.get(dut.o_done) == all(last(index)) == ((place + 1) % len(walk) == 0)
            ctx.set(dut.i_step, 1)
            await ctx.tick()

    bench.run(dut, drive, cycles=6000)


@settings(max_examples=15)
@given(counts=st.tuples(*[st.integers(1, 3)] * 4), outer=st.integers(1, 4), settled=st.booleans())
def test_a_count_may_follow_outer_loops(counts, outer, settled):
    m = Module()
    m.submodules.nest = nest = LoopNest(3, 8)
    in_last, middle, inner, inner_last = (Signal(8, init=count) for count in counts)
    of_middle = Choice(nest.o_coming[2], in_last, middle)
    of_inner = Choice(nest.o_coming[1] & nest.o_coming[2], inner_last, inner)
    drive_counts(m, nest, {0: of_inner, 1: of_middle, 2: outer}, settled=settled)
    wanted = [
        (k, j, i)
        for k in range(outer)
        for j in range(counts[0] if k == outer - 1 else counts[1])
        for i in range(counts[3] if k == outer - 1 and j == counts[0] - 1 else counts[2])
    ]
    seen = []

    async def drive(ctx):
        await ctx.tick()
        ctx.set(nest.i_step, 1)
        ctx.set(nest.i_restart, 1)  # a step goes before
        await ctx.tick()
        ctx.set(nest.i_restart, 0)
        for _ in range(2 * len(wanted)):
            seen.append((ctx.get(nest.o_level), ctx.get(nest.o_done)))
            await ctx.tick()

    bench.run(m, drive)
    walk = wanted * 2 + wanted[:1]
    assert seen == [
        (
            sum(1 << 2 - place for place in range(3) if moves(now, then) == place),
            moves(now, then) is None,
        )
        for now, then in pairwise(walk)
    ]


def moves(now, then):
    """Place of the loop that goes on between two iterations, the outermost being 0."""
    return (
        next((place for place in range(3) if now[place] < then[place]), None)
        if now < then
        else None
    )


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
        ctx.set(nest.i_single, bits(n == 1 for n in counts))
        ctx.set(address.i_strides, strides)
        ctx.set(address.i_base, base)
        ctx.set(address.i_restart, 1)
        for part in (nest, address):
            ctx.set(part.i_step, 1)
        await ctx.tick()
        ctx.set(address.i_base, 0)
        ctx.set(address.i_restart, 0)
        for _ in wanted:
            got.append(ctx.get(address.o_address))
            await ctx.tick()

    bench.run(dut, drive)
    assert got == wanted


def pair(nest, address):
    """Both side by side, the address following the nest."""
    m = Module()
    m.submodules.nest, m.submodules.address = nest, address
    m.d.comb += [address.i_ends.eq(nest.o_ends), address.i_level.eq(nest.o_level)]
    return m

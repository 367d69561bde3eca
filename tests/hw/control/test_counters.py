from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.control.counters import Counters
from stillflow.hw.control.events import event_words
from stillflow.hw.csr import Counter
from stillflow.hw.presets import EYERISS, ICEBREAKER, TINY
from stillflow.hw.timing import COUNTER_ROUND
from stillflow.sim import bench

NAMES = {counter: counter.name.lower() for counter in Counter}


def words(config, events):
    """Give what the events of a cycle add to each counter."""
    units = event_words(config)
    return [events[NAMES[counter]] * units[counter][1] for counter in Counter]


def no_events():
    return dict.fromkeys(NAMES.values(), 0)


def draw_events(random, config, rate):
    most = event_words(config)
    return {
        name: random.choice([most[counter][0], random.randint(0, most[counter][0])])
        * (random.random() < rate)
        for counter, name in NAMES.items()
    }


@settings(max_examples=10)
@given(
    config=st.sampled_from([TINY, EYERISS, ICEBREAKER]),
    rounds=st.integers(1, 4),
    rate=st.sampled_from([0.1, 1]),
    random=st.randoms(use_true_random=True),
)
def test_a_sweep_shows_what_was_counted_so_far(config, rounds, rate, random):
    dut = Counters(config)
    mask = (1 << config.counter_bits) - 1

    async def drive(ctx):
        ctx.set(dut.i_clear, 1)
        ctx.set(dut.i_events, draw_events(random, config, 1))  # belong to what is over
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        # So that locals of each counter grow as large as they can: sweeps at any distance.
        counts, swept, history = [0] * len(Counter), None, []
        waits = random.randint(1, 2 * COUNTER_ROUND)
        left = rounds
        while left or swept is not None:
            now = len(history)
            events = draw_events(random, config, rate)
            ctx.set(dut.i_events, events)
            sweep = swept is None and waits == 0
            waits = max(0, waits - 1)
            ctx.set(dut.i_sweep, sweep)
            if sweep:
                swept, left = now, left - 1
                waits = random.randint(COUNTER_ROUND, 3 * COUNTER_ROUND)
            counts = [n + w for n, w in zip(counts, words(config, events), strict=True)]
            history.append(counts)
            shown = ctx.get(dut.o_shown)
            if swept is not None:
                turn, half = divmod(now - swept - 3, 2)
                if 0 <= turn < len(Counter):
                    assert (shown.counter, shown.last) == (turn, half)
                    assert shown.value == history[swept + 2 * turn - 1][turn] & mask
                if turn == len(Counter):
                    swept = None
            await ctx.tick()

    bench.run(dut, drive)


@settings(max_examples=10)
@given(clears=st.lists(st.integers(1, 3 * COUNTER_ROUND), min_size=1, max_size=3),
       random=st.randoms(use_true_random=True))  # fmt: skip
def test_all_is_zero_after_a_clear_and_settles_within_a_round(clears, random):
    dut = Counters(TINY)

    async def drive(ctx):
        for cycles in clears:
            ctx.set(dut.i_clear, 1)
            ctx.set(dut.i_sweep, random.random() < 0.5)
            ctx.set(dut.i_events, draw_events(random, TINY, 1))
            await ctx.tick()
            ctx.set(dut.i_clear, 0)
            ctx.set(dut.i_sweep, 0)
            assert ctx.get(dut.o_shown.value) == 0
            counts = [0] * len(Counter)
            for _ in range(cycles):
                events = draw_events(random, TINY, 0.5)
                ctx.set(dut.i_events, events)
                counts = [n + w for n, w in zip(counts, words(TINY, events), strict=True)]
                await ctx.tick()
            ctx.set(dut.i_events, no_events())
            for _ in range(COUNTER_ROUND + 4):
                await ctx.tick()
            seen = {}
            for _ in range(COUNTER_ROUND):
                shown = ctx.get(dut.o_shown)
                seen[shown.counter] = shown.value
                await ctx.tick()
            assert seen == dict(enumerate(counts))

    bench.run(dut, drive)


@pytest.mark.parametrize("bits", [16, 48])
def test_counters_start_anew_beyond_their_bits(bits):
    dut = Counters(replace(TINY, counter_bits=bits))
    counter = Counter.IFMAP_READS
    amount = event_words(TINY)[counter][0]
    wanted = amount * 9000

    async def count(ctx):
        ctx.set(dut.i_events[NAMES[counter]], amount)
        for _ in range(9000):
            await ctx.tick()
        ctx.set(dut.i_events[NAMES[counter]], 0)
        seen = {}
        for _ in range(2 * COUNTER_ROUND + 4):
            shown = ctx.get(dut.o_shown)
            seen[shown.counter] = shown.value
            await ctx.tick()
        assert wanted > 1 << 16
        assert seen[counter] == wanted % (1 << bits)

    bench.run(dut, count, cycles=10_000)


def test_held_written_bytes_are_counted_later():
    dut = Counters(TINY)
    name = NAMES[Counter.DRAM_WRITE_BYTES]

    async def drive(ctx):
        ctx.set(dut.i_hold, 1)
        ctx.set(dut.i_events[name], 1)
        for _ in range(4):
            await ctx.tick()
        ctx.set(dut.i_events[name], 0)
        for held, wanted in ((1, 0), (0, 4 * TINY.axi_bytes)):
            ctx.set(dut.i_hold, held)
            for _ in range(COUNTER_ROUND):
                await ctx.tick()
            seen = set()
            for _ in range(COUNTER_ROUND):
                shown = ctx.get(dut.o_shown)
                if shown.counter == Counter.DRAM_WRITE_BYTES:
                    seen.add(shown.value)
                await ctx.tick()
            assert seen == {wanted}

    bench.run(dut, drive)

"""Weight blocks and the commands that load them against a literal walk of the nest."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.block_walker import BlockWalker
from stillflow.hw.words import LineKind
from stillflow.sim import bench
from stillflow.sim.golden.walks import (
    block_of,
    commands_of,
    filter_place,
    filter_positions,
    steps_of,
)
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import CONFIGS, NO_LOCAL_REUSE, NO_SHRINK, descriptor_of, nests


def run_layer(nest, random, guard, rounds):
    """Run the walker beside a filter buffer that fills at random; check all it emits."""
    config = nest.mapping.config
    dut = BlockWalker(config, guard=guard)
    fields, steps = descriptor_of(nest), steps_of(nest)
    positions, loads = filter_positions(nest)
    bits = len(dut.o_command.lane_offset)
    fill_rate, start_rate = random.choice([0.3, 0.7, 1]), random.choice([0.1, 0.5, 1])
    counted = 1 << len(dut.i_loaded)

    async def one_round(ctx):
        ctx.set(dut.i_loaded, 0)
        ctx.set(dut.i_loads, 0)
        await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        waiting = [
            command
            for step, place in zip(steps, positions, strict=True)
            for command in commands_of(step, place, nest, bits)
        ]
        given = [len(commands_of(s, p, nest, bits)) for s, p in zip(steps, positions, strict=True)]
        loaded, freed, started, sent = 0, 0, 0, 0
        cycle, last_start, streams_until = 0, -guard - 1, 0
        while not ctx.get(dut.o_done):
            full = ctx.get(dut.o_full)
            start = full and random.random() < start_rate
            ctx.set(dut.i_start, start)
            ctx.set(dut.i_streaming, last_start < cycle <= streams_until)
            if full:
                assert sent == sum(given[: started + 1])
                block = ctx.get(dut.o_block)
                wanted = block_of(steps[started], nest)
                assert {key: block[key] for key in wanted} == wanted
                if config.reads_weights:
                    place = filter_place(positions[started][0], config)
                    assert {key: block.place[key] for key in place} == place
                if start:
                    freed += wanted["freed"]
                    started, last_start = started + 1, cycle
                    streams_until = cycle + random.choice([1, 3, 30])
            if ctx.get(dut.o_command.valid):
                command = ctx.get(dut.o_command)
                kind, position, ahead = waiting[sent]
                assert LineKind(command.kind) == kind
                assert command.zero == (position is None)
                if position is not None:
                    place = filter_place(position, config)
                    assert {key: command.place[key] for key in place} == place
                    assert position < loaded - ctx.get(dut.i_loads)
                if ahead is not None:
                    assert command.lane_offset == ahead
                if kind != LineKind.WEIGHT:
                    assert cycle > last_start + guard
                    assert not (config.reads_weights and cycle <= streams_until)
                elif fields["depthwise"]:
                    assert cycle > streams_until
                sent += 1
            await ctx.tick()
            cycle += 1
            ctx.set(dut.i_loaded, loaded % counted)
            room = loaded < min(loads, freed + config.filter_lines)
            arrives = room and random.random() < fill_rate
            ctx.set(dut.i_loads, arrives)
            loaded += arrives
        ctx.set(dut.i_start, 0)
        assert (started, sent) == (len(steps), len(waiting))
        assert loaded == loads
        assert freed == (0 if not steps else loads)

    async def drive(ctx):
        set_layer(ctx, dut, fields)
        for _ in range(rounds):
            await one_round(ctx)
            await ctx.tick().repeat(random.randint(1, 3))

    bench.run(dut, drive, cycles=60_000)


@settings(max_examples=25, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=1500, configs=CONFIGS + NO_LOCAL_REUSE),
    random=st.randoms(use_true_random=True),
    guard=st.integers(1, 12),
)
def test_blocks_are_those_of_a_literal_walk(drawn, random, guard):
    _, nest = drawn
    run_layer(nest, random, guard, rounds=1)


@settings(max_examples=4, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=400, configs=CONFIGS + NO_LOCAL_REUSE),
    random=st.randoms(use_true_random=True),
)
def test_a_walker_starts_anew_with_each_layer(drawn, random):
    _, nest = drawn
    run_layer(nest, random, 6, rounds=2)


@settings(max_examples=8, phases=NO_SHRINK)
@given(drawn=nests(most_macs=500))
def test_a_block_takes_a_cycle_for_each_line_when_nothing_waits(drawn):
    _, nest = drawn
    config, guard = nest.mapping.config, 1
    dut = BlockWalker(config, guard=guard)
    steps = steps_of(nest)
    assume(filter_positions(nest)[1] < (1 << len(dut.i_loaded)) - 1)
    waits = []

    async def drive(ctx):
        set_layer(ctx, dut, descriptor_of(nest))
        await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        ctx.set(dut.i_loaded, -1)  # ahead of all
        ctx.set(dut.i_loads, 1)
        await ctx.tick()
        for _ in steps:
            wait = 0
            while not ctx.get(dut.o_full):
                await ctx.tick()
                wait += 1
            waits.append(wait)
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
        assert ctx.get(dut.o_done)

    bench.run(dut, drive, cycles=20_000)
    for number, (step, wait) in enumerate(zip(steps, waits, strict=True)):
        lines = config.rows - (number > 0)  # the first went out with the start before
        extra = len(step.bias) + len(step.scale)
        overhead = (1 if extra else 0) + 1  # guard, and the move to a new tile
        assert lines + extra <= wait <= lines + extra + overhead

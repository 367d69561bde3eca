"""Chunks of the reduction and the lanes that set them up against a literal walk of the nest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.chunk_walker import ChunkWalker
from stillflow.sim import bench
from stillflow.sim.golden.walks import chunk_of, filter_positions, lane_offset, steps_of
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import NO_SHRINK, OUTPUT_STATIONARY, descriptor_of, nests


def run_layer(nest, random, rounds):
    """Run the walker beside a filter buffer that fills at random; check all it emits."""
    config = nest.mapping.config
    dut = ChunkWalker(config)
    steps = steps_of(nest)
    positions, loads = filter_positions(nest)
    bits, counted = len(dut.o_lane.offset), 1 << len(dut.i_loaded)
    fill_rate, start_rate = random.choice([0.3, 0.7, 1]), random.choice([0.1, 0.5, 1])

    async def one_round(ctx):
        ctx.set(dut.i_loaded, 0)
        await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        loaded, started, lane, used = 0, 0, 0, 0
        while not ctx.get(dut.o_done):
            full = ctx.get(dut.o_full)
            start = full and random.random() < start_rate
            ctx.set(dut.i_start, start)
            if full:
                assert lane == config.rows
                wanted = chunk_of(steps[started], positions[started], nest)
                chunk = ctx.get(dut.o_chunk)
                assert {key: chunk[key] for key in wanted} == wanted
            if start:
                # All that was read by then; lines of a pixel group are read again by the next.
                used = max(used, positions[started][-1] + 1)
                started, lane = started + 1, 0
            if ctx.get(dut.o_lane.valid):
                assert lane < config.rows
                elements = steps[started].elements
                assert ctx.get(dut.o_lane.used) == (lane < len(elements))
                if lane < len(elements):
                    wanted = lane_offset(steps[started], lane, nest, bits)
                    assert ctx.get(dut.o_lane.offset) == wanted
                    assert positions[started][lane - len(elements)] < loaded
                lane += 1
            await ctx.tick()
            # The ring keeps what is not used yet, and all of it where a later step comes back.
            room = loaded < loads and loaded - _kept(positions, started) < config.filter_lines
            loaded += room and random.random() < fill_rate
            ctx.set(dut.i_loaded, loaded % counted)
        ctx.set(dut.i_start, 0)
        assert started == len(steps)
        assert loaded == loads

    async def drive(ctx):
        set_layer(ctx, dut, descriptor_of(nest))
        for _ in range(rounds):
            await one_round(ctx)
            await ctx.tick().repeat(random.randint(1, 3))

    bench.run(dut, drive, cycles=100_000)


def _kept(positions, started):
    """Position of the oldest line that a later step needs."""
    return min((min(lines) for lines in positions[started:]), default=0)


@settings(max_examples=25, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=1500, configs=OUTPUT_STATIONARY),
    random=st.randoms(use_true_random=True),
)
def test_chunks_are_those_of_a_literal_walk(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=1)


@settings(max_examples=4, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=400, configs=OUTPUT_STATIONARY),
    random=st.randoms(use_true_random=True),
)
def test_a_walker_starts_anew_with_each_layer(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=2)

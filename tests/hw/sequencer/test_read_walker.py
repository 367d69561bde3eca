"""Read segments against a literal walk of the nest."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.read_walker import ReadWalker
from stillflow.sim import bench
from stillflow.sim.golden.walks import check_segments, complete_tiles
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import (
    CONFIGS,
    NO_SHRINK,
    OUTPUT_STATIONARY,
    descriptor_of,
    nests,
)


def run_walker(nest, random, rounds=1):
    """Return the segments of each round, as they were taken, beside slots freed at random."""
    config, fields = nest.mapping.config, descriptor_of(nest)
    dut = ReadWalker(config)
    seen = []
    dawdles = random.choice([0.0, 0.5])
    frees_soon = random.choice([0.2, 0.02])

    async def take(ctx):
        set_layer(ctx, dut, fields)
        for _ in range(rounds):
            await ctx.tick().repeat(random.randint(1, 3))
            assert ctx.get(dut.o_done)
            segments = []
            seen.append(segments)
            freed = 0
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            pending = None
            while not ctx.get(dut.o_done):
                ctx.set(dut.o_segment.ready, random.random() >= dawdles)
                valid, ready = ctx.get(dut.o_segment.valid), ctx.get(dut.o_segment.ready)
                segment = ctx.get(dut.o_segment.payload.as_value()) if valid else None
                assert pending is None or segment == pending
                pending = segment if valid and not ready else None
                if valid and ready:
                    word = dut.o_segment.payload.shape().from_bits(segment)
                    segments.append({key: word[key] for key in dict(word.shape())})
                    segments[-1]["freed"] = freed
                # A slot comes free at any time, if one is in use.
                frees = complete_tiles(segments, nest) > freed and random.random() < frees_soon
                ctx.set(dut.i_tile_freed, frees)
                await ctx.tick()
                freed += frees
            ctx.set(dut.i_tile_freed, 0)

    bench.run(dut, take, cycles=200_000)
    return seen


@settings(max_examples=40, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=2500, configs=CONFIGS + OUTPUT_STATIONARY),
    random=st.randoms(use_true_random=True),
)
def test_segments_are_those_of_a_literal_walk(drawn, random):
    _, nest = drawn
    (segments,) = run_walker(nest, random)
    check_segments(segments, nest)


@settings(max_examples=4, phases=NO_SHRINK)
@given(drawn=nests(most_macs=500), seed=st.integers(0, 99))
def test_a_walker_starts_anew_with_each_layer(drawn, seed):
    _, nest = drawn
    for segments in run_walker(nest, Random(seed), rounds=2):
        check_segments(segments, nest)

"""The walk over the reduction against a literal one."""

from itertools import groupby

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.k_walk import KWalk
from stillflow.sim import bench
from stillflow.sim.golden.walks import steps_of
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import NO_SHRINK, descriptor_of, nests


@settings(max_examples=15, phases=NO_SHRINK)
@given(drawn=nests(most_macs=2500), random=st.randoms(use_true_random=True))
def test_elements_come_in_chunks_as_a_literal_walk_takes_them(drawn, random):
    _, nest = drawn
    mapping = nest.mapping
    dut = KWalk(mapping.config)
    # One pass over each reduction tile of the first filter block.
    tiles = [
        list(steps)
        for _, steps in groupby(steps_of(nest), key=lambda step: (step.g, step.tile, step.block))
    ][: 3 * mapping.c_count * mapping.windows]

    def is_last(steps):
        """Whether it is the last tile along the channels, which comes from the loops around."""
        return (steps[0].tile // mapping.windows + 1) % mapping.c_count == 0

    async def drive(ctx):
        set_layer(ctx, dut, descriptor_of(nest))
        await ctx.tick()
        ctx.set(dut.i_coming_last_tile, is_last(tiles[0]))
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        for steps, later in zip(tiles, [*tiles[1:], tiles[0]], strict=True):
            ctx.set(dut.i_last_tile, is_last(steps))
            ctx.set(dut.i_coming_last_tile, is_last(later))
            groups = steps[-1].groups - steps[0].groups + 1
            assert ctx.get(dut.o_groups) == groups
            base = steps[0].tile % mapping.slots * mapping.slot_size
            for number, step in enumerate(steps):
                for lane, element in enumerate(step.elements):
                    for _ in range(random.choice([0, 0, 1])):
                        await ctx.tick()
                    chunk_ends = lane == len(step.elements) - 1
                    tile_ends = chunk_ends and number == len(steps) - 1
                    assert ctx.get(dut.o_offset) == element - base
                    assert ctx.get(dut.o_group) == step.groups - steps[0].groups
                    assert ctx.get(dut.o_first) == (number == lane == 0)
                    assert ctx.get(dut.o_done) == tile_ends
                    # A full chunk ends by itself; after the last element there is nothing to say.
                    if not tile_ends and len(step.elements) < mapping.config.rows:
                        assert ctx.get(dut.o_breaks) == chunk_ends
                    if ctx.get(dut.o_breaks):
                        assert chunk_ends
                    ctx.set(dut.i_step, 1)
                    await ctx.tick()
                    ctx.set(dut.i_step, 0)

    bench.run(dut, drive, cycles=20_000)

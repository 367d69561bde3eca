from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.tile_place import TilePlace
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import config_of


@settings(max_examples=15)
@given(
    slots=st.integers(1, 5),
    size=st.integers(1, 40),
    stride=st.integers(0, 9),
    random=st.randoms(use_true_random=True),
)
def test_slots_are_taken_in_turn_and_psums_begin_anew_with_a_tile(slots, size, stride, random):
    dut = TilePlace(config_of(4, 4, 2, 32))

    async def drive(ctx):
        set_layer(ctx, dut, {"slots": slots, "slot_size": size, "psum_stride": stride})
        for _ in range(2):
            ctx.set(dut.i_begin, 1)
            await ctx.tick()
            ctx.set(dut.i_begin, 0)
            tile = block = groups = 0
            for _ in range(60):
                what = random.choice(["tile", "block", "none"])
                come = random.randint(1, 7)
                ctx.set(dut.i_next_tile, what == "tile")
                ctx.set(dut.i_next_block, what == "block")
                ctx.set(dut.i_groups, come)
                assert ctx.get(dut.o_element) == tile % slots * size
                assert ctx.get(dut.o_psum) == block * stride % (1 << len(dut.o_psum))
                assert ctx.get(dut.o_groups) == groups
                if what == "tile":
                    tile, block, groups = tile + 1, 0, groups + come
                block += what == "block"
                await ctx.tick()

    bench.run(dut, drive)

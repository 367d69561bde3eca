"""Pixels of a tile against a literal walk, with rewinds and restarts."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.pixel_walk import PixelWalk
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import config_of


@settings(max_examples=25)
@given(
    tile=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    strides=st.tuples(st.integers(0, 300), st.integers(0, 60), st.integers(0, 9)),
    random=st.randoms(use_true_random=True),
)
def test_the_walk_goes_on_restarts_and_comes_back_to_its_mark(tile, strides, random):
    dut = PixelWalk(config_of(4, 4, 2, 32))
    size = 1 << len(dut.o_offset)
    pixels = [
        sum(i * stride for i, stride in zip(place, strides, strict=True)) % size
        for place in product(*map(range, tile))
    ]

    async def drive(ctx):
        layer = dict(zip(("stride_n", "stride_e", "stride_f"), strides, strict=True))
        set_layer(ctx, dut, layer)
        for signal, count in zip((dut.i_images, dut.i_rows, dut.i_columns), tile, strict=True):
            ctx.set(signal, count)
        ctx.set(dut.i_restart, 1)
        ctx.set(dut.i_mark, 1)
        await ctx.tick()
        here = mark = 0
        for _ in range(4 * len(pixels) + 8):
            step, mark_here = random.random() < 0.7, random.random() < 0.3
            restart, rewind = random.random() < 0.1, random.random() < 0.1
            for name, value in {
                "step": step, "mark": mark_here, "restart": restart, "rewind": rewind,
            }.items():  # fmt: skip
                ctx.set(getattr(dut, f"i_{name}"), value)
            assert ctx.get(dut.o_offset) == pixels[here]
            assert ctx.get(dut.o_index) == here
            assert ctx.get(dut.o_last) == (here == len(pixels) - 1)
            if restart:
                here = 0
            elif rewind:
                here = mark
            elif step:
                here = (here + 1) % len(pixels)
            if mark_here:
                mark = here
            await ctx.tick()

    bench.run(dut, drive)

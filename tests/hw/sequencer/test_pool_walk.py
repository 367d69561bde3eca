"""Windows along both axes against a list of all of them."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.presets import TINY
from stillflow.hw.sequencer.pool_walk import PoolWalk
from stillflow.hw.work import Windows
from stillflow.sim import bench
from tests.hw.layers import set_layer

CONFIG = replace(TINY, pool_windows=8)


@settings(max_examples=30)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    overlaps=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    windows=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    random=st.randoms(use_true_random=True),
)
def test_pixels_open_and_close_the_windows_that_have_them(size, overlaps, windows, random):
    stride = max(1, size[0] - overlaps[0]), max(1, size[1] - overlaps[1])
    pool = Windows(size=size, stride=stride)
    rows, columns = (pool.pixels(axis, count) for axis, count in enumerate(windows))
    starts = [[w * stride[axis] for w in range(windows[axis])] for axis in (0, 1)]
    dut = PoolWalk(CONFIG)

    def ends(axis, place):
        return place - size[axis] + 1 in starts[axis]

    def opens(axis, place):
        """Whether no window has a pixel and the one before it."""
        return not any(first < place < first + size[axis] for first in starts[axis])

    async def drive(ctx):
        fields = {
            "pool_r": size[0] - 1, "pool_s": size[1] - 1, "pool_stride_e": stride[0] - 1,
            "pool_stride_f": stride[1] - 1,
        }  # fmt: skip
        set_layer(ctx, dut, fields)
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        for _ in range(2):  # two tiles
            for row in range(rows):
                for column in range(columns):
                    ctx.set(dut.i_column_last, column == columns - 1)
                    ctx.set(dut.i_row_last, row == rows - 1)
                    while random.random() < 0.3:
                        ctx.set(dut.i_step, 0)
                        await ctx.tick()
                    ctx.set(dut.i_step, 1)
                    found = [
                        ctx.get(getattr(dut, f"o_{name}"))
                        for name in ("row_opens", "row_closes", "column_opens", "column_closes")
                    ]
                    assert found == [
                        opens(0, row), ends(0, row), opens(1, column), ends(1, column),
                    ]  # fmt: skip
                    assert ctx.get(dut.o_closes) == (ends(0, row) and ends(1, column))
                    await ctx.tick()

    bench.run(dut, drive)

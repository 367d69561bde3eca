from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.row_pieces import RowPieces
from stillflow.sim import bench

rows = st.tuples(
    st.one_of(st.integers(-20, 40), st.integers(-(1 << 24), (1 << 24) - 1)),
    st.one_of(st.integers(1, 40), st.integers(1, (1 << 24) - 1)),
    st.one_of(st.integers(1, 40), st.integers(1, (1 << 24) - 1)),
)


@settings(max_examples=20)
@given(rows=st.lists(rows, min_size=1, max_size=20))
def test_pieces_cover_the_row_and_hold(rows):
    dut = RowPieces(24)

    async def drive(ctx):
        for element0, width, size in rows:
            ctx.set(dut.i_element0, element0)
            ctx.set(dut.i_width, width)
            ctx.set(dut.i_size, size)
            ctx.set(dut.i_take, 1)
            await ctx.tick()
            ctx.set(dut.i_take, 0)
            ctx.set(dut.i_element0, 0)
            await ctx.tick()
            filled = max(0, min(element0 + width, size) - max(element0, 0))
            assert ctx.get(dut.o_has_filled) == (filled > 0)
            if filled:
                assert ctx.get(dut.o_filled) == filled
                assert ctx.get(dut.o_covered) == max(0, -element0) + filled
                assert ctx.get(dut.o_has_left) == (element0 < 0)
                assert ctx.get(dut.o_has_right) == (element0 + width > size)
                assert ctx.get(dut.o_left) == max(0, -element0)
                assert ctx.get(dut.o_right) == max(0, element0 + width - size)

    bench.run(dut, drive)

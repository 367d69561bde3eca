import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.sram import Sram
from stillflow.sim import bench


@settings(max_examples=10)
@given(
    depth=st.sampled_from([1, 2, 5, 16]),
    width=st.sampled_from([1, 8, 100]),
    random=st.randoms(use_true_random=True),
)
def test_reads_give_what_was_written_and_hold(depth, width, random):
    dut = Sram(depth=depth, width=width)

    async def drive(ctx):
        words, shown = {}, None
        for _ in range(80):
            writes, reads = random.random() < 0.5, random.random() < 0.5
            place, word = random.randrange(depth), random.getrandbits(width)
            source = random.randrange(depth)
            reads &= source in words and not (writes and source == place)
            ctx.set(dut.i_write_en, writes)
            ctx.set(dut.i_write_addr, place)
            ctx.set(dut.i_write_data, word)
            ctx.set(dut.i_read_en, reads)
            ctx.set(dut.i_read_addr, source)
            shown = words[source] if reads else shown
            if writes:
                words[place] = word
            await ctx.tick()
            assert shown is None or ctx.get(dut.o_read_data) == shown

    bench.run(dut, drive)


@pytest.mark.parametrize(("depth", "width"), [(1, 4), (384, 32)])
def test_the_unit_is_named_after_its_size(depth, width):
    dut = Sram(depth=depth, width=width)
    assert dut.unit_name == f"sram_1r1w_{depth}x{width}"
    assert dut.unit_key == (depth, width)

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.filter_position import FilterPosition
from stillflow.sim import bench
from tests.hw.sequencer.nests import config_of


@settings(max_examples=20)
@given(random=st.randoms(use_true_random=True))
def test_the_position_walks_round_the_ring_and_back_to_its_marks(random):
    config = config_of(4, 4, 1, 32)
    dut = FilterPosition(config)
    lines, counted = config.filter_lines, 1 << len(dut.o_here.position)

    async def drive(ctx):
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        here = group = block = 0
        marked = False
        for _ in range(200):
            step = random.choice([0, 1, 1, 1, config.bias_lines, config.bias_lines + 4])
            marks_block, marks_group = random.random() < 0.1, random.random() < 0.05
            marked = marked or marks_block
            to_block = marked and random.random() < 0.1
            to_group = random.random() < 0.05
            for name, value in {
                "lines": step, "mark_block": marks_block, "to_block": to_block,
                "mark_group": marks_group, "to_group": to_group,
            }.items():  # fmt: skip
                ctx.set(getattr(dut, f"i_{name}"), value)
            shown = ctx.get(dut.o_here)
            assert (shown.position, shown.line) == (here % counted, here % lines)
            block = here if marks_block else block
            before, here = here, here + step
            if to_block:
                here = block
            if to_group:
                here = group
            group = before if marks_group else group
            await ctx.tick()

    bench.run(dut, drive)

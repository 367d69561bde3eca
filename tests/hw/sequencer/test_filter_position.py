from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.filter_position import FilterPosition
from stillflow.sim import bench
from stillflow.sim.golden.walks import filter_place
from tests.hw.sequencer.nests import config_of


@settings(max_examples=20)
@given(random=st.randoms(use_true_random=True))
def test_the_position_walks_round_the_ring_and_back_to_its_marks(random):
    walk(config_of(4, 4, 1, 32), random)


@settings(max_examples=20)
@given(rows=st.sampled_from([1, 3, 4]), random=st.randoms(use_true_random=True))
def test_with_banks_it_walks_from_bank_to_bank(rows, random):
    walk(config_of(rows, 4, 1, 32, dataflow="nlr"), random)


def walk(config, random):
    dut = FilterPosition(config)
    counted = 1 << len(dut.o_here.position)

    async def drive(ctx):
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        here = group = block = 0
        marked = False
        for _ in range(200):
            several = [] if config.reads_weights else [config.bias_lines, config.bias_lines + 4]
            step = random.choice([0, 1, 1, 1, *several])
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
            assert shown.position == here % counted
            place = filter_place(here, config)
            assert {key: shown.place[key] for key in place} == place
            block = here if marks_block else block
            before, here = here, here + step
            if to_block:
                here = block
            if to_group:
                here = group
            group = before if marks_group else group
            await ctx.tick()

    bench.run(dut, drive)

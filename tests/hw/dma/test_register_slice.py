"""Register slices against a queue."""

from random import Random

from amaranth.hdl import unsigned
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.dma.register_slice import RegisterSlice
from stillflow.sim import bench


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    comes=st.sampled_from([0.2, 0.7, 1]),
    goes=st.sampled_from([0.2, 0.7, 1]),
)
def test_words_come_in_order_and_stay_until_they_are_taken(seed, comes, goes):
    dut, random = RegisterSlice(unsigned(8)), Random(seed)
    sent, got, held = [], [], None

    async def drive(ctx):
        nonlocal held
        valid = False
        for _ in range(200):
            if not valid and random.random() < comes:
                valid = True
                ctx.set(dut.i.payload, random.randrange(256))
            ctx.set(dut.i.valid, valid)
            takes = random.random() < goes
            before = ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            ctx.set(dut.o.ready, takes)
            # Nothing passes through in the same cycle.
            assert before == (ctx.get(dut.i.ready), ctx.get(dut.o.valid), ctx.get(dut.o.payload))
            assert held in (None, before[2] if before[1] else -1)
            if before[1]:
                held = None if takes else before[2]
                got.extend([before[2]] * takes)
            if valid and before[0]:
                sent.append(ctx.get(dut.i.payload))
                valid = False
            await ctx.tick()
        assert got == sent[: len(got)]
        assert len(sent) - len(got) <= 2
        if comes == goes == 1:
            assert len(got) == 199

    bench.run(dut, drive)

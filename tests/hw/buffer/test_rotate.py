import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data

from stillflow.hw.buffer.rotate import rotate_left, rotate_right
from stillflow.sim import bench


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_words_move_round_by_any_amount(count):
    words = [10 + i for i in range(count)]
    array = data.ArrayLayout(8, count)
    source, left, right = (Signal(array, name=n) for n in ("source", "left", "right"))
    amount = Signal(range(max(2, count)))
    parts = [source[i] for i in range(count)]
    m = Module()
    for target, rotated in (
        (left, rotate_left(m, parts, amount, "to_left")),
        (right, rotate_right(m, parts, amount, "to_right")),
    ):
        assert len(rotated) == count
        m.d.comb += [target[i].eq(word) for i, word in enumerate(rotated)]
    m.d.sync += Signal().eq(0)

    async def drive(ctx):
        ctx.set(source, words)
        for steps in range(count):
            ctx.set(amount, steps)
            assert list(ctx.get(left)) == words[steps:] + words[:steps]
            assert list(ctx.get(right)) == words[count - steps :] + words[: count - steps]

    bench.run(m, drive)

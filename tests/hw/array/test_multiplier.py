from random import Random

import pytest

from stillflow.hw.array.multiplier import Multiplier
from stillflow.sim import bench


def words(random, bits):
    half = 1 << (bits - 1)
    return random.choice([-half, half - 1, 0, random.randrange(-half, half)])


@pytest.mark.parametrize("bits", [(8, 8), (16, 8), (3, 16)])
@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize("registered", [False, True])
def test_the_product_is_late_and_a_held_word_stays(bits, holds, registered):
    rng = Random(1)
    dut = Multiplier(*bits, holds=holds, registered=registered)

    async def drive(ctx):
        held = None
        pairs = [(0, 0)]
        for _ in range(200):
            a, b, load = words(rng, bits[0]), words(rng, bits[1]), rng.random() < 0.3
            ctx.set(dut.i_a, a)
            ctx.set(dut.i_b, b)
            if holds:
                ctx.set(dut.i_load, load)
            pairs.append((a, b))
            a, other = pairs[-1 - registered]
            factor = held if holds else other
            held = b if load else held
            await ctx.tick()
            assert factor is None or ctx.get(dut.o_product) == a * factor

    bench.run(dut, drive)


def test_names_tell_the_words_and_what_stays():
    assert Multiplier(8, 16).unit_name == "multiplier_8x16"
    assert Multiplier(8, 8, holds=True).unit_name == "multiplier_8x8_held"
    assert Multiplier(8, 8, registered=True).unit_name == "multiplier_8x8_registered"

"""Requantiser lanes against exact integer arithmetic and against float32 itself."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.requantize import RequantLane
from stillflow.hw.post.requantize_serial import SerialRequantLane
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import requant_tail
from stillflow.sim import bench
from stillflow.sim.golden.requantize import requantize

LOW, HIGH = 1 << 23, (1 << 24) - 1  # smallest and largest significand
WIDTHS = [(24, 8), (25, 8), (32, 8), (32, 16), (48, 16)]
STRIDE = 5  # a serial lane takes long: it gets a fifth of the words

pytestmark = pytest.mark.parametrize("lane", [RequantLane, SerialRequantLane])


def config_of(lane, acc_bits, act_bits):
    return AcceleratorConfig(
        rows=4,
        cols=4,
        glb_kib=64,
        axi_data_bits=32,
        requant_lanes=1,
        requant_serial=lane is SerialRequantLane,
        acc_bits=acc_bits,
        act_bits=act_bits,
    )


def simulate(lane, acc_bits, act_bits, words, zero_point=0, act_min=None, act_max=None):
    """Send (psum, significand, shift) words back to back; return the values of the lane."""
    config = config_of(lane, acc_bits, act_bits)
    dut = lane(config)
    tail, cycles = requant_tail(config), config.requant_cycles
    values = []

    async def drive(ctx):
        ctx.set(dut.i_zero_point, zero_point)
        ctx.set(dut.i_min, -(1 << (act_bits - 1)) if act_min is None else act_min)
        ctx.set(dut.i_max, (1 << (act_bits - 1)) - 1 if act_max is None else act_max)
        for psum, significand, shift in itertools.chain(words, [(0, 0, 0)] * tail):
            ctx.set(dut.i_psum, psum)
            ctx.set(dut.i_significand, significand)
            ctx.set(dut.i_shift, shift)
            for cycle in range(cycles):
                if config.requant_serial:
                    ctx.set(dut.i_start, cycle == 0)
                    ctx.set(dut.i_last, cycle == cycles - 1)
                    ctx.set(dut.i_count, dut.first_count(config) + cycle)
                await ctx.tick()
                values.append(ctx.get(dut.o_value))

    bench.run(dut, drive, cycles=(len(words) + tail) * cycles + 5)
    return values[cycles + tail - 2 :: cycles][: len(words)]


def to_24_bits(value):
    """Nearest number of 24 significant bits, half to even."""
    if value == 0:
        return value
    exponent = 0
    while abs(value) >= 1 << 24:
        value, exponent = value / 2, exponent + 1
    while abs(value) < 1 << 23:
        value, exponent = value * 2, exponent - 1
    return round(value) * Fraction(2) ** exponent  # round is half to even


def model(word, zero_point=0, act_min=-128, act_max=127):
    psum, significand, shift = word
    product = to_24_bits(to_24_bits(Fraction(psum)) * significand) / (1 << shift)
    return min(max(round(product) + zero_point, act_min), act_max)


def check(lane, acc_bits, act_bits, words, zero_point=0, act_min=None, act_max=None):
    act_min = -(1 << (act_bits - 1)) if act_min is None else act_min
    act_max = (1 << (act_bits - 1)) - 1 if act_max is None else act_max
    words = words[:: STRIDE if lane is SerialRequantLane else 1]
    wanted = [model(word, zero_point, act_min, act_max) for word in words]
    got = simulate(lane, acc_bits, act_bits, words, zero_point, act_min, act_max)
    wrong = [row for row in zip(words, got, wanted, strict=True) if row[1] != row[2]]
    assert not wrong, f"{len(wrong)} differ, first (word, got, wanted): {wrong[0]}"
    return wanted


def shift_into_range(rng, psum, significand, act_bits):
    """Return a shift that brings the result near the range of an activation."""
    bits = (psum * significand).bit_length()
    return int(np.clip(bits - rng.integers(-2, act_bits + 3), 0, 255))


def random_psum(rng, acc_bits):
    """Draw a psum with a random number of bits, often next to a power of two."""
    bits = int(rng.integers(0, acc_bits))
    psum = int(rng.integers(0, 1 << bits)) if rng.random() < 0.8 else (1 << bits) - 1
    psum += int(rng.integers(0, 2))
    return (
        max(-psum, -(1 << (acc_bits - 1)))
        if rng.random() < 0.5
        else min(psum, (1 << (acc_bits - 1)) - 1)
    )


def random_words(seed, acc_bits, act_bits, count):
    rng = np.random.default_rng(seed)
    words = []
    for _ in range(count):
        psum = random_psum(rng, acc_bits)
        significand = int(rng.choice([LOW, LOW + 1, HIGH, int(rng.integers(LOW, HIGH + 1))]))
        words.append((psum, significand, shift_into_range(rng, psum, significand, act_bits)))
    return words


@pytest.mark.parametrize(
    ("acc_bits", "act_bits", "zero_point"),
    [(24, 8, 0), (25, 8, 127), (32, 8, -128), (32, 16, 5), (48, 16, -32768), (48, 16, 32767)],
)
def test_random_psums_match_exact_arithmetic(lane, acc_bits, act_bits, zero_point):
    words = random_words(acc_bits, acc_bits, act_bits, 3000)
    wanted = check(lane, acc_bits, act_bits, words, zero_point)
    assert len(set(wanted)) > (60 if lane is RequantLane else 40)  # not all saturated


@pytest.mark.parametrize(("acc_bits", "act_bits"), WIDTHS)
def test_extremes_match_at_every_shift(lane, acc_bits, act_bits):
    top = 1 << (acc_bits - 1)
    psums = [0, 1, -1, top - 1, 1 - top, -top]
    check(lane, acc_bits, act_bits, list(itertools.product(psums, [LOW, HIGH], range(256))))


def words_with_patterns(seed, acc_bits, act_bits, count):
    """Products whose 24 bits are an integer, a few bits of fraction, then a run of 0 or 1."""
    rng = np.random.default_rng(seed)
    words = []
    while len(words) < count:
        psum = int(rng.integers(1, 1 << int(rng.integers(1, acc_bits))))
        integer_bits, mixed = int(rng.integers(1, act_bits + 2)), int(rng.integers(0, 5))
        run = max(24 - integer_bits - mixed, 0)
        mixed_word = int(rng.integers(0, 1 << (integer_bits + mixed - 1)))
        target = (((1 << (integer_bits + mixed - 1)) | mixed_word) << run) * 2
        target |= int(rng.integers(0, 2)) * ((2 << run) - 2) | int(rng.integers(0, 2))
        for shift in range(psum.bit_length() - 3, psum.bit_length() + 2):
            significand = (target << max(shift, 0) >> max(-shift, 0)) // psum + 1
            if LOW <= significand <= HIGH:
                significand -= int(rng.integers(0, 2)) if significand > LOW else 0
                sign = int(rng.choice([-1, 1]))
                words.append((sign * psum, significand, shift + 1 + run + mixed))
    return words


@pytest.mark.parametrize(("acc_bits", "act_bits"), WIDTHS)
def test_ties_made_or_broken_by_the_first_rounding_match(lane, acc_bits, act_bits):
    words = words_with_patterns(acc_bits, acc_bits, act_bits, 2500)
    made = 0
    for psum, significand, shift in words:
        product = to_24_bits(Fraction(psum)) * significand
        is_tie = (to_24_bits(product) * 2 / (1 << shift)) % 2 == 1
        made += is_tie and (product * 2 / (1 << shift)) % 2 != 1
    assert made > 100
    check(lane, acc_bits, act_bits, words)


@pytest.mark.parametrize("excess", [-1, 1, 1 << 11])
def test_the_lowest_product_bits_decide_the_first_rounding(lane, excess):
    # 47-bit products = 15 bits of integer, a fraction of 1000_0000_0 or 0111_1111_1, then half a
    # unit of the 24th bit + excess: what is lost in the first rounding decides the second.
    rng = np.random.default_rng(7)
    psum = rng.integers(LOW // 2, HIGH // 2, 1 << 20, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    inverse = psum.copy()
    for _ in range(5):
        inverse *= np.uint64(2) - psum * inverse  # modulo 2^64
    significand = (inverse * np.uint64((1 << 22) + excess)) & np.uint64(HIGH)
    product = psum * significand
    fraction = (product >> np.uint64(23)) & np.uint64(0x1FF)
    fits = (significand >= LOW) & (product < 1 << 47)
    fits &= (fraction == 0x100) | (fraction == 0x0FF)
    words = [(int(p), int(s), 32) for p, s in zip(psum[fits], significand[fits], strict=True)]
    assert len(words) > 300
    check(lane, 32, 16, words)


def test_exact_ties_round_to_even(lane):
    words = [(psum, LOW, 24) for psum in range(-9, 10)]  # psum / 2
    values = [-4, -4, -4, -3, -2, -2, -2, -1, 0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 4]
    assert simulate(lane, 32, 8, words) == values


def test_psums_beyond_24_bits_round_to_even(lane):
    psums = [(1 << 24) + offset for offset in range(-3, 6)] + [(1 << 31) - 1, 0x7FFFFF40]
    words = [
        (sign * psum, LOW, 23 + shift)
        for psum in psums
        for sign in (1, -1)
        for shift in (17, 18, 24, 25, 26)
    ]
    check(lane, 32, 8, words)


def test_zero_significand_gives_the_zero_point(lane):
    words = [(psum, 0, shift) for psum in (-(1 << 31), 5, (1 << 31) - 1) for shift in range(256)]
    assert set(simulate(lane, 32, 8, words, zero_point=-7)) == {-7}


@settings(max_examples=25, deadline=None)
@given(
    words=st.lists(
        st.tuples(
            st.integers(-(1 << 31), (1 << 31) - 1), st.integers(LOW, HIGH), st.integers(0, 255)
        ),
        min_size=1,
        max_size=30,
    ),
    zero_point=st.integers(-128, 127),
    bounds=st.tuples(st.integers(-128, 127), st.integers(-128, 127)).map(sorted),
)
@example(words=[(-(1 << 31), HIGH, 0), ((1 << 31) - 1, HIGH, 255)], zero_point=0, bounds=[5, 5])
def test_values_saturate_at_any_bounds(lane, words, zero_point, bounds):
    check(lane, 32, 8, words, zero_point, *bounds)


def float32_cases(lane, seed):
    count = 3000 // (STRIDE if lane is SerialRequantLane else 1)
    rng = np.random.default_rng(seed)
    psums = rng.integers(-(1 << 31), 1 << 31, count) >> rng.integers(0, 31, count)
    scales = (rng.uniform(20, 140, count) / np.maximum(np.abs(psums), 1)).astype(np.float32)
    pairs = zip(psums.tolist(), scales.tolist(), strict=True)
    return psums, scales, [(psum, *encode_scale(scale)) for psum, scale in pairs]


def test_values_match_numpy_float32(lane):
    psums, scales, words = float32_cases(lane, 1)
    products = psums.astype(np.int32).astype(np.float32) * scales
    wanted = np.clip(np.rint(products).astype(np.int64) + 3, -100, 110)
    np.testing.assert_array_equal(simulate(lane, 32, 8, words, 3, -100, 110), wanted)


def test_values_match_the_golden_model(lane):
    psums, scales, words = float32_cases(lane, 2)
    wanted = requantize(psums[np.newaxis], scales, -5, -128, 100, np.int8)[0]
    np.testing.assert_array_equal(simulate(lane, 32, 8, words, -5, -128, 100), wanted)

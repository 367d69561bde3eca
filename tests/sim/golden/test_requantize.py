import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.sim.golden.requantize import requantize

INT8 = (-128, 127, np.int8)


def in_float32(psums, scale, zero_point, act_min, act_max, dtype):
    """Take the same three roundings on the machine's float32 unit."""
    column = np.reshape(np.asarray(scale, np.float32), (-1,) + (1,) * (psums.ndim - 2))
    rounded = np.rint(psums.astype(np.float32) * column).astype(np.float64) + zero_point
    return np.clip(rounded, act_min, act_max).astype(dtype)


def accumulators(rng, bits, kind, count):
    """Psums of both signs and of up to ``bits`` bits."""
    top = 2**bits
    if kind == "any":
        psums = rng.integers(0, top, count)
    elif kind == "near the top":
        psums = top - 1 - rng.integers(0, min(top, 64), count)
    else:  # 24 significant bits and one half, or one off
        rest = max(bits - 25, 0)
        ties = (2 * rng.integers(2**23, 2**24, count) + 1) << rest
        psums = np.minimum(ties + rng.integers(-1, 2, count), 2**53 - 1)
    return psums * rng.choice([-1, 1], count)


@given(
    bits=st.integers(1, 53),
    kind=st.sampled_from(["any", "near the top", "ties"]),
    word_bits=st.integers(-3, 24),
    zero_point=st.integers(-128, 127),
    bounds=st.tuples(st.integers(-128, 127), st.integers(-128, 127)).map(sorted),
    seed=st.integers(0, 2**32 - 1),
)
def test_words_match_float32_arithmetic(bits, kind, word_bits, zero_point, bounds, seed):
    rng = np.random.default_rng(seed)
    psums = accumulators(rng, bits, kind, 400).reshape(5, 4, 4, 5)
    scale = (2.0 ** (word_bits - bits) * rng.uniform(0.5, 1, 4)).astype(np.float32)
    act_min, act_max = bounds
    got = requantize(psums, scale, zero_point, act_min, act_max, np.int8)
    assert got.dtype == np.int8
    expected = in_float32(psums, scale, zero_point, act_min, act_max, np.int8)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("power", range(31))
def test_every_multiple_of_a_quarter_word_matches_float32(dtype, power):
    """Exact ties of the last rounding, at accumulators of every length."""
    word = np.iinfo(dtype)
    psums = np.arange(4 * (int(word.min) - 9), 4 * (int(word.max) + 9))[np.newaxis] << power
    scale = float(np.float32(2.0 ** -(power + 2)))
    got = requantize(psums, scale, 3, int(word.min), int(word.max), dtype)
    assert got.dtype == dtype
    expected = in_float32(psums, scale, 3, word.min, word.max, dtype)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("scale", [2.0**-149, 2.0**-126, 2.0**-24, 1.0, 2.0**23, 2.0**24 - 1])
@pytest.mark.parametrize("zero_point", [-(2**15), 0, 2**15 - 1])
def test_extremes_match_float32_arithmetic(scale, zero_point):
    ends = [2**k + d for k in (0, 1, 23, 24, 25, 31, 47, 52) for d in (-1, 0, 1)]
    psums = np.array([[*ends, 2**53 - 1]])
    psums = np.concatenate([psums, -psums], axis=1)
    words = (-(2**15), 2**15 - 1, np.int16)
    got = requantize(psums, scale, zero_point, *words)
    np.testing.assert_array_equal(got, in_float32(psums, scale, zero_point, *words))


@pytest.mark.parametrize(
    ("psum", "scale", "word"),
    [
        (2**24 + 1, 2.0**-19, 32),  # the psum's last bit is gone before the product
        (2**24 + 1, 2.0**-24, 1),
        (2**25 + 2**19 + 1, 2.0**-20, 32),  # 32.5 once the 1 is gone: to even
        (2**25 + 2**19 + 3, 2.0**-20, 33),  # above 32.5: up
        (3, float(np.float32(1 / 6)), 0),  # 0.5 once the product's last bits are gone: to even
        (-5, 0.5, -2),
        (-7, 0.5, -4),
        (0, 2.0**24 - 1, 0),
    ],
)
def test_worked_examples(psum, scale, word):
    assert requantize(np.array([[psum]]), scale, 0, *INT8).item() == word


def test_each_channel_has_its_own_scale():
    psums = np.full((2, 3, 1, 2), 10)
    scale = np.array([0.5, 1, 2], np.float32)
    words = requantize(psums, scale, 1, -128, 15, np.int8)
    assert words[1, :, 0, 1].tolist() == [6, 11, 15]


def test_matrix_without_a_plane_is_taken():
    psums = np.array([[10, 10], [20, 20]])
    words = requantize(psums, np.array([0.5, 1], np.float32), 0, *INT8)
    assert words.tolist() == [[5, 10], [10, 20]]


@pytest.mark.parametrize("bounds", [(-129, 0), (5, 4), (0, 128)])
def test_saturation_bounds_must_rise_within_the_type(bounds):
    act_min, act_max = bounds
    message = rf"^act_min and act_max must rise within -128\.\.127, not \({act_min}, {act_max}\)$"
    with pytest.raises(ValueError, match=message):
        requantize(np.zeros((1, 1), np.int64), 1.0, 0, act_min, act_max, np.int8)


@pytest.mark.parametrize("zero_point", [-1, 256])
def test_zero_point_must_be_a_word(zero_point):
    with pytest.raises(ValueError, match=rf"^zero_point must be in 0\.\.255, not {zero_point}$"):
        requantize(np.zeros((1, 1), np.int64), 1.0, zero_point, 0, 255, np.uint8)


@pytest.mark.parametrize("psum", [2**53, -(2**53), -(2**63)])
def test_psums_beyond_any_accumulator_are_refused(psum):
    with pytest.raises(ValueError, match=rf"^psums must be within 2\^53, not {abs(psum)}$"):
        requantize(np.array([[0, psum]]), 1.0, 0, *INT8)


def test_float_psums_are_refused():
    with pytest.raises(TypeError, match=r"^psums must hold integers, not 'float64'$"):
        requantize(np.zeros((1, 1)), 1.0, 0, *INT8)  # pyright: ignore[reportArgumentType]


def test_one_scale_for_each_channel_is_needed():
    with pytest.raises(ValueError, match=r"^scale must have shape \(3,\), not \(2,\)$"):
        requantize(np.zeros((1, 3, 1, 1), np.int64), np.ones(2, np.float32), 0, *INT8)


@pytest.mark.parametrize("scale", [0.1, -1.0, 0.0, float("nan")])
def test_scale_must_be_a_positive_float32(scale):
    with pytest.raises(ValueError, match=rf"^scale must be a positive float32, not {scale}$"):
        requantize(np.zeros((1, 1), np.int64), scale, 0, *INT8)

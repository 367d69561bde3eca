import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.scale import encode_scale

SMALLEST, BEYOND = 2.0**-126, 2.0**24  # smallest normal float32; first that has no shift


@given(scale=st.floats(SMALLEST, BEYOND, exclude_max=True, width=32))
def test_significand_and_shift_give_the_scale_back(scale):
    significand, shift = encode_scale(scale)
    assert 1 << 23 <= significand < 1 << 24
    assert 0 <= shift <= 255
    assert math.ldexp(significand, -shift) == scale


@given(bits=st.integers(1, (1 << 23) - 1))
def test_subnormal_scales_are_exact(bits):
    (scale,) = struct.unpack("f", struct.pack("I", bits))
    significand, shift = encode_scale(scale)
    assert 1 << 23 <= significand < 1 << 24
    assert math.ldexp(significand, -shift) == scale


@pytest.mark.parametrize("scale", [0.0, -1.0, 0.1, math.inf, math.nan, 1 + 2.0**-24])
def test_what_is_no_positive_float32_is_refused(scale):
    message = rf"^scale must be a positive float32, not {scale!r}$"
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        encode_scale(scale)


def test_scales_too_large_for_the_shift_are_refused():
    assert encode_scale(BEYOND - 1) == ((1 << 24) - 1, 0)
    with pytest.raises(ValueError, match=r"^scale must be in 2\^-232\.\.2\^24, not 16777216\.0$"):
        encode_scale(BEYOND)

"""Integer scales of a sum, and the half of the ofmap buffer that residuals take."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.presets import PRESETS
from stillflow.hw.residual import SCALE_BITS, encode_join, join_depth, ring_depth

scales = st.floats(1e-4, 1e4)


@given(own=scales, residual=scales)
def test_scales_are_right_to_half_of_their_last_bit(own, residual):
    *encoded, shift = encode_join(own, residual)
    for scale, real in zip(encoded, (own, residual), strict=True):
        assert abs(Fraction(scale) - Fraction(real) * 2**shift) <= Fraction(1, 2)
        assert scale < 1 << SCALE_BITS
    assert max(encoded) >= 1 << (SCALE_BITS - 1) or max(encoded) == (1 << (SCALE_BITS - 1)) - 1


@pytest.mark.parametrize(
    "pair", [(0.0, 1.0), (-1.0, 1.0), (float("inf"), 1.0), (1.0, float("nan")), (1e6, 1.0)]
)
def test_scales_that_no_integer_stands_for_are_refused(pair):
    with pytest.raises(ValueError, match=r"^scales must be "):
        encode_join(*pair)


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_a_beat_of_residuals_never_wraps_within_the_ring(config):
    depth = join_depth(config)
    assert 0 < depth <= config.ofmap_depth // 2
    assert depth * config.channel_block % config.axi_elements == 0
    assert ring_depth(config, joins=True) == depth
    assert ring_depth(config, joins=False) == config.ofmap_depth

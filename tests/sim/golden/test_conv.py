import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.layer import ConvShape
from stillflow.sim.golden import conv as conv_file
from stillflow.sim.golden.conv import conv


@st.composite
def shapes(draw):
    """Small layers of every kind: strides, pads, dilation, groups."""

    def small(low, high):
        return draw(st.integers(low, high))

    G = small(1, 4)
    R, S = small(1, 3), small(1, 3)
    dilation = (small(1, 2), small(1, 2))
    pad = (small(0, 2), small(0, 2), small(0, 2), small(0, 2))
    need = (
        (R - 1) * dilation[0] + 1 - pad[0] - pad[2],
        (S - 1) * dilation[1] + 1 - pad[1] - pad[3],
    )
    return ConvShape(
        N=small(1, 2), G=G, C=G * small(1, 2), M=G * small(1, 2),
        H=max(1, need[0]) + small(0, 2), W=max(1, need[1]) + small(0, 2), R=R, S=S,
        stride=(small(1, 3), small(1, 3)), pad=pad, dilation=dilation,
    )  # fmt: skip


def seven_loops(ifmap, filters, bias, shape, zero_point):
    """Sum as the definition says, in Python integers."""
    s = shape
    psums = np.zeros((s.N, s.M, s.E, s.F), object)
    for n, m, e, f in itertools.product(range(s.N), range(s.M), range(s.E), range(s.F)):
        psums[n, m, e, f] = int(bias[m])
        first = m // (s.M // s.G) * (s.C // s.G)
        for c, r, q in itertools.product(range(s.C // s.G), range(s.R), range(s.S)):
            h = e * s.stride[0] + r * s.dilation[0] - s.pad[0]
            w = f * s.stride[1] + q * s.dilation[1] - s.pad[1]
            if 0 <= h < s.H and 0 <= w < s.W:
                activation = int(ifmap[n, first + c, h, w]) - zero_point
                psums[n, m, e, f] += activation * int(filters[m, c, r, q])
    return psums


@given(
    shape=shapes(),
    act_type=st.sampled_from(["int8", "uint8", "int16"]),
    weight_type=st.sampled_from(["int8", "int16"]),
    extreme=st.booleans(),
    slice_words=st.sampled_from([1, 40, conv_file.SLICE_WORDS]),
    seed=st.integers(0, 2**32 - 1),
)
def test_psums_match_seven_loops(
    draw_words, shape, act_type, weight_type, extreme, slice_words, seed
):
    rng = np.random.default_rng(seed)
    ifmap = draw_words(rng, act_type, (shape.N, shape.C, shape.H, shape.W), extreme=extreme)
    filters = draw_words(
        rng, weight_type, (shape.M, shape.C // shape.G, shape.R, shape.S), extreme=extreme
    )
    bias = rng.integers(-(2**31), 2**31, shape.M)
    zero_point = int(draw_words(rng, act_type, ()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_file, "SLICE_WORDS", slice_words)
        psums = conv(ifmap, filters, bias, shape, zero_point)
    assert psums.dtype == np.int64
    np.testing.assert_array_equal(psums, seven_loops(ifmap, filters, bias, shape, zero_point))


def test_long_int16_reduction_is_exact_near_the_ends():
    shape = ConvShape(C=25088, M=2)
    ifmap = np.full((1, shape.C, 1, 1), -(2**15), np.int16)
    filters = np.full((2, shape.C, 1, 1), -(2**15), np.int16)
    filters[1, 0] = 1
    psums = conv(ifmap, filters, np.array([1, 0]), shape, zero_point=2**15 - 1)
    product = (2**16 - 1) * 2**15
    assert psums.ravel().tolist() == [
        25088 * product + 1,
        25087 * product - (2**16 - 1),
    ]


def test_every_slice_of_a_large_layer_gives_the_same_psums(draw_words):
    shape = ConvShape(N=2, C=12, M=20, G=2, H=17, W=19, R=3, S=3, pad=(1, 1, 1, 1))
    rng = np.random.default_rng(0)
    ifmap = draw_words(rng, "uint8", (2, 12, 17, 19))
    filters = draw_words(rng, "int8", (20, 6, 3, 3))
    bias = np.zeros(20, np.int64)
    whole = conv(ifmap, filters, bias, shape, 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_file, "SLICE_WORDS", 2 * 54 * 19 * 3)
        sliced = conv(ifmap, filters, bias, shape, 7)
    np.testing.assert_array_equal(sliced, whole)


def operands(shape):
    return (
        np.ones((shape.N, shape.C, shape.H, shape.W), np.int8),
        np.ones((shape.M, shape.C // shape.G, shape.R, shape.S), np.int8),
        np.zeros(shape.M, np.int64),
    )


SHAPE = ConvShape(C=4, M=6, G=2, H=3, W=3, R=2, S=2)


@pytest.mark.parametrize(
    ("given_shape", "message"),
    [
        (replace(SHAPE, H=4), r"^ifmap must have shape \(1, 4, 3, 3\), not \(1, 4, 4, 3\)$"),
        (replace(SHAPE, G=1), r"^filters must have shape \(6, 2, 2, 2\), not \(6, 4, 2, 2\)$"),
    ],
)
def test_shape_mismatch_names_the_array(given_shape, message):
    with pytest.raises(ValueError, match=message):
        conv(*operands(given_shape), SHAPE, 0)


def test_bias_of_the_wrong_length_is_refused():
    ifmap, filters, _ = operands(SHAPE)
    with pytest.raises(ValueError, match=r"^bias must have shape \(6,\), not \(5,\)$"):
        conv(ifmap, filters, np.zeros(5, np.int64), SHAPE, 0)


def test_psums_that_float64_cannot_hold_are_refused():
    shape = ConvShape(C=2, M=1)
    with pytest.raises(ValueError, match=r"^psums must stay below 2\^53, not 9007199254740992\.0$"):
        conv(*operands(shape), shape, zero_point=1 + 2**52)
    assert conv(*operands(shape), shape, zero_point=2**52).item() == 2 - 2**53

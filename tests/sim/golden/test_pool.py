from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.layer import PoolShape
from stillflow.sim.golden.pool import average_pool, max_pool

word_types = st.sampled_from(["int8", "uint8"])
seeds = st.integers(0, 2**32 - 1)


@st.composite
def shapes(draw):
    """Small layers; ONNX wants the padding smaller than the window."""

    def small(low, high):
        return draw(st.integers(low, high))

    R, S = small(1, 4), small(1, 4)
    pad = (small(0, R - 1), small(0, S - 1), small(0, R - 1), small(0, S - 1))
    return PoolShape(
        N=small(1, 2), C=small(1, 5), H=R + small(0, 4), W=S + small(0, 4), R=R, S=S,
        stride=(small(1, 3), small(1, 3)), pad=pad,
    )  # fmt: skip


def attributes(shape):
    return {
        "kernel_shape": [shape.R, shape.S],
        "strides": list(shape.stride),
        "pads": list(shape.pad),
    }


def onnx_average(run_node, ifmap, shape, x, y):
    """Run QLinearAveragePool; ``x`` and ``y`` are scale and zero point."""
    operands = [
        ifmap,
        np.float32(x[0]),
        np.array(x[1], ifmap.dtype),
        np.float32(y[0]),
        np.array(y[1], ifmap.dtype),
    ]
    return run_node(
        "QLinearAveragePool",
        operands,
        domain="com.microsoft",
        count_include_pad=1,
        **attributes(shape),
    )


def mean_scale(x_scale, y_scale, pixels):
    """f32(x_scale / f32(y_scale * pixels)): as ONNX Runtime's global pooling has it."""
    return float(np.float32(x_scale) / (np.float32(y_scale) * np.float32(pixels)))


def off_by_one_at_ties(ours, theirs, ifmap, shape, x, y):
    """Count differences; each must be one step, where the exact mean is a tie up to float32."""
    top, left, bottom, right = shape.pad
    padded = np.pad(ifmap.astype(int) - x[1], [(0, 0), (0, 0), (top, bottom), (left, right)])
    step = Fraction(float(x[0])) / Fraction(float(y[0]))
    differences = np.argwhere(ours != theirs)
    for n, c, e, f in differences:
        assert abs(int(ours[n, c, e, f]) - int(theirs[n, c, e, f])) == 1
        h, w = e * shape.stride[0], f * shape.stride[1]
        total = int(padded[n, c, h : h + shape.R, w : w + shape.S].sum())
        mean = total * step / (shape.R * shape.S)
        assert abs(mean - floor(mean) - Fraction(1, 2)) < Fraction(1, 10_000)
    return len(differences)


@given(shape=shapes(), dtype=word_types, seed=seeds)
def test_max_pool_matches_onnx_runtime(run_node, draw_words, shape, dtype, seed):
    rng = np.random.default_rng(seed)
    ifmap = draw_words(rng, dtype, (shape.N, shape.C, shape.H, shape.W))
    np.testing.assert_array_equal(
        max_pool(ifmap, shape), run_node("MaxPool", [ifmap], **attributes(shape))
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_padding_never_wins(dtype):
    smallest = np.iinfo(dtype).min
    shape = PoolShape(C=1, H=1, W=1, R=3, S=3, pad=(1, 1, 1, 1))
    words = max_pool(np.full((1, 1, 1, 1), smallest, dtype), shape)
    assert words.dtype == dtype
    assert words.item() == smallest


@given(
    shape=shapes(),
    dtype=word_types,
    seed=seeds,
    x_scale=st.floats(0.25, 4, width=32),
    gain=st.sampled_from([0.5, 0.75, 1.0, 1.5, 3.0]),
)
def test_average_pool_is_off_onnx_runtime_by_one_at_ties_only(
    run_node, draw_words, shape, dtype, seed, x_scale, gain
):
    rng = np.random.default_rng(seed)
    ifmap = draw_words(rng, dtype, (shape.N, shape.C, shape.H, shape.W))
    x = (np.float32(x_scale), int(draw_words(rng, dtype, ())))
    y = (np.float32(x_scale / gain), int(draw_words(rng, dtype, ())))
    scale = mean_scale(x[0], y[0], shape.R * shape.S)
    ours = average_pool(ifmap, shape, scale, x[1], y[1], dtype)
    off_by_one_at_ties(ours, onnx_average(run_node, ifmap, shape, x, y), ifmap, shape, x, y)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("zero_point", [3, 4])
def test_ties_go_to_even_before_the_zero_point_and_in_onnx_runtime_after(
    run_node, draw_words, dtype, zero_point
):
    """Count the differences where float32 is exact: none, or every tie if the zero point is odd."""
    shape = PoolShape(C=16, H=28, W=28, R=2, S=2, stride=(2, 2), pad=(1, 1, 1, 1))
    ifmap = draw_words(np.random.default_rng(0), dtype, (1, 16, 28, 28))
    x = y = (np.float32(2**-7), zero_point)
    ours = average_pool(ifmap, shape, 0.25, zero_point, zero_point, dtype)
    theirs = onnx_average(run_node, ifmap, shape, x, y)
    differences = off_by_one_at_ties(ours, theirs, ifmap, shape, x, y)
    padded = np.pad(ifmap.astype(int) - zero_point, [(0, 0), (0, 0), (1, 1), (1, 1)])
    sums = sum(padded[:, :, h::2, w::2] for h in (0, 1) for w in (0, 1))
    ties = np.count_nonzero(sums % 4 == 2)
    assert ties > 800
    assert differences == (ties if zero_point % 2 else 0)


@given(
    N=st.integers(1, 2),
    C=st.integers(1, 6),
    H=st.integers(1, 9),
    W=st.integers(1, 9),
    dtype=word_types,
    seed=seeds,
    x_scale=st.floats(0.25, 4, width=32),
    y_scale=st.floats(0.25, 4, width=32),
)
def test_global_average_pool_matches_onnx_runtime(
    run_node, draw_words, N, C, H, W, dtype, seed, x_scale, y_scale
):
    rng = np.random.default_rng(seed)
    ifmap = draw_words(rng, dtype, (N, C, H, W))
    x_zero, y_zero = draw_words(rng, dtype, (2,))
    theirs = run_node(
        "QLinearGlobalAveragePool",
        [ifmap, np.float32(x_scale), x_zero, np.float32(y_scale), y_zero],
        domain="com.microsoft",
        channels_last=0,
    )
    shape = PoolShape(N=N, C=C, H=H, W=W, R=H, S=W)
    scale = mean_scale(x_scale, y_scale, H * W)
    ours = average_pool(ifmap, shape, scale, int(x_zero), int(y_zero), dtype)
    np.testing.assert_array_equal(ours, theirs)


def test_average_of_int16_is_exact():
    shape = PoolShape(C=1, H=56, W=56, R=56, S=56)
    ifmap = np.full((1, 1, 56, 56), -(2**15), np.int16)
    ifmap[0, 0, 0, 0] = 2**15 - 1
    ofmap = average_pool(ifmap, shape, float(np.float32(1 / 3136)), 0, 0, np.int16)
    assert ofmap.item() == round((-(2**15) * 3135 + 2**15 - 1) / 3136)


@pytest.mark.parametrize(
    "pool", [max_pool, lambda ifmap, shape: average_pool(ifmap, shape, 1.0, 0, 0, "int8")]
)
def test_wrong_shape_is_refused(pool):
    shape = PoolShape(C=2, H=3, W=3, R=2, S=2)
    with pytest.raises(
        ValueError, match=r"^ifmap must have shape \(1, 2, 3, 3\), not \(1, 1, 3, 3\)$"
    ):
        pool(np.zeros((1, 1, 3, 3), np.int8), shape)

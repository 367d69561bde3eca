"""From exact psums to words: mode ``f32-rne``, float32 arithmetic done in integers.

ONNX Runtime computes ``round(float32(psum) * scale) + zero_point``. Conversion, product and last
step each round half to even: here on sign, significand and exponent, as in the hardware.
"""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stillflow.compiler.graph import clip_range
from stillflow.hw.scale import encode_scale
from stillflow.sim.golden.check import check_words

SIGNIFICAND_BITS = 24  # of a float32, the hidden one included
PSUM_LIMIT = 2**53  # beyond any accumulator; up to here float64 finds the leading one
SHIFT_LIMIT = 38  # any further right, and a significand has long become zero


def requantize(
    psums: NDArray[np.int64],
    scale: NDArray[np.float32] | float,
    zero_point: int,
    act_min: int,
    act_max: int,
    dtype: DTypeLike,
) -> NDArray[np.integer]:
    """Scale psums to words, round half to even at each step, and saturate.

    Parameters
    ----------
    psums : int64[N, M, ...]
        Exact sums, in -2^53 + 1 to 2^53 - 1.
    scale : float32[M] or float
        Per channel, or one for all; exactly float32.
    zero_point : int
        Word that stands for zero; added after the last rounding.
    act_min, act_max : int
        Saturation bounds, in words.
    dtype : dtype
        Type of the words.

    Returns
    -------
    dtype[N, M, ...]
        Words.

    Raises
    ------
    TypeError
        If the psums are not integers.
    ValueError
        If a psum, the zero point, a saturation bound, a scale or the number of scales is out of
        range.

    Examples
    --------
    >>> psums = np.array([[5, 7, -5, 1000]])
    >>> requantize(psums, 0.5, 0, -128, 127, np.int8).tolist()
    [[2, 4, -2, 127]]
    """
    word_min, word_max = clip_range(np.dtype(dtype).name)
    check_words("psums", psums, psums.shape)
    if not word_min <= act_min <= act_max <= word_max:
        raise ValueError(
            f"act_min and act_max must rise within {word_min}..{word_max}, "
            f"not {(act_min, act_max)!r}"
        )
    if not word_min <= zero_point <= word_max:
        raise ValueError(f"zero_point must be in {word_min}..{word_max}, not {zero_point!r}")
    largest = max(-int(psums.min()), int(psums.max()))
    if largest >= PSUM_LIMIT:
        raise ValueError(f"psums must be within 2^53, not {largest!r}")
    significand, shift = _encode_scales(scale, psums.shape)

    # sign * value * 2**exponent, with value below 2^24 + 1 after each step
    value, exponent = _round_to_float32(np.abs(psums))
    value, more = _round_to_float32(value * significand)
    exponent += more - shift
    # Only a rounded value, 2^23 or more, has a positive exponent: it saturates as it is.
    rounded = _shift_right(value, np.clip(-exponent, 0, SHIFT_LIMIT))
    words = np.where(psums < 0, -rounded, rounded) + zero_point
    return np.clip(words, act_min, act_max).astype(dtype)


def _encode_scales(
    scale: NDArray[np.float32] | float, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Significands and shifts, shaped to broadcast along axis 1 of ``shape``."""
    scales = np.asarray(scale)
    if scales.ndim and scales.shape != shape[1:2]:
        raise ValueError(f"scale must have shape {shape[1:2]}, not {scales.shape!r}")
    encoded = np.array([encode_scale(float(one)) for one in scales.flat], np.int64)
    column = (-1,) + (1,) * max(0, len(shape) - 2)
    return encoded[:, 0].reshape(column), encoded[:, 1].reshape(column)


def _round_to_float32(value: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Round to 24 significant bits: ``value`` becomes ``rounded * 2**exponent``."""
    length = np.frexp(value.astype(np.float64))[1].astype(np.int64)  # exact below 2^53
    exponent = np.maximum(length - SIGNIFICAND_BITS, 0)
    return _shift_right(value, exponent), exponent


def _shift_right(value: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divide by ``2**shift``, rounded half to even; ``value`` is not negative."""
    quotient = value >> shift
    twice_rest = (value - (quotient << shift)) << 1
    one = np.int64(1) << shift
    round_up = (twice_rest > one) | ((twice_rest == one) & (quotient & 1 == 1))
    return quotient + round_up

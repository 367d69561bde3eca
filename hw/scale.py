"""Requantisation scales as the hardware holds them. Plain Python."""

import math
import struct


def encode_scale(scale: float) -> tuple[int, int]:
    """Split a float32 scale into the significand and shift of a requantiser lane.

    Parameters
    ----------
    scale : float
        Exactly a float32, in (2^-232, 2^24).

    Returns
    -------
    significand : int
        2^23 to 2^24 - 1.
    shift : int
        0 to 255: ``scale == significand * 2**-shift``.

    Raises
    ------
    ValueError
        If the scale is no float32 or out of range.

    Examples
    --------
    >>> encode_scale(1.0)
    (8388608, 23)
    """
    if (
        not math.isfinite(scale)
        or scale <= 0
        or struct.unpack("f", struct.pack("f", scale))[0] != scale
    ):
        raise ValueError(f"scale must be a positive float32, not {scale!r}")
    mantissa, exponent = math.frexp(scale)
    significand, shift = int(mantissa * (1 << 24)), 24 - exponent
    if not 0 <= shift <= 255:
        raise ValueError(f"scale must be in 2^-232..2^24, not {scale!r}")
    return significand, shift

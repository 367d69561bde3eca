"""Joining a layer's words with those of a second tensor. Plain Python: no Amaranth, no NumPy.

A layer may end in an addition, ``f32-rne`` words of its own and *residual* words of a tensor in
DRAM, both less their zero points::

    sum     = round((own * own_scale + residual * residual_scale) / 2**shift) + zero point
    product = round(own * residual / 2**shift) + zero point

rounded once, half to even, then saturated. The scales are integers.
"""

from enum import IntEnum

from stillflow.hw.config import AcceleratorConfig

SCALE_BITS = 18  # of an integer scale: a multiplier of an FPGA takes as many
SHIFT_BITS = 6
TABLE_BITS = 8  # of the words that index a table: wider ones have none
TABLE_BYTES = 1 << TABLE_BITS


class Join(IntEnum):
    """What becomes of a layer's words and the residual ones."""

    NONE = 0
    ADD = 1
    MULTIPLY = 2


def encode_join(own: float, residual: float) -> tuple[int, int, int]:
    """Integer scales of a sum, and how far it shifts.

    Parameters
    ----------
    own, residual : float
        Positive: steps of the sum in a step of either operand.

    Returns
    -------
    own_scale, residual_scale, shift : int
        The larger scale has `SCALE_BITS` bits, unless both are too small to matter.

    Raises
    ------
    ValueError
        If a scale is not positive, or too large for any shift.

    Examples
    --------
    >>> encode_join(1.0, 0.5)
    (131072, 65536, 17)
    """
    largest = max(own, residual)
    if not all(0 < scale < float("inf") for scale in (own, residual)):
        raise ValueError(f"scales must be positive and finite, not {own!r} and {residual!r}")
    shift = (1 << SHIFT_BITS) - 1
    while shift >= 0 and round(largest * 2.0**shift) >= 1 << SCALE_BITS:
        shift -= 1
    if shift < 0:
        raise ValueError(f"scales must be below {1 << SCALE_BITS}, not {largest!r}")
    return round(own * 2.0**shift), round(residual * 2.0**shift), shift


def join_depth(config: AcceleratorConfig) -> int:
    """Entries of the ofmap buffer's ring in a layer that joins: the other half holds residuals.

    A multiple of the pixels that a beat brings at once.
    """
    return config.ofmap_depth // 2 // config.beat_pixels * config.beat_pixels


def ring_depth(config: AcceleratorConfig, *, joins: bool) -> int:
    """Entries of the ofmap buffer's ring."""
    return join_depth(config) if joins else config.ofmap_depth


def runs_of_own(config: AcceleratorConfig) -> bool:
    """Whether residuals have runs of their own: a layer may pool what it joined.

    Its residuals are of pixels then, and its ofmap is of windows.
    """
    return config.pools and config.finisher

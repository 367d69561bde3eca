"""Words of the filter stream: scales, and words in slices."""

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.scale import encode_scale


def words_to_lines(words: NDArray[np.int64], lines: int, bits: int) -> NDArray[np.int64]:
    """Slices of ``bits`` of each word, lowest first: [..., columns] to [..., lines, columns]."""
    shifts = np.arange(lines) * bits
    return (words[..., None, :] >> shifts[:, None]) & ((1 << bits) - 1)


def encode_word(scale: float) -> int:
    """Scale as a 32-bit word: significand in the low 24 bits, shift above."""
    significand, shift = encode_scale(float(scale))
    return significand | shift << 24

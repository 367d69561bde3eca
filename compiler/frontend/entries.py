"""Entries of a table: a function of every word of a tensor."""

from collections.abc import Callable
from math import inf

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.builder import Quantisation

Reals = NDArray[np.float64]
Function = Callable[[Reals], Reals]


def entries_of(
    ifmap: Quantisation, ofmap: Quantisation, function: Function, low: float = -inf,
    high: float = inf,
) -> NDArray[np.integer]:  # fmt: skip
    """Words of a function of every word of a tensor, the smallest first: intx[256].

    The real values of the words are float32, the function is evaluated in float64, clipped to
    ``low..high`` and rounded to float32; QuantizeLinear follows.
    """
    least, most = ifmap.range
    steps = np.arange(least, most + 1) - ifmap.zero_point
    real = steps.astype(np.float32) * np.float32(ifmap.scale)
    with np.errstate(all="ignore"):
        value = function(real.astype(np.float64)).clip(low, high)
        scaled = np.rint(value.astype(np.float32) / np.float32(ofmap.scale))
    least, most = ofmap.range
    words = np.nan_to_num(scaled, nan=least - ofmap.zero_point, posinf=most, neginf=-most)
    return (words + ofmap.zero_point).clip(least, most).astype(ofmap.dtype)

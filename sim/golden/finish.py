"""What follows the requantiser: a table, and joining with a second tensor."""

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.graph import Tensor
from stillflow.sim.golden.check import check_words


def look_up(table: Table, words: NDArray[np.integer]) -> NDArray[np.integer]:
    """Entry of each word.

    Parameters
    ----------
    table : Table
        256 entries, for the smallest word first.
    words : int8 or uint8 [...]
        Indices.

    Returns
    -------
    intx[...]
        Of the entries' type.

    Raises
    ------
    ValueError
        If the words are no bytes, or the entries not as many as there are words.
    """
    info = np.iinfo(words.dtype)
    if info.bits != 8:
        raise ValueError(f"{table.index} must be int8 or uint8, not {words.dtype.name}")
    if table.entries.shape != (256,):
        raise ValueError(f"a table must have 256 entries, not {list(table.entries.shape)}")
    return table.entries[words.astype(np.int64) - info.min]


def join(
    joined: Joined,
    own: NDArray[np.integer],
    residual: NDArray[np.integer],
    own_tensor: Tensor,
    residual_tensor: Tensor,
    ofmap_tensor: Tensor,
) -> NDArray[np.integer]:
    """Add or multiply two tensors word by word.

    Parameters
    ----------
    joined : Joined
        Operation, integer scales, saturation bounds.
    own, residual : intx[N, M, E, F]
        Words.
    own_tensor, residual_tensor, ofmap_tensor : Tensor
        Zero points; the ofmap's type.

    Returns
    -------
    intx[N, M, E, F]
        Words of the ofmap.

    Raises
    ------
    TypeError
        If the words are not integers.
    ValueError
        If the shapes differ.
    """
    check_words(joined.residual, residual, own.shape)
    left = own.astype(np.int64) - own_tensor.zero_point
    right = residual.astype(np.int64) - residual_tensor.zero_point
    if joined.op == "mul":
        total = left * right
    else:
        total = left * joined.own_scale + right * joined.residual_scale
    whole = total >> joined.shift
    twice = (total - (whole << joined.shift)) << 1  # the fraction, never negative
    one = np.int64(1) << joined.shift
    whole += (twice > one) | ((twice == one) & (whole & 1 == 1))
    words = whole + ofmap_tensor.zero_point
    return words.clip(joined.act_min, joined.act_max).astype(ofmap_tensor.dtype)

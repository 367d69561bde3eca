"""Pooling: the largest word, or the mean, of a window in each channel by itself."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stillflow.compiler.graph import clip_range
from stillflow.hw.layer import PoolShape
from stillflow.sim.golden.check import check_words
from stillflow.sim.golden.requantize import requantize
from stillflow.sim.golden.windows import windows


def max_pool(ifmap: NDArray[np.integer], shape: PoolShape) -> NDArray[np.integer]:
    """Take the largest word of each window.

    Parameters
    ----------
    ifmap : intx[N, C, H, W]
        Activations.
    shape : PoolShape
        Loop bounds.

    Returns
    -------
    intx[N, C, E, F]
        The words, in the ifmap's type. Padding never wins: a window with nothing but padding gives
        the smallest word of the type.

    Raises
    ------
    TypeError
        If the ifmap does not hold integers.
    ValueError
        If the ifmap does not have the shape that ``shape`` gives.

    Examples
    --------
    >>> shape = PoolShape(C=1, H=1, W=3, R=1, S=2, pad=(0, 0, 0, 1))
    >>> max_pool(np.array([[[[-3, -2, -1]]]], np.int8), shape).tolist()
    [[[[-2, -1, -1]]]]
    """
    check_words("ifmap", ifmap, (shape.N, shape.C, shape.H, shape.W))
    smallest, _ = clip_range(ifmap.dtype.name)
    return windows(ifmap, shape, fill=smallest).max(axis=(-2, -1))


def average_pool(
    ifmap: NDArray[np.integer],
    shape: PoolShape,
    scale: float,
    ifmap_zero_point: int,
    ofmap_zero_point: int,
    dtype: DTypeLike,
    *,
    fill: int = 0,
) -> NDArray[np.integer]:
    """Take the mean of each window, padding counted as zero.

    The sum of ``ifmap - ifmap_zero_point`` over the window is exact; it is requantised once.

    Parameters
    ----------
    ifmap : intx[N, C, H, W]
        Activations.
    shape : PoolShape
        Loop bounds.
    scale : float
        Exactly float32: the ifmap's scale over the ofmap's scale and the pixels of a window.
    ifmap_zero_point, ofmap_zero_point : int
        Words that stand for zero.
    dtype : dtype
        Type of the ofmap.
    fill : int
        What padding counts as instead of zero, in steps.

    Returns
    -------
    dtype[N, C, E, F]
        Words.

    Raises
    ------
    TypeError
        If the ifmap does not hold integers.
    ValueError
        If the ifmap does not have the shape that ``shape`` gives, or the scale is no float32.

    Examples
    --------
    >>> shape = PoolShape(C=1, H=1, W=3, R=1, S=2, pad=(0, 0, 0, 1))
    >>> ifmap = np.array([[[[11, 12, 19]]]], np.uint8)
    >>> average_pool(ifmap, shape, 0.5, 10, 0, np.uint8).tolist()
    [[[[2, 6, 4]]]]
    """
    check_words("ifmap", ifmap, (shape.N, shape.C, shape.H, shape.W))
    above_zero = ifmap.astype(np.int64) - ifmap_zero_point
    sums = windows(above_zero, shape, fill=fill).sum(axis=(-2, -1))
    act_min, act_max = clip_range(np.dtype(dtype).name)
    return requantize(sums, scale, ofmap_zero_point, act_min, act_max, dtype)

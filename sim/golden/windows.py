"""The pixels under a sliding window: what convolution and pooling have in common."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.layer import ConvShape, PoolShape

Word = TypeVar("Word", bound=np.generic)


def windows(planes: NDArray[Word], shape: ConvShape | PoolShape, fill: int) -> NDArray[Word]:
    """Show the window of every ofmap pixel.

    Parameters
    ----------
    planes : [..., H, W]
        Any number of planes of any type.
    shape : ConvShape or PoolShape
        Loop bounds.
    fill : int
        Value of the padding.

    Returns
    -------
    [..., E, F, R, S]
        ``windows[..., e, f, r, s]`` is the padded pixel in row ``e * stride + r * dilation``, and
        so on for the column. A read-only view of the padded planes.

    Examples
    --------
    >>> shape = PoolShape(C=1, H=1, W=3, R=1, S=2, pad=(0, 0, 0, 1))
    >>> windows(np.array([[1, 2, 3]]), shape, 0).tolist()
    [[[[1, 2]], [[2, 3]], [[3, 0]]]]
    """
    s = shape
    top, left, bottom, right = s.pad
    dilation = s.dilation
    outer = [(0, 0)] * (planes.ndim - 2)
    rows, columns = (
        slice(max(0, -before), size - max(0, -after))
        for before, after, size in ((top, bottom, s.H), (left, right, s.W))
    )
    edges = [(max(0, top), max(0, bottom)), (max(0, left), max(0, right))]
    padded = np.pad(planes[..., rows, columns], [*outer, *edges], constant_values=fill)
    extent = ((s.R - 1) * dilation[0] + 1, (s.S - 1) * dilation[1] + 1)
    every = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(-2, -1))
    return every[..., :: s.stride[0], :: s.stride[1], :: dilation[0], :: dilation[1]]

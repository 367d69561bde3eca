"""Convolution, fully connected layers and matrix products: exact psums.

The sums are float64 matrix products. Every partial result is an integer below 2^53, which float64
holds exactly, so neither the order of the additions nor the BLAS at hand can change a bit.
"""

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.layer import ConvShape
from stillflow.sim.golden.check import check_words
from stillflow.sim.golden.windows import windows

EXACT = 2**53  # integers up to here are exact in float64
SLICE_WORDS = 2**21  # float64 words of one operand of a matrix product: 16 MiB


def conv(
    ifmap: NDArray[np.integer],
    filters: NDArray[np.signedinteger],
    bias: NDArray[np.int64],
    shape: ConvShape,
    zero_point: int,
) -> NDArray[np.int64]:
    """Convolve, as a machine learning framework means it (no kernel flip).

    ``psum[n, m, e, f] = bias[m] + sum over c, r, s of filters[m, c, r, s] * (ifmap[n, c', h, w] -
    zero_point)`` with ``c'`` the c-th channel of the group of ``m``, ``h = e * stride + r *
    dilation - pad`` and ``w`` likewise. Pixels in the padding stand for zero: they add nothing.

    Parameters
    ----------
    ifmap : intx[N, C, H, W]
        Activations: int8, uint8 or int16.
    filters : intx[M, C / G, R, S]
        Weights: int8 or int16.
    bias : int64[M]
        Added to the psums.
    shape : ConvShape
        Loop bounds.
    zero_point : int
        Word of the ifmap that stands for zero.

    Returns
    -------
    int64[N, M, E, F]
        Psums: exact, before scaling and activation.

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If an array does not have the shape that ``shape`` gives, or the psums might reach 2^53.

    Examples
    --------
    >>> shape = ConvShape(C=1, M=1, H=2, W=2, R=2, S=2)
    >>> ifmap = np.array([[[[1, 2], [3, 4]]]], np.uint8)
    >>> conv(ifmap, np.ones((1, 1, 2, 2), np.int8), np.array([100]), shape, zero_point=1).item()
    106
    """
    s = shape
    group_filters, reduction = s.M // s.G, (s.C // s.G) * s.R * s.S
    check_words("ifmap", ifmap, (s.N, s.C, s.H, s.W))
    check_words("filters", filters, (s.M, s.C // s.G, s.R, s.S))
    check_words("bias", bias, (s.M,))
    peak = max(abs(int(ifmap.min()) - zero_point), abs(int(ifmap.max()) - zero_point))

    # Per group, [filters, reduction] @ [reduction, pixels]; in slices that bound the memory.
    psums = np.empty((s.N, s.G, group_filters, s.E, s.F), np.int64)
    matrices = filters.reshape(s.G, group_filters, reduction)
    filter_step = max(1, SLICE_WORDS // (s.G * reduction))
    row_step = max(1, SLICE_WORDS // (s.G * reduction * s.F))
    for m in range(0, group_filters, filter_step):
        weights = matrices[:, m : m + filter_step].astype(np.float64)
        bound = float(np.abs(weights).sum(axis=2).max()) * peak
        if bound >= EXACT:
            raise ValueError(f"psums must stay below 2^53, not {bound!r}")
        for n in range(s.N):
            pixels = windows(ifmap[n].astype(np.float64) - zero_point, s, fill=0)
            pixels = pixels.transpose(0, 3, 4, 1, 2)  # [C, R, S, E, F]
            for e in range(0, s.E, row_step):
                columns = pixels[..., e : e + row_step, :].reshape(s.G, reduction, -1)
                products = weights @ columns
                psums[n, :, m : m + filter_step, e : e + row_step] = products.reshape(
                    s.G, weights.shape[1], -1, s.F
                )
    psums = psums.reshape(s.N, s.M, s.E, s.F)
    psums += bias.reshape(1, s.M, 1, 1)
    return psums

"""Checks of arrays that users hand to the golden model."""

import numpy as np
from numpy.typing import NDArray


def check_words(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    """Check that an array holds integers and has a certain shape.

    Parameters
    ----------
    name : str
        What the error calls the array.
    array : [*shape]
        The array.
    shape : tuple[int, ...]
        The shape it must have.

    Raises
    ------
    TypeError
        If its elements are not integers.
    ValueError
        If its shape differs.
    """
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} must hold integers, not {array.dtype.name!r}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape!r}")

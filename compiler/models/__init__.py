"""The bundled networks, trained on handwritten digits.

LeNet-5 is made by ``scripts/train_digits.py``, the others by ``scripts/train_small_digits.py``.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Quantised ONNX model (QDQ): float32 ``image`` [1, 1, 32, 32] to float32 ``scores`` [1, 10].
DIGITS = Path(__file__).with_name("digits.onnx")

#: With shortcuts, and depthwise separable: float32 ``image`` [1, 1, 8, 8] to ``scores`` [1, 10].
DIGITS_RESIDUAL = Path(__file__).with_name("digits_residual.onnx")
DIGITS_SEPARABLE = Path(__file__).with_name("digits_separable.onnx")

#: Digits that were held out of training: uint8 ``images`` [n, 8, 8] of 0..16, uint8 ``labels`` [n].
DIGITS_TEST = Path(__file__).with_name("digits_test.npz")


def enlarge_digits(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Enlarge 8x8 digits of 0..16 to the network's 32x32 ifmap of 0..1.

    Bilinear between pixel centres, in integers: the same bits on every machine.

    Parameters
    ----------
    images : uint8[n, 8, 8]
        As scikit-learn bundles them.

    Returns
    -------
    float32[n, 1, 32, 32]
        Multiples of 1/1024.
    """
    eighths = np.clip(2 * np.arange(32) - 3, 0, 56)  # position in the small image
    below = np.minimum(eighths // 8, 6)
    weights = np.zeros((32, 8), np.int64)
    weights[np.arange(32), below] = 8 - (eighths - 8 * below)
    weights[np.arange(32), below + 1] = eighths - 8 * below
    large = weights @ images.astype(np.int64) @ weights.T
    return (large.astype(np.float32) / np.float32(1024))[:, None]


def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the held-out digits.

    Returns
    -------
    images : float32[n, 1, 32, 32]
        Each ``images[i : i + 1]`` is one input ``image`` of the graph.
    labels : int64[n]
        The digit, 0 to 9.
    """
    with np.load(DIGITS_TEST) as file:
        return enlarge_digits(file["images"]), file["labels"].astype(np.int64)


def load_small_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read the held-out digits as the networks of 8x8 pixels take them.

    Returns
    -------
    images : float32[n, 1, 8, 8]
        Multiples of 1/16; each ``images[i : i + 1]`` is one input ``image`` of the graph.
    labels : int64[n]
        The digit, 0 to 9.
    """
    with np.load(DIGITS_TEST) as file:
        images = file["images"][:, None].astype(np.float32) / np.float32(16)
        return images, file["labels"].astype(np.int64)

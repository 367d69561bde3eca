"""Tensors between NumPy's order and the order in DRAM, and words with and without sign."""

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.tensor import TensorLayout

Words = NDArray[np.signedinteger]


def sign_offset(dtype: str) -> int:
    """Give what is subtracted from a word so that the hardware, which is signed, can hold it."""
    return 128 if dtype == "uint8" else 0


def to_signed(words: NDArray[np.integer]) -> Words:
    """Words as the hardware holds them: uint8 moves down by 128."""
    if words.dtype == np.uint8:
        return (words ^ np.uint8(0x80)).view(np.int8)
    return words  # type: ignore[return-value]


def from_signed(words: Words, dtype: str) -> NDArray[np.integer]:
    """Undo `to_signed`."""
    if dtype == "uint8":
        return words.view(np.uint8) ^ np.uint8(0x80)
    return words.astype(dtype, copy=False)


def store_tensor(words: Words, layout: TensorLayout) -> bytes:
    """Bytes of a tensor in DRAM, of an image if the layout is that of a part.

    Parameters
    ----------
    words : int8 or int16 [N, C, H, W]
        Signed words.
    layout : TensorLayout
        Where they go. What lies between channels and rows is zero.
    """
    size, N = layout.element_bytes, len(words)
    planes, groups = layout.planes, layout.groups
    image = np.zeros(N * planes * layout.plane_bytes // size, dtype=f"<i{size}")
    if layout.pixel == layout.C and planes == 1:
        rows = image.reshape(N, layout.H, layout.row_bytes // size)
        rows[:, :, : layout.W * layout.C] = words.transpose(0, 2, 3, 1).reshape(N, layout.H, -1)
        return image.tobytes()
    H, W = layout.H, layout.W
    padded = np.zeros((N, groups, planes // groups * layout.pixel, H, W), dtype=image.dtype)
    padded[:, :, : layout.C // groups] = words.reshape(N, groups, -1, H, W)
    blocks = padded.reshape(N, planes, layout.pixel, H, W)
    image[:] = blocks.transpose(0, 1, 3, 4, 2).ravel()
    return image.tobytes()


def load_tensor(content: bytes, layout: TensorLayout) -> Words:
    """Signed words [N, C, H, W] of a blocked tensor in DRAM."""
    size = layout.element_bytes
    image = np.ndarray(
        (layout.N, layout.planes, layout.H, layout.W, layout.pixel), f"<i{size}", content,
        strides=(
            layout.image_bytes, layout.plane_bytes, layout.row_bytes, layout.pixel * size, size
        ),
    )  # fmt: skip
    shape = layout.N, layout.C, layout.H, layout.W
    words = image.transpose(0, 1, 4, 2, 3).reshape(layout.N, layout.groups, -1, *shape[2:])
    return np.ascontiguousarray(words[:, :, : layout.C // layout.groups]).reshape(shape)

"""How tensors lie in DRAM. Plain Python."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class TensorLayout:
    """Where the elements of an ``[N, C, H, W]`` tensor are, relative to its first byte.

    Blocked (``pixel == block``): planes of ``block`` channels, ``[N][C / block][H][W][block]``,
    or ``[N][groups][C / groups / block][H][W][block]``.
    Packed (``pixel == C``): one plane of interleaved pixels, ``[N][H][W][C]``, for few channels.
    A part of another tensor has that tensor's distances.

    Parameters
    ----------
    N, C, H, W : int
        Shape, in elements.
    groups : int
        Equal parts of the channels; each begins in a plane of its own.
    pixel : int
        Elements from pixel to pixel.
    element_bytes, row_bytes, plane_bytes, image_bytes : int
        Size of an element; distance from row to row, plane to plane, image to image.
    """

    N: int
    C: int
    H: int
    W: int
    pixel: int
    element_bytes: int
    row_bytes: int
    plane_bytes: int
    image_bytes: int
    groups: int = 1

    @property
    def packed(self) -> bool:
        """Whether one plane holds all channels."""
        return self.plane_bytes == self.image_bytes

    @property
    def planes(self) -> int:
        """Planes of an image."""
        return self.groups * -(-(self.C // self.groups) // self.pixel)

    @property
    def dense(self) -> bool:
        """Whether nothing lies between the images."""
        return self.planes * self.plane_bytes == self.image_bytes

    @property
    def whole_rows(self) -> bool:
        """Whether nothing lies between the rows."""
        return self.row_bytes == self.W * self.pixel * self.element_bytes

    @property
    def bytes(self) -> int:
        """From the first byte to the last."""
        plane = self.plane_bytes
        if self.row_bytes * self.H < plane:  # others lie between the rows, or behind them
            plane = (self.H - 1) * self.row_bytes + self.W * self.pixel * self.element_bytes
        planes = (self.planes - 1) * self.plane_bytes + plane
        return (self.N - 1) * self.image_bytes + planes


def blocked(
    N: int, C: int, H: int, W: int, *, block: int, element_bytes: int, groups: int = 1
) -> TensorLayout:
    """Layout in channel blocks: what the hardware writes. ``groups`` must divide ``C``."""
    row = W * block * element_bytes
    planes = groups * -(-(C // groups) // block)
    return TensorLayout(
        N=N, C=C, H=H, W=W, pixel=block, element_bytes=element_bytes,
        row_bytes=row, plane_bytes=row * H, image_bytes=row * H * planes, groups=groups,
    )  # fmt: skip


def part_of(whole: TensorLayout, shape: tuple[int, int, int, int]) -> TensorLayout:
    """Layout of some of a blocked tensor's channels, rows and columns, ``[N, C, H, W]``."""
    _, C, H, W = shape
    return replace(whole, C=C, H=H, W=W, groups=1)


def packed(N: int, C: int, H: int, W: int, *, beat: int, element_bytes: int) -> TensorLayout:
    """Layout of a first layer's image; rows start at a multiple of ``beat`` bytes."""
    row = -(-W * C * element_bytes // beat) * beat
    return TensorLayout(
        N=N, C=C, H=H, W=W, pixel=C, element_bytes=element_bytes,
        row_bytes=row, plane_bytes=row * H, image_bytes=row * H,
    )  # fmt: skip

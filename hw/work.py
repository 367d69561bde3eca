"""A layer in the form that the sequencers execute. Plain Python."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OnChip:
    """Which operands of a layer are in the activation memory, not in DRAM."""

    ifmap: bool = False
    ofmap: bool = False
    residual: bool = False


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Pooling of a layer's words on their way to the ofmap buffer; by default there is none.

    A window is as large as the stride, or a pixel larger. The layer's pixels are then those that
    windows have, padding included: ``E`` and ``F`` of its work.

    Parameters
    ----------
    size, stride : tuple[int, int]
        Of a window: rows, columns.
    pad : tuple[int, int]
        Pixels before the layer's own: top, left.
    own : tuple[int, int]
        Rows and columns of the layer itself, which alone count.
    means : bool
        Whether windows give the mean of their words, not the largest.
    """

    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    own: tuple[int, int] = (0, 0)
    means: bool = False

    @property
    def pools(self) -> bool:
        """Whether there is any."""
        return self.size != (1, 1)

    def along(self, axis: int, pixels: int) -> int:
        """Windows in so many pixels along an axis: 0 rows, 1 columns."""
        return (pixels - self.size[axis]) // self.stride[axis] + 1

    def distance(self, columns: int) -> int:
        """Fewest pixels from one window's last to another's, in tiles of so many columns."""
        windows = self.along(1, columns)
        gaps = [(self.size[0] - 1) * columns + self.size[1]]  # to the next tile's first window
        gaps.append(self.stride[0] * columns - (windows - 1) * self.stride[1])  # ... next row's
        return min([*gaps, *[self.stride[1]][: windows - 1]])

    def pixels(self, axis: int, windows: int) -> int:
        """Pixels of so many windows along an axis."""
        return (windows - 1) * self.stride[axis] + self.size[axis]


#: Of a layer that does not pool.
NO_WINDOWS = Windows()


@dataclass(frozen=True, kw_only=True)
class Work:
    """A layer in the form that the hardware executes: convolution of channel planes.

    A pooling layer is the same with planes for images; a fully connected layer has one pixel.

    Parameters
    ----------
    G, N, C, M : int
        Groups, images, ifmap channels and filters, the last two of one group.
    H, W, R, S, E, F : int
        Planes, without padding.
    stride, dilation : tuple[int, int]
        Vertical, horizontal.
    pad : tuple[int, int]
        Top, left.
    packed : bool
        Whether ifmap pixels are interleaved, ``C`` elements each, in one plane.
    maximum : bool
        Whether psums take the larger value: then a chunk must not join two filter positions.
    depthwise : bool
        Whether each channel has a filter of its own; ``C`` and ``M`` are then the channels that
        the array takes at a time, a group of the work.
    last_planes : int
        Depthwise: channel planes of the last group.
    joined : bool
        Whether the words are joined with those of a second tensor.
    pool : Windows
        Pooling of its words.
    on_chip : OnChip
        What does not move between DRAM and chip.
    """

    G: int
    N: int
    C: int
    M: int
    H: int
    W: int
    R: int
    S: int
    E: int
    F: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]
    packed: bool
    maximum: bool = False
    depthwise: bool = False
    last_planes: int = 0
    joined: bool = False
    pool: Windows = NO_WINDOWS
    on_chip: OnChip = OnChip()

    @property
    def stored(self) -> tuple[int, int]:
        """Rows and columns of the ofmap: pixels, or windows."""
        return self.pool.along(0, self.E), self.pool.along(1, self.F)

"""A layer in the form that the sequencers execute. Plain Python."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OnChip:
    """Which operands of a layer are in the activation memory, not in DRAM."""

    ifmap: bool = False
    ofmap: bool = False
    residual: bool = False


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
    on_chip: OnChip = OnChip()

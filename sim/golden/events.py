"""What happens when a nest is walked: loads and compute steps."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Fill:
    """An ifmap element comes on chip.

    ``element`` of the ifmap buffer gets the DRAM word at byte ``address``, or padding if None.
    """

    tile: int
    element: int
    address: int | None
    group_last: bool


@dataclass(frozen=True)
class FilterLine:
    """Line ``index`` of the filter stream comes on chip, ``last`` of its plane group."""

    index: int
    last: bool


@dataclass(frozen=True)
class Pixel:
    """An ofmap pixel: ``offset`` of its window in the tile, its psum entry, and its place."""

    offset: int
    psum: int
    n: int
    e: int
    f: int


@dataclass(frozen=True)
class Step:
    """A chunk of the reduction meets the pixels of a tile, or those of a pixel group.

    ``elements`` of the ifmap buffer feed the rows at a pixel of offset 0; ``weights`` are lines of
    the filter stream, one per element; ``bias`` and ``scale`` lines come with them. ``groups``
    plane groups were loaded before; ``block`` is the filter block in group ``g``. ``pixels`` are
    those of the ``pixel_group``, ``images_rows_columns`` those of the tile. The chunk ``opens`` or
    ``ends`` its reduction tile, which is the first (``begins``) or last (``completes``) of its
    ofmap pixels.
    """

    g: int
    block: int
    tile: int
    pixel_group: int
    groups: int
    elements: tuple[int, ...]
    weights: tuple[int, ...]
    bias: tuple[int, ...]
    scale: tuple[int, ...]
    pixels: tuple[Pixel, ...]
    images_rows_columns: tuple[int, int, int]
    opens: bool
    ends: bool
    begins: bool
    completes: bool
    tile_last: bool
    lines_last: bool

    @property
    def first(self) -> bool:
        """Whether nothing was added up before."""
        return self.opens and self.begins

    @property
    def final(self) -> bool:
        """Whether its psums are complete."""
        return self.ends and self.completes


class Part(NamedTuple):
    """A reduction tile: which part of the channels, of the filter's rows and of its columns."""

    c: int
    r: int
    s: int

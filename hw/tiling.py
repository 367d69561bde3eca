"""Tiles of a layer on an accelerator, and how many of each. Plain Python."""

from dataclasses import dataclass
from math import prod

from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.fir import Fir
from stillflow.hw.lazy import lazy
from stillflow.hw.pe_set import PeSet
from stillflow.hw.work import Work


def _last(total: int, tile: int) -> int:
    return total - (-(-total // tile) - 1) * tile


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Sizes of the tiles of a nest; `stillflow.hw.mapping.Mapping` checks that they fit.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    work : Work
        The layer.
    pn, pe, pf : int
        Images, ofmap rows and columns of a pixel tile.
    mb : int
        Filter blocks of a group of them.
    groups : int
        Plane groups of a reduction tile.
    r_count, s_count : int
        Window tiles: equal parts of the filter's rows and columns, each a reduction tile.
    m_outer : bool
        Filter groups outside the pixel tiles.
    filter_resident : bool
        A group's filters are loaded once and stay for all its pixel tiles.
    fir : Fir | None
        How a depthwise layer's taps lie in the array.
    pe_set : PeSet | None
        How a layer lies on a row-stationary array; there, tiles are of one image.
    """

    config: AcceleratorConfig
    work: Work
    pn: int
    pe: int
    pf: int
    mb: int
    groups: int
    r_count: int = 1
    s_count: int = 1
    m_outer: bool = False
    filter_resident: bool = False
    fir: Fir | None = None
    pe_set: PeSet | None = None

    @property
    def block_filters(self) -> int:
        """Filters of a block."""
        return self.pe_set.filters if self.pe_set else self.config.m_block

    @lazy
    def blocks(self) -> int:
        """Filter blocks of a group of the convolution."""
        return -(-self.work.M // self.block_filters)

    @lazy
    def bias_lines(self) -> int:
        """Filter lines with the biases of a block."""
        return self.config.bias_lines * (self.pe_set.filters if self.pe_set else 1)

    @lazy
    def scale_lines(self) -> int:
        """Filter lines with the scales of a block."""
        return self.config.scale_lines * (self.pe_set.filters if self.pe_set else 1)

    @lazy
    def m_count(self) -> int:
        """Groups of filter blocks."""
        return -(-self.blocks // self.mb)

    @lazy
    def mb_last(self) -> int:
        """Filter blocks of the last group."""
        return _last(self.blocks, self.mb)

    @lazy
    def tile_counts(self) -> tuple[int, int, int]:
        """Pixel tiles: images, rows, columns."""
        w, (rows, columns) = self.work, self.tile_windows
        e, f = w.stored
        return -(-w.N // self.pn), -(-e // rows), -(-f // columns)

    @lazy
    def pixel_tiles(self) -> int:
        """Pixel tiles in all."""
        return prod(self.tile_counts)

    @lazy
    def last_pixels(self) -> tuple[int, int, int]:
        """Images, rows, columns of the last tiles."""
        pool, (e, f) = self.work.pool, self.last_windows
        return _last(self.work.N, self.pn), pool.pixels(0, e), pool.pixels(1, f)

    @lazy
    def tile_windows(self) -> tuple[int, int]:
        """Rows and columns of the ofmap that a tile makes: of pixels, or of windows."""
        return self.work.pool.along(0, self.pe), self.work.pool.along(1, self.pf)

    @lazy
    def last_windows(self) -> tuple[int, int]:
        """Rows and columns of the ofmap that the last tiles make."""
        (rows, columns), (e, f) = self.tile_windows, self.work.stored
        return _last(e, rows), _last(f, columns)

    @lazy
    def tile_step(self) -> tuple[int, int]:
        """Rows and columns of pixels from tile to tile: windows of two tiles may share some."""
        (rows, columns), (down, right) = self.tile_windows, self.work.pool.stride
        return rows * down, columns * right

    @property
    def stored_vectors(self) -> int:
        """Ofmap vectors that a filter block has in a full tile."""
        if not self.work.pool.pools:
            return self.tile_vectors
        rows, columns = self.tile_windows
        return self.pn * rows * columns

    @lazy
    def pixels(self) -> int:
        """Pixels that are computed for a filter block; some twice where windows share them."""
        return sum(n * images * rows * columns for n, images, rows, columns in self.tile_sizes)

    @lazy
    def own_tiles(self) -> tuple[list[int], list[int]]:
        """Rows of each row tile, columns of each column tile: those of the layer itself."""
        pool, w = self.work.pool, self.work
        last = self.last_pixels[1:]
        rows, columns = (
            [
                min(own, begin + (size if tile < count - 1 else last_size)) - max(0, begin)
                for tile, begin in enumerate(range(-pad, count * step - pad, step))
            ]
            for own, pad, count, step, size, last_size in zip(
                pool.own if pool.pools else (w.E, w.F), pool.pad, self.tile_counts[1:],
                self.tile_step, (self.pe, self.pf), last, strict=True,
            )
        )  # fmt: skip
        return rows, columns

    @lazy
    def own_pixels(self) -> int:
        """Pixels of the layer itself that tiles hold for a filter block; some twice, as above."""
        rows, columns = self.own_tiles
        return self.work.N * sum(rows) * sum(columns)

    @property
    def mean_distance(self) -> int:
        """Fewest cycles from one window to the next."""
        widths = self.pf, self.last_pixels[2]
        return min(map(self.work.pool.distance, widths)) * self.config.pace

    @property
    def tile_pixels(self) -> int:
        """Pixels of a full tile."""
        return self.pn * self.pe * self.pf

    @lazy
    def strip_rows(self) -> int:
        """Row stationary: ofmap rows of a strip, one in each column."""
        return min(self.pe, self.config.m_block)

    def strips_of(self, rows: int) -> int:
        """Row stationary: strips of so many ofmap rows."""
        return -(-rows // self.strip_rows)

    @lazy
    def last_strip_rows(self) -> int:
        """Row stationary: ofmap rows of the last strip of the last row tile."""
        return _last(self.last_pixels[1], self.strip_rows)

    @property
    def strip_vectors(self) -> int:
        """Row stationary: psum vectors that a filter block has in a strip."""
        return self.pf * self.block_filters

    @property
    def tile_vectors(self) -> int:
        """Psum vectors that a filter block has in a full tile."""
        return self.strips_of(self.pe) * self.strip_vectors if self.pe_set else self.tile_pixels

    @lazy
    def tile_sizes(self) -> list[tuple[int, int, int, int]]:
        """How many pixel tiles have each size; their images, rows and columns."""
        n, e, f = self.tile_counts
        n_last, e_last, f_last = self.last_pixels
        return [
            (n_times * e_times * f_times, images, rows, columns)
            for images, n_times in ((self.pn, n - 1), (n_last, 1))
            for rows, e_times in ((self.pe, e - 1), (e_last, 1))
            for columns, f_times in ((self.pf, f - 1), (f_last, 1))
            if n_times * e_times * f_times
        ]

    @property
    def windows(self) -> int:
        """Window tiles."""
        return self.r_count * self.s_count

    @lazy
    def window(self) -> tuple[int, int]:
        """Filter rows and columns of a reduction tile."""
        return self.work.R // self.r_count, self.work.S // self.s_count

    @property
    def psums_stay(self) -> bool:
        """Whether psums stay in the array while the reduction passes."""
        return self.config.dataflow == Dataflow.OUTPUT_STATIONARY

    def pixel_groups_of(self, images: int, rows: int, columns: int) -> int:
        """Pixel groups of a tile: pixels that the array's rows take at a time."""
        return -(-images * rows * columns // self.config.rows) if self.psums_stay else 1

    @property
    def pixel_groups(self) -> int:
        """Pixel groups of a full tile."""
        return self.pixel_groups_of(self.pn, self.pe, self.pf)

    @property
    def rereads_filters(self) -> bool:
        """Whether several pixel groups of a tile need a block's filter lines."""
        return self.pixel_groups > 1

    @property
    def params_first(self) -> bool:
        """Whether biases and scales stand before the weights of their chunk, not behind."""
        return self.psums_stay or self.fir is not None or self.pe_set is not None

    @lazy
    def pixel(self) -> int:
        """Elements from pixel to pixel."""
        return self.work.C if self.work.packed else self.config.channel_block

    @lazy
    def planes(self) -> int:
        """Channel planes of a group's ifmap."""
        return 1 if self.work.packed else -(-self.work.C // self.config.channel_block)

    @lazy
    def k_planes(self) -> int:
        """Planes side by side in a chunk; row stationary, those of a pass."""
        if self.pe_set:
            return min(self.pe_set.channels * self.pe_set.depth, self.planes)
        planes = min(self.config.rows // self.config.channel_block, self.planes)
        return min(planes, self.config.block_units) if self.fir else planes

    @lazy
    def plane_groups(self) -> int:
        """Plane groups of the whole reduction."""
        return -(-self.planes // self.k_planes)

    @lazy
    def k_planes_last(self) -> int:
        """Planes of the last plane group; depthwise, of the last group."""
        return self.work.last_planes or _last(self.planes, self.k_planes)

    @property
    def all_planes(self) -> int:
        """Channel planes of the ifmap, over all groups."""
        planes, last = self.planes, self.work.last_planes
        return self.work.G * planes - (planes - last if last else 0)

    @property
    def all_units(self) -> int:
        """Channel blocks of the ofmap, over all groups."""
        units, last = -(-self.work.M // self.config.channel_block), self.work.last_planes
        return self.work.G * units - (units - last if last else 0)

    @lazy
    def c_count(self) -> int:
        """Reduction tiles along the channels."""
        return -(-self.plane_groups // self.groups)

    @lazy
    def groups_last(self) -> int:
        """Plane groups of the last reduction tile along the channels."""
        return _last(self.plane_groups, self.groups)

    @lazy
    def tiled(self) -> bool:
        """Whether the reduction comes in more than one tile."""
        return self.c_count * self.windows > 1

"""The loop nest of a layer on an accelerator: tiles, order, and what follows from them.

Plain Python. One value, many readers: the mapper chooses it, the lowering turns it into a
descriptor, the printer shows it, the cost model counts it.
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod

from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.fir import Fir
from stillflow.hw.work import Work


def _last(total: int, tile: int) -> int:
    return total - (-(-total // tile) - 1) * tile


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """A nest: for g, [m], n, e, f, [m], c, r, s tiles; filter blocks; chunks; pixels.

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

    Raises
    ------
    ValueError
        If the tiles do not fit the buffers.
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

    def __post_init__(self) -> None:
        config, work = self.config, self.work
        if work.R % self.r_count or work.S % self.s_count:
            raise ValueError(f"window tiles must divide the {work.R}x{work.S} filter")
        if (size := self.slot_size) > (most := config.ifmap_elements):
            raise ValueError(f"an ifmap tile of {size} elements must fit the buffer of {most}")
        if self.fir and (self.pf != work.F or self.windows > 1):
            raise ValueError("a depthwise tile must hold whole rows and windows")
        if (size := self.psum_entries) > config.psum_depth:
            raise ValueError(f"the psums of {size} pixels must fit {config.psum_depth} entries")
        if self.psums_stay and self.pn > 1 and (self.pe, self.pf) != (work.E, work.F):
            raise ValueError("where psums stay, tiles of several images must hold whole images")
        if self.rereads_filters and self.visit_lines > config.filter_lines:
            raise ValueError(
                f"the {self.visit_lines} filter lines of a block must fit the buffer of "
                f"{config.filter_lines} to meet {self.pixel_groups} pixel groups"
            )
        if self.filter_resident and self.resident_lines > config.filter_lines:
            raise ValueError(
                f"{self.resident_lines} filter lines must fit the buffer of {config.filter_lines}"
            )

    # -- counts ----------------------------------------------------------------------------------

    @cached_property
    def blocks(self) -> int:
        """Filter blocks of a group of the convolution."""
        return -(-self.work.M // self.config.m_block)

    @cached_property
    def m_count(self) -> int:
        """Groups of filter blocks."""
        return -(-self.blocks // self.mb)

    @cached_property
    def mb_last(self) -> int:
        """Filter blocks of the last group."""
        return _last(self.blocks, self.mb)

    @cached_property
    def tile_counts(self) -> tuple[int, int, int]:
        """Pixel tiles: images, rows, columns."""
        w = self.work
        return -(-w.N // self.pn), -(-w.E // self.pe), -(-w.F // self.pf)

    @cached_property
    def pixel_tiles(self) -> int:
        """Pixel tiles in all."""
        return prod(self.tile_counts)

    @cached_property
    def last_pixels(self) -> tuple[int, int, int]:
        """Images, rows, columns of the last tiles."""
        w = self.work
        return _last(w.N, self.pn), _last(w.E, self.pe), _last(w.F, self.pf)

    @property
    def tile_pixels(self) -> int:
        """Pixels of a full tile."""
        return self.pn * self.pe * self.pf

    @cached_property
    def c_count(self) -> int:
        """Reduction tiles along the channels."""
        return -(-self.plane_groups // self.groups)

    @cached_property
    def groups_last(self) -> int:
        """Plane groups of the last reduction tile along the channels."""
        return _last(self.plane_groups, self.groups)

    @property
    def windows(self) -> int:
        """Window tiles."""
        return self.r_count * self.s_count

    @cached_property
    def tiled(self) -> bool:
        """Whether the reduction comes in more than one tile."""
        return self.c_count * self.windows > 1

    @cached_property
    def psum_entries(self) -> int:
        """Psum entries in use: all filter blocks of a group when the reduction is tiled.

        Where psums stay in the array and the reduction is not tiled, a pixel group's at most.
        """
        if self.tiled:
            return self.tile_pixels * self.mb
        if self.fir:
            # Words of a strip wait in the ofmap buffer until it is complete, others behind them.
            waiting = self.fir.strip * self.work.F + self.config.store_pixels - 1
            return max(waiting, self.tile_pixels if self.k_s * self.k_r > 1 else 0)
        return min(self.tile_pixels, self.config.rows) if self.psums_stay else self.tile_pixels

    # -- output stationary -----------------------------------------------------------------------

    @property
    def params_first(self) -> bool:
        """Whether biases and scales stand before the weights of their chunk, not behind."""
        return self.psums_stay or self.fir is not None

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

    @cached_property
    def visit_lines(self) -> int:
        """Most filter lines of a filter block in a reduction tile, parameters included."""
        full, last = self.slab_lines
        lines = full * (self.groups - 1) + (last if self.c_count == 1 else full)
        return lines + self.config.bias_lines + self.config.scale_lines

    # -- reduction -------------------------------------------------------------------------------

    @cached_property
    def window(self) -> tuple[int, int]:
        """Filter rows and columns of a reduction tile."""
        return self.work.R // self.r_count, self.work.S // self.s_count

    @cached_property
    def pixel(self) -> int:
        """Elements from pixel to pixel."""
        return self.work.C if self.work.packed else self.config.channel_block

    @cached_property
    def planes(self) -> int:
        """Channel planes of a group's ifmap."""
        return 1 if self.work.packed else -(-self.work.C // self.config.channel_block)

    @cached_property
    def k_planes(self) -> int:
        """Planes side by side in a chunk."""
        planes = min(self.config.rows // self.config.channel_block, self.planes)
        return min(planes, self.config.block_units) if self.fir else planes

    @cached_property
    def plane_groups(self) -> int:
        """Plane groups of the whole reduction."""
        return -(-self.planes // self.k_planes)

    @cached_property
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

    @cached_property
    def k_elements(self) -> int:
        """Contiguous elements of the K walk."""
        if self.work.packed:
            return self.work.C * (self.window[1] if self.flat_row else 1)
        return min(self.work.C, self.pixel)

    @cached_property
    def flat_row(self) -> bool:
        """Whether a packed filter row is one run of elements."""
        return self.work.packed and (self.work.dilation[1] == 1 or self.window[1] == 1)

    @cached_property
    def k_s(self) -> int:
        """Filter columns, or blocks of them, as a loop of the K walk."""
        if self.fir:
            return -(-self.work.S // self.fir.tap_columns)
        return 1 if self.flat_row else self.window[1]

    @cached_property
    def k_r(self) -> int:
        """Filter rows, or blocks of them, as a loop of the K walk."""
        return -(-self.work.R // self.fir.tap_rows) if self.fir else self.window[0]

    @cached_property
    def _crosses_s(self) -> bool:
        # A chunk may run on into the next filter column where that is the next element.
        return self.flat_row or (
            not self.work.maximum
            and not self.fir
            and self.k_planes == 1
            and self.k_elements == self.pixel
            and self.pixel < self.config.rows
            and self.work.dilation[1] == 1
        )

    @cached_property
    def _pitch(self) -> tuple[int, bool]:
        # A chunk may run on into the next filter row if the rows' distance keeps the banks apart:
        # dilation * pitch = columns * pixel (modulo the banks).
        banks = self.config.ifmap_banks
        if self._crosses_s and self.window[0] > 1:
            for pitch in range(self.load_width, self.load_width + banks):
                if (self.work.dilation[0] * pitch - self.window[1] * self.pixel) % banks == 0:
                    return pitch, True
        return self.load_width, False

    @property
    def k_break(self) -> int:
        """Loop level (1 s, 2 r, 3 groups) at which a chunk ends."""
        return (3 if self._pitch[1] else 2) if self._crosses_s else 1

    def chunk_lengths(self, planes: int) -> list[int]:
        """Lines of each chunk of a plane group with this many planes."""
        if self.fir:
            return [self.fir.taps] * (self.k_s * self.k_r)
        rows, r = self.config.rows, self.window[0]
        run = planes * self.k_elements
        run, times = {
            1: (run, self.k_s * r),
            2: (run * self.k_s, r),
            3: (run * self.k_s * r, 1),
        }[self.k_break]
        whole, rest = divmod(run, rows)
        return ([rows] * whole + ([rest] if rest else [])) * times

    @cached_property
    def slab_lines(self) -> tuple[int, int]:
        """Filter lines of a plane group in a reduction tile, and of the last one."""
        if self.fir:
            return (self.fir.taps * self.k_s * self.k_r,) * 2
        per_plane = self.k_elements * self.k_s * self.window[0]
        return per_plane * self.k_planes, per_plane * self.k_planes_last

    @cached_property
    def block_lines(self) -> int:
        """Filter-stream lines of one filter block over the whole reduction."""
        full, last = self.slab_lines
        lines = (full * (self.plane_groups - 1) + last) * self.windows
        return lines + self.config.bias_lines + self.config.scale_lines

    @cached_property
    def resident_lines(self) -> int:
        """Filter-stream lines that all pixel tiles use in turn."""
        return self.block_lines * (self.mb if self.m_outer else self.blocks)

    @cached_property
    def filter_lines(self) -> int:
        """Filter-stream lines of the whole layer."""
        return self.block_lines * self.blocks * self.work.G

    # -- ifmap tile ------------------------------------------------------------------------------

    def rows_of(self, pe: int) -> int:
        """Ifmap rows of a window tile, padding included, of ``pe`` ofmap rows."""
        w = self.work
        return (pe - 1) * w.stride[0] + (self.window[0] - 1) * w.dilation[0] + 1

    def width_of(self, pf: int) -> int:
        """Ifmap elements of a window tile's row, padding included, of ``pf`` ofmap columns."""
        w = self.work
        return ((pf - 1) * w.stride[1] + (self.window[1] - 1) * w.dilation[1] + 1) * self.pixel

    @property
    def load_width(self) -> int:
        """Elements of a tile's row."""
        return self.width_of(self.pf)

    @property
    def pitch(self) -> int:
        """Elements from row to row in the buffer."""
        return self._pitch[0]

    @cached_property
    def image_stride(self) -> int:
        """Elements from image to image in the buffer."""
        return self.rows_of(self.pe) * self.pitch

    @cached_property
    def plane_stride(self) -> int:
        """Elements from plane to plane; keeps the planes of a chunk in different banks."""
        size = self.pn * self.image_stride
        if self.k_planes > 1:
            size += (self.config.channel_block - size) % self.config.ifmap_banks
        return size

    @cached_property
    def slot_size(self) -> int:
        """Elements of an ifmap tile in the buffer."""
        size = min(self.groups * self.k_planes, self.planes) * self.plane_stride
        return -(-size // self.config.ifmap_banks) * self.config.ifmap_banks

    @cached_property
    def tiles(self) -> int:
        """Ifmap tiles loaded in all."""
        reloads = self.m_count if self.m_outer or self.tiled else 1
        return self.work.G * self.pixel_tiles * self.c_count * self.windows * reloads

    @cached_property
    def slots(self) -> int:
        """Tiles that the buffer holds at a time."""
        return min(255, self.config.ifmap_elements // self.slot_size)

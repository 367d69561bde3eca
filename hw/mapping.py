"""The loop nest of a layer on an accelerator: tiles, order, and what follows from them.

Plain Python. One value, many readers: the mapper chooses it, the lowering turns it into a
descriptor, the printer shows it, the cost model counts it.
"""

from dataclasses import dataclass

from stillflow.hw.lazy import lazy
from stillflow.hw.residual import join_depth, ring_depth
from stillflow.hw.tiling import Tiling

#: What follows from the groups of filter blocks and plane groups.
_OF_GROUPS = frozenset(
    {
        "m_count", "mb_last", "c_count", "groups_last", "tiled", "psum_entries", "visit_lines",
        "resident_lines", "slot_size", "tiles", "slots",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mapping(Tiling):
    """A nest: for g, [m], n, e, f, [m], c, r, s tiles; filter blocks; chunks; pixels.

    Parameters are those of `Tiling`.

    Raises
    ------
    ValueError
        If the tiles do not fit the buffers.
    """

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
        if (size := self.waiting) > ring_depth(config, joins=work.joined):
            raise ValueError(f"{size} words of a strip must fit the ofmap buffer")
        if self.psums_stay and self.pn > 1 and (self.pe, self.pf) != (work.E, work.F):
            raise ValueError("where psums stay, tiles of several images must hold whole images")
        if self.rereads_filters and self.visit_lines > config.filter_lines:
            raise ValueError(
                f"the {self.visit_lines} filter lines of a block must fit the buffer of "
                f"{config.filter_lines} to meet {self.pixel_groups} pixel groups"
            )
        if self.pe_set and (self.pn > 1 or (self.pe % self.strip_rows and self.pe < work.E)):
            raise ValueError("a row-stationary tile must hold whole strips of one image")
        if self.pe_set and (
            self.window[0] % self.pe_set.filter_rows or self.window[1] % self.pe_set.columns
        ):
            raise ValueError("a PE set must divide the window")
        if work.joined and (size := self.tile_vectors) > (half := join_depth(config)):
            raise ValueError(f"a tile of {size} vectors must fit half the ofmap buffer, {half}")
        if work.pool.pools and (size := self.tile_windows[1]) > (most := config.pool_windows):
            raise ValueError(f"{size} windows side by side must be at most {most}")
        if work.pool.means and self.mean_distance < config.m_block:
            raise ValueError(f"means must come {config.m_block} cycles apart")
        self._check_residents()

    def _check_residents(self) -> None:
        if self.filter_resident and self.resident_lines > self.config.filter_lines:
            raise ValueError(
                f"{self.resident_lines} filter lines must fit the buffer of "
                f"{self.config.filter_lines}"
            )

    def regrouped(self, *, mb: int, groups: int) -> "Mapping":
        """Take the same tiles of pixels and windows with other groups; quicker than to make anew.

        Only of a nest in the plain order.

        Raises
        ------
        ValueError
            If the tiles do not fit the buffers.
        """
        other = object.__new__(Mapping)
        kept = {key: value for key, value in self.__dict__.items() if key not in _OF_GROUPS}
        other.__dict__.update(kept | {"mb": mb, "groups": groups})
        other.__post_init__()
        return other

    def ordered(self, *, m_outer: bool, filter_resident: bool) -> "Mapping":
        """Take the same tiles in another order; quicker than to make them anew.

        Only of a nest whose filters do not stay, before anything but its checks was computed.

        Raises
        ------
        ValueError
            If the filters that are to stay do not fit their buffer.
        """
        other = object.__new__(Mapping)
        order = {"m_outer": m_outer, "filter_resident": filter_resident}
        other.__dict__.update(self.__dict__ | order)
        other._check_residents()
        return other

    # -- room on chip ----------------------------------------------------------------------------

    @lazy
    def psum_entries(self) -> int:
        """Psum entries in use: all filter blocks of a group when the reduction is tiled.

        Where psums stay in the array and the reduction is not tiled, a pixel group's at most.
        """
        if self.tiled:
            return self.tile_vectors * self.mb
        if self.pe_set:
            return self.tile_vectors
        if self.fir:
            return max(self.waiting, self.tile_pixels if self.k_s * self.k_r > 1 else 0)
        return min(self.tile_pixels, self.config.rows) if self.psums_stay else self.tile_pixels

    @lazy
    def waiting(self) -> int:
        """Words that wait in the ofmap buffer until a strip is complete, and behind; else 0."""
        of_fir = self.fir.strip * self.work.F + self.config.store_pixels - 1 if self.fir else 0
        return self.strip_vectors if self.pe_set else of_fir

    @lazy
    def visit_lines(self) -> int:
        """Most filter lines of a filter block in a reduction tile, parameters included."""
        full, last = self.slab_lines
        lines = full * (self.groups - 1) + (last if self.c_count == 1 else full)
        return lines + self.bias_lines + self.scale_lines

    # -- reduction -------------------------------------------------------------------------------

    @lazy
    def k_elements(self) -> int:
        """Contiguous elements of the K walk."""
        if self.work.packed:
            return self.work.C * (self.window[1] if self.flat_row else 1)
        return min(self.work.C, self.pixel)

    @lazy
    def flat_row(self) -> bool:
        """Whether a packed filter row is one run of elements."""
        return self.work.packed and (self.work.dilation[1] == 1 or self.window[1] == 1)

    @lazy
    def k_s(self) -> int:
        """Filter columns, or blocks of them, as a loop of the K walk."""
        if self.fir:
            return -(-self.work.S // self.fir.tap_columns)
        if self.pe_set:
            return self.window[1] // self.pe_set.columns
        return 1 if self.flat_row else self.window[1]

    @lazy
    def k_r(self) -> int:
        """Filter rows, or blocks of them, as a loop of the K walk."""
        if self.pe_set:
            return self.window[0] // self.pe_set.filter_rows
        return -(-self.work.R // self.fir.tap_rows) if self.fir else self.window[0]

    @lazy
    def _crosses_s(self) -> bool:
        # A chunk may run on into the next filter column where that is the next element.
        return self.flat_row or (
            not self.work.maximum
            and not self.fir
            and not self.pe_set
            and self.k_planes == 1
            and self.k_elements == self.pixel
            and self.pixel < self.config.rows
            and self.work.dilation[1] == 1
        )

    @lazy
    def _pitch(self) -> tuple[int, bool]:
        # A chunk may run on into the next filter row if the rows' distance keeps the banks apart:
        # dilation * pitch = columns * pixel (modulo the banks).
        banks = self.config.ifmap_banks
        if self.pe_set:  # the rows of a diagonal and their channels come together
            apart = self.pe_set.sources(self.work.stride[0]) > self.pe_set.channels
            step = (self.pe_set.channels - self.load_width) % banks if apart else 0
            return self.load_width + step, False
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
        if self.pe_set:
            words = self.pe_set.depth_of(planes) * self.pe_set.columns
            return [words * self.pe_set.filters] * (self.k_s * self.k_r)
        rows, r = self.config.rows, self.window[0]
        run = planes * self.k_elements
        run, times = {
            1: (run, self.k_s * r),
            2: (run * self.k_s, r),
            3: (run * self.k_s * r, 1),
        }[self.k_break]
        whole, rest = divmod(run, rows)
        return ([rows] * whole + ([rest] if rest else [])) * times

    @lazy
    def chunks(self) -> int:
        """Chunks of the whole reduction."""
        full, last = self.chunk_lengths(self.k_planes), self.chunk_lengths(self.k_planes_last)
        return (len(full) * (self.plane_groups - 1) + len(last)) * self.windows

    @lazy
    def slab_lines(self) -> tuple[int, int]:
        """Filter lines of a plane group in a reduction tile, and of the last one."""
        if self.fir:
            lines = self.fir.taps * self.k_s * self.k_r
            return lines, lines
        if self.pe_set:
            full, last = (sum(self.chunk_lengths(n)) for n in (self.k_planes, self.k_planes_last))
            return full, last
        per_plane = self.k_elements * self.k_s * self.window[0]
        return per_plane * self.k_planes, per_plane * self.k_planes_last

    @lazy
    def block_lines(self) -> int:
        """Filter-stream lines of one filter block over the whole reduction."""
        full, last = self.slab_lines
        lines = (full * (self.plane_groups - 1) + last) * self.windows
        return lines + self.bias_lines + self.scale_lines

    @lazy
    def resident_lines(self) -> int:
        """Filter-stream lines that all pixel tiles use in turn."""
        return self.block_lines * (self.mb if self.m_outer else self.blocks)

    @lazy
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

    @lazy
    def image_stride(self) -> int:
        """Elements from image to image in the buffer."""
        return self.rows_of(self.pe) * self.pitch

    @lazy
    def plane_stride(self) -> int:
        """Elements from plane to plane; keeps the planes of a chunk in different banks."""
        size = self.pn * self.image_stride
        if self.k_planes > 1:
            size += (self.config.channel_block - size) % self.config.ifmap_banks
        return size

    @lazy
    def slot_size(self) -> int:
        """Elements of an ifmap tile in the buffer."""
        size = min(self.groups * self.k_planes, self.planes) * self.plane_stride
        return -(-size // self.config.ifmap_banks) * self.config.ifmap_banks

    @lazy
    def tiles(self) -> int:
        """Ifmap tiles loaded in all."""
        reloads = self.m_count if self.m_outer or self.tiled else 1
        return self.work.G * self.pixel_tiles * self.c_count * self.windows * reloads

    @lazy
    def slots(self) -> int:
        """Tiles that the buffer holds at a time."""
        return min(255, self.config.ifmap_elements // self.slot_size)

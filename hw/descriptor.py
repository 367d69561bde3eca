"""The layer descriptor: one nest as the sequencers read it. Plain Python.

A program is an array of descriptors in DRAM. Every field is a loop bound, a stride or an address
of the nest in `docs/architecture.md`; the hardware adds, it never multiplies. Each field is packed
into the first little-endian 32-bit word that has room for it, none crosses a word. The checksum
makes the sum of all words zero (modulo 2^32).
"""

from dataclasses import dataclass
from enum import IntEnum

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.residual import runs_of_own

MAGIC = 0x5F10  # first half-word of every descriptor
POOL_BITS = 4  # of a pooling window's size
POOL_OFFSET_BITS = 16 + 2 * POOL_BITS + 1  # a zero point for each of its words


class Op(IntEnum):
    """How a step's column sums meet the psums."""

    ACCUMULATE = 0
    MAXIMUM = 1


@dataclass(frozen=True)
class Field:
    """One field: name, width in bits, whether negative values occur, what it says."""

    name: str
    bits: int
    signed: bool
    doc: str

    def kept_bits(self, config: AcceleratorConfig) -> int:
        """Bits of it that an accelerator keeps."""
        if self.name in ("magic", "checksum"):
            return self.bits
        if self.name.startswith("pool_") and not config.pools:
            return self.bits if self.name in ("pool_r", "pool_s") else int(self.signed)
        if self.name.startswith(("residual_stride_", "residual_run")) and not runs_of_own(config):
            return 0
        if self.name in ("pool_significand", "pool_offset"):
            return self.bits
        if self.bits == 32:
            return config.address_bits
        if self.bits >= 24:
            return min(self.bits, config.length_bits + self.signed)
        if self.bits == 17 or (self.bits == 16 and not self.signed):
            return min(self.bits, config.count_bits + self.signed)
        return self.bits


def _u(name: str, bits: int, doc: str) -> Field:
    return Field(name, bits, False, doc)


def _s(name: str, bits: int, doc: str) -> Field:
    return Field(name, bits, True, doc)


# Counts are iterations; `_last` is the value in a loop's last iteration.
FIELDS = (
    _u("magic", 16, "0x5F10"),
    _u("op", 4, "an `Op`"),
    _u("m_outer", 1, "filter groups: 1 outside the pixel tiles, 0 inside"),
    _u("filter_resident", 1, "filters of a group stay on chip for all its pixel tiles"),
    # tile loops, outermost first: g, [m], n, e, f, [m], c, r, s, then mb and the K walk
    _u("g_count", 16, "groups"),
    _u("m_count", 16, "groups of filter blocks"),
    _u("n_count", 16, "image tiles"),
    _u("e_count", 16, "ofmap row tiles"),
    _u("f_count", 16, "ofmap column tiles"),
    _u("c_count", 16, "reduction tiles along the channels"),
    _u("mb_count", 16, "filter blocks in a group"),
    _u("mb_count_last", 16, "the same in the last group"),
    # pixels of a tile
    _u("pn", 16, "images"),
    _u("pn_last", 16, ""),
    _u("pe", 16, "ofmap rows"),
    _u("pe_last", 16, ""),
    _u("pf", 16, "ofmap columns"),
    _u("pf_last", 16, ""),
    _u("tile_pixels", 16, "most ofmap vectors that a step or strip brings to the ofmap buffer"),
    _u("psum_stride", 16, "psum entries from filter block to filter block"),
    _s("stride_n", 24, "ifmap buffer elements from image to image"),
    _s("stride_e", 24, "... from ofmap row to ofmap row"),
    _s("stride_f", 24, "... from ofmap pixel to ofmap pixel"),
    # K walk: elements of a reduction tile in the order of the filter stream
    _u("k_elements", 16, "contiguous elements"),
    _u("k_planes", 8, "channel planes side by side in a chunk"),
    _u("k_planes_last", 8, "... in the last plane group of all"),
    _u("k_s", 16, "filter columns of a window tile"),
    _u("k_r", 16, "filter rows of a window tile"),
    _u("k_groups", 16, "plane groups of a reduction tile"),
    _u("k_groups_last", 16, ""),
    _u("k_stride_plane", 24, "ifmap buffer elements from plane to plane"),
    _u("k_stride_s", 24, "... from filter column to filter column"),
    _u("k_stride_r", 24, "... from filter row to filter row"),
    _u("k_stride_group", 24, "... from plane group to plane group"),
    _u("k_break", 3, "a chunk ends where this loop level (0 planes, 1 s, 2 r, 3 groups) steps"),
    # ifmap load
    _u("ifmap_address", 32, "DRAM byte address of element (0, 0, -pad top, -pad left)"),
    _u("ifmap_stride_g", 32, "bytes from group to group"),
    _u("ifmap_stride_nt", 32, "... from image tile to image tile"),
    _u("ifmap_stride_et", 32, "... from row tile to row tile"),
    _u("ifmap_stride_ft", 32, "... from column tile to column tile"),
    _u("ifmap_stride_ct", 32, "... from reduction tile to reduction tile along the channels"),
    _u("ifmap_stride_group", 32, "... from plane group to plane group"),
    _u("ifmap_stride_n", 32, "... from image to image"),
    _u("ifmap_stride_plane", 32, "... from plane to plane"),
    _u("ifmap_stride_h", 32, "... from row to row"),
    _u("load_rows", 16, "ifmap rows of a tile, padding included"),
    _u("load_rows_last", 16, ""),
    _u("load_width", 24, "elements of a tile's row, padding included"),
    _u("load_width_last", 24, ""),
    _s("h_origin", 17, "first ifmap row of the first tile: -pad top"),
    _u("h_step", 16, "ifmap rows from tile to tile"),
    _s("w_origin", 25, "first element of the first tile's row: -pad left"),
    _u("w_step", 24, "elements from tile to tile"),
    _u("h_size", 16, "ifmap rows"),
    _u("w_size", 24, "elements of an ifmap row"),
    _u("slots", 8, "tiles that fit the ifmap buffer"),
    _u("slot_size", 24, "elements of a slot"),
    _u("buffer_stride_n", 24, "elements from image to image in a slot"),
    _u("buffer_stride_group", 24, "... from plane group to plane group"),
    _u("buffer_stride_plane", 24, "... from plane to plane"),
    _u("buffer_stride_h", 24, "... from row to row"),
    _s("pad_value", 16, "what padding holds"),
    # filter load
    _u("filter_address", 32, "DRAM byte address of the filter stream"),
    _u("slab_lines", 24, "filter lines of one plane group"),
    _u("slab_lines_last", 24, "... of the last plane group of all"),
    # ofmap store
    _u("ofmap_address", 32, "DRAM byte address of the first ofmap element"),
    _u("ofmap_stride_g", 32, "bytes from group to group"),
    _u("ofmap_stride_m", 32, "... from filter group to filter group"),
    _u("ofmap_stride_nt", 32, "... from image tile to image tile"),
    _u("ofmap_stride_et", 32, "... from row tile to row tile"),
    _u("ofmap_stride_ft", 32, "... from column tile to column tile"),
    _u("ofmap_stride_mb", 32, "... from filter block to filter block"),
    _u("ofmap_stride_n", 32, "... from image to image"),
    _u("ofmap_stride_run", 32, "... from run to run"),
    _u("ofmap_stride_unit", 32, "... from channel block to channel block"),
    _u("runs", 16, "contiguous runs of an image's tile"),
    _u("runs_last", 16, "the same in the last row tile"),
    _u("run_pixels", 16, "ofmap pixels of a run, inside"),
    _u("run_pixels_e", 16, "... in the last row tile"),
    _u("run_pixels_f", 16, "... in the last column tile"),
    _u("run_pixels_ef", 16, "... in the last tile of both"),
    _u("units", 8, "channel blocks of a filter block that are stored"),
    _u("units_last", 8, "... of the last filter block"),
    # post-processing
    _s("zero_point", 16, "of the ofmap"),
    _s("act_min", 16, "lower saturation bound, zero point included"),
    _s("act_max", 16, "upper saturation bound"),
    # window tiles: the reduction tiles r and s
    _u("r_count", 16, "parts of the filter's rows"),
    _u("s_count", 16, "parts of the filter's columns"),
    _u("ifmap_stride_rt", 32, "DRAM bytes from row part to row part"),
    _u("ifmap_stride_st", 32, "... from column part to column part"),
    _u("h_step_rt", 16, "ifmap rows from row part to row part"),
    _u("w_step_st", 24, "elements from column part to column part"),
    # output stationary: pixel groups (pixels of a tile, a row's worth at a time)
    _u("pixel_groups", 16, "in a tile"),
    _u("pixel_groups_e", 16, "... in the last row tile"),
    _u("pixel_groups_f", 16, "... in the last column tile"),
    _u("pixel_groups_ef", 16, "... in the last tile of both"),
    _u("pixel_groups_n", 16, "... of the last of both, image tiles but the last"),
    # depthwise: taps of a filter in the weight chain, strips of ofmap rows
    _u("depthwise", 1, "columns are channels, rows are taps"),
    _u("tap_lead", 8, "zero rows before the first tap"),
    _u("tap_run", 8, "taps of a filter column in a row: the chain's part of it"),
    _u("tap_gap", 8, "zero rows between them"),
    _u("tap_columns", 8, "filter columns in the chain"),
    _u("strip_rows", 16, "ofmap rows of a strip"),
    _u("fir_rows", 16, "ifmap rows of a strip"),
    _u("emit_stride_e", 16, "ifmap rows from ofmap row to ofmap row"),
    _u("emit_stride_f", 16, "... columns"),
    _u("strip_stride", 24, "ifmap buffer elements from strip to strip"),
    # row stationary: PE sets, strips of ofmap rows over the columns
    _u("set_sources", 8, "distinct ifmap words that reach the array's rows in a cycle"),
    _u("set_channels", 8, "channels side by side on the array's rows"),
    _u("set_rows", 8, "array rows in use"),
    _u("set_shifts", 8, "columns by which the last row's ifmap rows lie behind the first's"),
    _u("set_filters", 8, "filters of a pass"),
    _u("set_depth", 8, "channels in a PE"),
    _u("set_depth_last", 8, "... in the last plane group of all"),
    _u("set_channels_last", 8, "channels side by side in the last step of that"),
    _u("set_columns", 8, "filter columns in a PE"),
    _u("set_slide", 8, "window columns that are new from pixel to pixel"),
    _u("strips", 16, "strips of a tile"),
    _u("strips_last", 16, "... of the last row tile"),
    _u("set_pes", 16, "PEs that compute in a strip"),
    _u("set_pes_last", 16, "... in the last strip of the last row tile"),
    # joining with a second tensor: see `stillflow.hw.residual`
    _u("join", 2, "a `Join`"),
    _u("join_shift", 6, "right shift of the sum or product"),
    _u("own_scale", 18, "integer scale of the layer's own words"),
    _s("own_zero_point", 16, "of these words as they come from the requantiser or its table"),
    _u("residual_scale", 18, "... of the residual words"),
    _u("residual_address", 32, "DRAM byte address"),
    _s("residual_zero_point", 16, "of the residual words"),
    _s("join_zero_point", 16, "of the ofmap, if the layer joins"),
    _s("join_min", 16, "lower saturation bound of the ofmap then"),
    _s("join_max", 16, "upper saturation bound"),
    # a table behind the requantiser
    _u("table", 1, "the requantiser's words are indices of a table"),
    _u("table_address", 32, "DRAM byte address of its entries, for the smallest word first"),
    # ... and where it lies, if the accelerator can pool what it joined: as the ofmap's runs, but of
    # the layer's own pixels; without that, strides and runs are the ofmap's
    _u("residual_stride_g", 32, "bytes from group to group"),
    _u("residual_stride_m", 32, "... from filter group to filter group"),
    _u("residual_stride_nt", 32, "... from image tile to image tile"),
    _u("residual_stride_et", 32, "... from row tile to row tile"),
    _u("residual_stride_ft", 32, "... from column tile to column tile"),
    _u("residual_stride_mb", 32, "... from filter block to filter block"),
    _u("residual_stride_n", 32, "... from image to image"),
    _u("residual_stride_run", 32, "... from run to run"),
    _u("residual_stride_unit", 32, "... from channel block to channel block"),
    _u("residual_runs", 16, "contiguous runs of an image's tile"),
    _u("residual_runs_last", 16, "the same in the last row tile"),
    _u("residual_run_pixels", 16, "pixels of a run, inside"),
    _u("residual_run_pixels_e", 16, "... in the last row tile"),
    _u("residual_run_pixels_f", 16, "... in the last column tile"),
    _u("residual_run_pixels_ef", 16, "... in the last tile of both"),
    # pooling on the way to the ofmap buffer: loops above are over the layer's own pixels, the
    # tiles of which begin with windows; runs are of the windows
    _u("pool_r", POOL_BITS, "rows of a window behind its first; all are 0 without pooling"),
    _u("pool_s", POOL_BITS, "columns of a window behind its first"),
    _u("pool_stride_e", POOL_BITS, "rows from window to window less 1: as pool_r, or one less"),
    _u("pool_stride_f", POOL_BITS, "columns from window to window less 1"),
    _u("pool_top", POOL_BITS, "rows of the first row tile that do not count"),
    _u("pool_left", POOL_BITS, "columns of the first column tile that do not count"),
    _u("pool_rows", 16, "rows of the last row tile that exist"),
    _u("pool_columns", 16, "columns of the last column tile that exist"),
    _u("pool_mean", 1, "windows give the mean of their words, not the largest one"),
    _u("pool_significand", 24, "of the mean's scale"),
    _u("pool_shift", 8, "right shift of the same"),
    _s("pool_offset", POOL_OFFSET_BITS, "added to the sum of a window's words"),
    _s("pool_zero_point", 16, "of the means"),
    _s("pool_min", 16, "lower saturation bound of the means"),
    _s("pool_max", 16, "upper saturation bound"),
    _u("checksum", 32, "makes the sum of all words zero"),
)


def _place() -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    used: list[int] = []
    for entry in FIELDS:
        word = next((i for i, bits in enumerate(used) if bits + entry.bits <= 32), len(used))
        if word == len(used):
            used.append(0)
        places[entry.name] = (word, used[word])
        used[word] += entry.bits
    return places


#: Word and lowest bit of each field.
PLACES = _place()
#: Words of a descriptor, a multiple of 16 so that it is whole beats at any data width.
WORDS = -(-(max(word for word, _ in PLACES.values()) + 1) // 16) * 16
#: Bytes of a descriptor.
BYTES = 4 * WORDS

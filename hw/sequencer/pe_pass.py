"""What the pass walker hands to feeder and streamer, and the streamer to the accumulator."""

from amaranth.lib import data

from stillflow.hw.array.row_stationary_pe import spad_bits
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.timing import GROUP_BITS
from stillflow.hw.words import LineKind


class Pass(data.StructLayout):
    """Filter rows that wait in the PEs, and the pixels that will meet them.

    Members
    -------
    element : ifmap buffer element of the first channel's first row at the tile's first pixel
    psum : psum entry of the first vector
    groups : plane groups that must be loaded, counted from the start of the layer
    strips : strips of ofmap rows
    last_rows : ofmap rows of the last strip
    last_partial : ``unsigned(1)``
        That is the layer's last one.
    columns : ofmap columns
    last_columns : ``unsigned(1)``
        They are those of the last column tile.
    stored : filters that exist
    depth : channels in a PE
    channels : channels side by side that exist in the last of these
    first, final : the reduction begins, is complete
    tile_last : the last pass over the ifmap tile
    weight : place of the first weight in the filter scratchpads
    bias_half, scale_half : of the parameter tables
    freed : lines of the filter buffer that are not needed again
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "element": ceil_log2(config.ifmap_elements),
                "psum": max(1, ceil_log2(config.psum_depth)),
                "groups": GROUP_BITS,
                "strips": config.count_bits,
                "last_rows": ceil_log2(config.m_block + 1),
                "last_partial": 1,
                "columns": config.count_bits,
                "last_columns": 1,
                "stored": 8,
                "depth": 8,
                "channels": ceil_log2(config.rows + 1),
                "first": 1,
                "final": 1,
                "tile_last": 1,
                "weight": spad_bits(config)[1],
                "bias_half": 1,
                "scale_half": 1,
                "freed": ceil_log2(config.filter_lines + 1),
            }
        )


class PassLine(data.StructLayout):
    """A filter line on its way to the PEs or to the tables of parameters.

    Members
    -------
    valid : ``unsigned(1)``
    kind : ``LineKind``
    place : in the filter scratchpads
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"valid": 1, "kind": LineKind, "place": spad_bits(config)[1]})


class PsumVector(data.StructLayout):
    """Psums of one filter that leave the array, one in each column.

    Members
    -------
    valid : ``unsigned(1)``
    psum : psum entry
    filter : among those of the pass
    first, final : ``unsigned(1)``
        They begin or complete their reduction.
    bias_half, scale_half : of the parameter tables
    column_last, strip_last : ``unsigned(1)``
        The last of their ofmap column, of their strip (see `OfmapBuffer`).
    last_columns : ``unsigned(1)``
        The strip is as wide as the last column tile.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "psum": max(1, ceil_log2(config.psum_depth)),
                "filter": spad_bits(config)[2],
                "first": 1,
                "final": 1,
                "bias_half": 1,
                "scale_half": 1,
                "column_last": 1,
                "strip_last": 1,
                "last_columns": 1,
            }
        )

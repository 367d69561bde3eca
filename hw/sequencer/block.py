"""What the block walker hands to the streamer."""

from amaranth.lib import data

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.timing import GROUP_BITS
from stillflow.hw.words import FilterPlace


class Block(data.StructLayout):
    """A weight block that waits in the shadow registers, and the step it is for.

    Members
    -------
    element : ifmap buffer element of lane 0 at the tile's first pixel
    psum : psum entry of the first pixel
    groups : plane groups that must be loaded, counted from the start of the layer
    images, rows, columns : pixels of the tile
    lanes : elements of a vector
    weights : rows that hold a weight
    first, final : the reduction begins, is complete
    tile_last : the last step that reads the ifmap tile
    freed : lines of the filter buffer that are not needed again
    place : of the first line; only where every vector reads its weights
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "element": ceil_log2(config.ifmap_elements),
                "psum": max(1, ceil_log2(config.psum_depth)),
                "groups": GROUP_BITS,
                "images": config.count_bits,
                "rows": config.count_bits,
                "columns": config.count_bits,
                "lanes": ceil_log2(config.rows + 1),
                "weights": ceil_log2(config.rows + 1),
                "first": 1,
                "final": 1,
                "tile_last": 1,
                "freed": ceil_log2(config.filter_lines + 1),
            }
            | ({"place": FilterPlace(config)} if config.reads_weights else {})
        )

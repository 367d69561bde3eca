"""What the walker over chunks hands to the streamer."""

from amaranth.lib import data

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.timing import GROUP_BITS


class Chunk(data.StructLayout):
    """A chunk of the reduction that is set up, and the step it is for.

    Members
    -------
    element : ifmap buffer element of lane 0 at the tile's first pixel
    psum : psum entry of the tile's first pixel
    line : of the filter buffer: the first of the chunk, parameters included
    bias, scale : those parameters come before its weights
    lanes : elements, and weight lines
    groups : plane groups that must be loaded, counted from the start of the layer
    images, rows, columns : pixels of the tile
    restarts, rewinds : the step's pixels are the tile's first ones, the same as the last step's
    opens, drains : it begins, completes psums in the array
    first, final : ... that begin, complete the reduction
    new_filters : ... and are the first of these filters
    tile_last : the last step that reads the ifmap tile
    keeps : its lines will be needed again
    parameters : lines of biases and scales that are not needed again once its own are not
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        flags = (
            "bias", "scale", "restarts", "rewinds", "opens", "drains", "first", "final",
            "new_filters", "tile_last", "keeps",
        )  # fmt: skip
        super().__init__(
            {
                "element": ceil_log2(config.ifmap_elements),
                "psum": max(1, ceil_log2(config.psum_depth)),
                "line": ceil_log2(config.filter_lines),
                "lanes": ceil_log2(config.rows + 1),
                "groups": GROUP_BITS,
                "images": config.count_bits,
                "rows": config.count_bits,
                "columns": config.count_bits,
                "parameters": range(config.bias_lines + config.scale_lines + 1),
            }
            | dict.fromkeys(flags, 1)
        )

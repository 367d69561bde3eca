"""Words that more than one block uses."""

from amaranth.hdl import ShapeLike, unsigned
from amaranth.lib import data, enum

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import Counter


class Vector(data.StructLayout):
    """One ifmap vector on its way through the array.

    Members
    -------
    valid : ``unsigned(1)``
    address : ifmap buffer element of lane 0
    emits : ``unsigned(1)``
        It gives a sum: always, unless the layer is depthwise.
    column_last, strip_last : ``unsigned(1)``
        That sum is the last of its column, of its strip (see `OfmapBuffer`).
    psum : psum entry of the pixel
    start : ``unsigned(1)``
        First vector of a step.
    first, final : ``unsigned(1)``
        The step begins or completes its reduction.
    maximum : ``unsigned(1)``
        Psums take the larger value instead of the sum.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "address": ceil_log2(config.ifmap_elements),
                "emits": 1,
                "column_last": 1,
                "strip_last": 1,
                "psum": max(1, ceil_log2(config.psum_depth)),
                "start": 1,
                "first": 1,
                "final": 1,
                "maximum": 1,
            }
        )


class LineKind(enum.Enum, shape=unsigned(2)):
    """What a line of the filter stream is for."""

    WEIGHT = 0
    BIAS = 1
    SCALE = 2


class FilterPlace(data.StructLayout):
    """Where a line lies in the filter buffer: successive lines in successive banks.

    Members
    -------
    bank : of ``filter_banks``; only where there are several
    line : within the bank
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        banks = config.filter_banks
        line = max(1, ceil_log2(config.filter_lines // banks))
        bank = {"bank": ceil_log2(banks)} if banks > 1 else {}
        super().__init__(bank | {"line": line})


class LineCommand(data.StructLayout):
    """One cycle of weight load.

    Members
    -------
    valid : ``unsigned(1)``
        A shift takes place.
    zero : ``unsigned(1)``
        The line is all zero and not read.
    kind : ``LineKind``
    place : where it lies in the filter buffer
    lane_used : ``unsigned(1)``
        The lane carries an element.
    lane_offset : ifmap buffer lines that it lies ahead
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "zero": 1,
                "kind": LineKind,
                "place": FilterPlace(config),
                "lane_used": 1,
                "lane_offset": max(1, ceil_log2(config.ifmap_depth)),
            }
        )


class LaneShift(data.StructLayout):
    """One cycle in which a lane of the next chunk is set up.

    Members
    -------
    valid : ``unsigned(1)``
        The lane chain moves.
    used : ``unsigned(1)``
        The lane carries an element.
    offset : ifmap buffer lines that the lane lies ahead
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"valid": 1, "used": 1, "offset": max(1, ceil_log2(config.ifmap_depth))})


class PlayedLine(data.StructLayout):
    """A filter line that passes the rows of an output-stationary array, or a parameter line.

    Members
    -------
    valid : ``unsigned(1)``
    kind : ``LineKind``
    line : line of the filter buffer
    opens : ``unsigned(1)``
        Its products begin new psums.
    ends : ``unsigned(1)``
        The last line of its chunk.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "kind": LineKind,
                "line": ceil_log2(config.filter_lines),
                "opens": 1,
                "ends": 1,
            }
        )


class Drain(data.StructLayout):
    """Psums of a pixel group are complete in the array and leave it, row by row.

    Members
    -------
    valid : ``unsigned(1)``
    psum : psum entry of the group's first pixel
    first, final : ``unsigned(1)``
        They begin or complete their reduction.
    swap_bias, swap_scale : ``unsigned(1)``
        They are the first that need the biases or scales that were shifted in.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "psum": max(1, ceil_log2(config.psum_depth)),
                "first": 1,
                "final": 1,
                "swap_bias": 1,
                "swap_scale": 1,
            }
        )


class ArrayEvents(data.StructLayout):
    """What a dataflow does in a cycle, for the counters.

    Members
    -------
    lines : filter lines that are read
    shift : weights move from PE to PE; row stationary, rows whose filter scratchpads get words
    step : a step starts; row stationary, words that ifmap scratchpads get
    vector : an ifmap vector is read
    lanes : elements of that vector
    mac : the array multiplies
    weights : rows that hold a weight for it; row stationary, PEs that multiply
    psum_read, psum_write : the psum buffer is read, written
    progress : anything moves: the watchdog waits
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        flags = ("vector", "mac", "psum_read", "psum_write", "progress")
        rows = ceil_log2(config.rows + 1)
        sets, pes = config.has_pe_sets, ceil_log2(config.pes + 1)
        amounts: dict[str, ShapeLike] = {"shift": rows if sets else 1, "step": pes if sets else 1}
        weights = pes if sets else rows
        amounts |= dict.fromkeys(flags, 1)
        lines = rows if config.reads_weights else 1
        super().__init__(amounts | {"lines": lines, "lanes": rows, "weights": weights})


class ShownCounter(data.StructLayout):
    """The counter that stands at the counters' output.

    Members
    -------
    counter : a `Counter`
    value : unsigned
    last : ``unsigned(1)``
        The last cycle of it, one in each round.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"counter": range(len(Counter)), "value": config.counter_bits, "last": 1})


class SegmentKind(enum.Enum, shape=unsigned(3)):
    """Where the beats of a read segment go."""

    DESCRIPTOR = 0
    IFMAP = 1
    PADDING = 2
    FILTER = 3
    RESIDUAL = 4
    TABLE = 5


def residual_unit_bit(config: AcceleratorConfig) -> int:
    """Lowest bit of a residual segment's channel block in its ``element``."""
    return ceil_log2(2 * config.ofmap_depth * config.channel_block)


def element_bits(config: AcceleratorConfig) -> int:
    """Bits of a segment's ``element``."""
    residual = residual_unit_bit(config) + ceil_log2(config.block_units)
    return max(ceil_log2(config.ifmap_elements), residual)


class Segment(data.StructLayout):
    """Beats that are read, or made up, in one go.

    Members
    -------
    kind : ``SegmentKind``
    address : of address_bits
        Byte address, in DRAM or in the activation memory; meaningless for padding.
    beats : of length_bits
    skip : elements before the first valid one in the first beat
    tail : valid elements of the last beat, less one, counted from its lane 0
    element : ifmap buffer element of lane 0 of the first beat; of a residual segment, element of
        that channel block's ring, and the channel block from `residual_unit_bit` on
    group_last : ``unsigned(1)``
        Completes a plane group, or the residuals of a filter block.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        lane_bits = max(1, ceil_log2(config.axi_elements))
        super().__init__(
            {
                "kind": SegmentKind,
                "address": config.address_bits,
                "beats": config.length_bits,
                "skip": lane_bits,
                "tail": lane_bits,
                "element": element_bits(config),
                "group_last": 1,
            }
        )


class StoreRun(data.StructLayout):
    """A contiguous run of ofmap pixels of one channel block, to be stored.

    Members
    -------
    address : of address_bits
        Byte address, in DRAM or in the activation memory.
    pixels : of count_bits
        At least 1.
    entry : first entry of the ofmap buffer
    unit : channel block within an entry
    release : ``unsigned(1)``
        The entries are free once read.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "address": config.address_bits,
                "pixels": config.count_bits,
                "entry": max(1, ceil_log2(config.ofmap_depth)),
                "unit": max(1, ceil_log2(config.block_units)),
                "release": 1,
            }
        )

"""Words that more than one block uses."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import FIELDS


class LayerDescriptor(data.StructLayout):
    """A fetched descriptor: the fields of `stillflow.hw.descriptor`, by name."""

    def __init__(self) -> None:
        super().__init__({f.name: signed(f.bits) if f.signed else unsigned(f.bits) for f in FIELDS})


class Vector(data.StructLayout):
    """One ifmap vector on its way through the array.

    Members
    -------
    valid : ``unsigned(1)``
    address : ifmap buffer element of lane 0
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


class LineCommand(data.StructLayout):
    """One cycle of weight load.

    Members
    -------
    valid : ``unsigned(1)``
        A shift takes place.
    zero : ``unsigned(1)``
        The line is all zero and not read.
    kind : ``LineKind``
    line : line of the filter buffer
    lane_offset : ifmap buffer lines that the row's lane lies ahead
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": 1,
                "zero": 1,
                "kind": LineKind,
                "line": ceil_log2(config.filter_lines),
                "lane_offset": max(1, ceil_log2(config.ifmap_depth)),
            }
        )


class SegmentKind(enum.Enum, shape=unsigned(2)):
    """Where the beats of a read segment go."""

    DESCRIPTOR = 0
    IFMAP = 1
    PADDING = 2
    FILTER = 3


class Segment(data.StructLayout):
    """Beats that are read, or made up, in one go.

    Members
    -------
    kind : ``SegmentKind``
    address : ``unsigned(32)``
        DRAM byte address; meaningless for padding.
    beats : ``unsigned(24)``
    skip : elements before the first valid one in the first beat
    tail : valid elements of the last beat, less one, counted from its lane 0
    element : ifmap buffer element of lane 0 of the first beat
    group_last : ``unsigned(1)``
        Completes a plane group.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        lane_bits = max(1, ceil_log2(config.axi_elements))
        super().__init__(
            {
                "kind": SegmentKind,
                "address": 32,
                "beats": 24,
                "skip": lane_bits,
                "tail": lane_bits,
                "element": ceil_log2(config.ifmap_elements),
                "group_last": 1,
            }
        )


class StoreRun(data.StructLayout):
    """A contiguous run of ofmap pixels of one channel block, to be written to DRAM.

    Members
    -------
    address : ``unsigned(32)``
        DRAM byte address.
    pixels : ``unsigned(16)``
        At least 1.
    entry : first entry of the ofmap buffer
    unit : channel block within an entry
    release : ``unsigned(1)``
        The entries are free once read.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "address": 32,
                "pixels": 16,
                "entry": max(1, ceil_log2(config.psum_depth)),
                "unit": max(1, ceil_log2(config.block_units)),
                "release": 1,
            }
        )

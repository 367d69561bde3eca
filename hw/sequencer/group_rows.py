"""Read segments of the ifmap rows of one plane group."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.nest import LoopNest, drive_counts
from stillflow.hw.sequencer.nest_address import NestAddress
from stillflow.hw.sequencer.row_pieces import RowPieces
from stillflow.hw.words import Segment, SegmentKind


class Part(enum.Enum):
    """Piece of an ifmap row."""

    LEFT = 0
    DATA = 1
    RIGHT = 2


class Corner(data.StructLayout):
    """Where a plane group's rows begin, and how many there are.

    Members
    -------
    address : DRAM byte address of the top left corner, padding included
    target : ifmap buffer element of that corner
    row0, element0 : the corner in the ifmap plane; negative in the padding
    rows, images, planes : of the group
    width : elements of a row, padding included
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "address": config.address_bits,
                "target": ceil_log2(config.ifmap_elements),
                "row0": signed(config.count_bits + 2),
                "element0": signed(config.length_bits + 2),
                "rows": config.count_bits,
                "images": config.count_bits,
                "planes": 8,
                "width": config.length_bits,
            }
        )


class GroupRows(wiring.Component):
    """Walks rows, images and planes; each row is padding, elements, padding, as far as there are.

    The first segment is valid in the cycle after ``i_start``; ``o_done`` comes with the last one's
    handshake. ``i_corner`` stays until then.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_start : ``In(1)``
    i_corner : ``In(Corner)``
    i_layer : ``In(LayerDescriptor)``
        Strides and the size of the ifmap plane.
    o_segment : ``Out(stream.Signature(Segment))``
    o_done : ``Out(1)``
    """

    i_start: Signal
    i_corner: data.View
    i_layer: Layer
    o_segment: stream.Interface
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_start": In(1),
                "i_corner": In(Corner(config)),
                "i_layer": In(LayerDescriptor(config)),
                "o_segment": Out(stream.Signature(Segment(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk and the choice of pieces."""
        m = Module()
        layer, corner = self.i_layer, self.i_corner
        act_shift = ceil_log2(self.config.act_bytes)
        lane_bits = ceil_log2(self.config.axi_elements)

        m.submodules.rows = rows = LoopNest(3, self.config.count_bits)
        m.submodules.source = source = NestAddress((True,) * 3, self.config.address_bits)
        m.submodules.target = target = NestAddress((True,) * 3, len(corner.target))
        m.submodules.pieces = pieces = RowPieces(self.config.length_bits)
        row_step = Signal()
        counts = (corner.rows, corner.images, corner.planes)
        dram = (layer.ifmap_stride_h, layer.ifmap_stride_n, layer.ifmap_stride_plane)
        chip = (layer.buffer_stride_h, layer.buffer_stride_n, layer.buffer_stride_plane)
        drive_counts(m, rows, dict(enumerate(counts)), settled=False)
        m.d.comb += [source.i_strides[i].eq(stride) for i, stride in enumerate(dram)]
        m.d.comb += [target.i_strides[i].eq(stride) for i, stride in enumerate(chip)]
        m.d.comb += [source.i_base.eq(corner.address), target.i_base.eq(corner.target)]
        m.d.comb += rows.i_step.eq(self.i_start | (row_step & ~rows.o_done))
        for walk in (source, target):
            m.d.comb += [
                walk.i_restart.eq(self.i_start),
                walk.i_step.eq(row_step),
                walk.i_ends.eq(rows.o_ends),
                walk.i_level.eq(rows.o_level),
            ]
        m.d.comb += [
            pieces.i_take.eq(self.i_start),
            pieces.i_element0.eq(corner.element0),
            pieces.i_width.eq(corner.width),
            pieces.i_size.eq(layer.w_size),
        ]

        row = Signal(signed(self.config.count_bits + 3))
        next_row = Signal.like(row)
        outside = Signal()
        m.d.comb += next_row.eq(Mux(self.i_start | ~rows.o_level[0], corner.row0, row + 1))
        with m.If(self.i_start | row_step):
            m.d.sync += [
                row.eq(next_row),
                outside.eq((next_row < 0) | (next_row >= layer.h_size)),
            ]
        left, filled, right = pieces.o_left, pieces.o_filled, pieces.o_right
        all_padding = outside | ~pieces.o_has_filled

        part = Signal(Part)
        busy = Signal()
        row_end = Signal()
        segment = self.o_segment.p
        accepted = self.o_segment.valid & self.o_segment.ready
        address = Signal(self.config.address_bits)
        length = Signal(self.config.length_bits)
        element = Signal(len(corner.target))
        skip = Signal(max(1, lane_bits))
        ends = Signal(self.config.length_bits + 1)  # a beat behind the last element
        m.d.comb += [
            self.o_segment.valid.eq(busy),
            segment.kind.eq(SegmentKind.PADDING),
            segment.address.eq(address),
            segment.skip.eq(skip),
            ends.eq(length + (skip + (self.config.axi_elements - 1))),
            segment.beats.eq(ends[lane_bits:]),
            segment.tail.eq(ends[:lane_bits]),
            segment.element.eq(element - skip),
            segment.group_last.eq(rows.o_done & row_end),
            row_step.eq(accepted & row_end),
            self.o_done.eq(row_step & rows.o_done),
        ]
        next_part = Signal(Part)
        with m.If(all_padding):
            m.d.comb += [length.eq(corner.width), element.eq(target.o_address), row_end.eq(1)]
        with m.Elif((part == Part.LEFT) & pieces.o_has_left):
            m.d.comb += [
                length.eq(left),
                element.eq(target.o_address),
                next_part.eq(Part.DATA),
            ]
        with m.Elif(part != Part.RIGHT):
            m.d.comb += [
                segment.kind.eq(SegmentKind.IFMAP),
                address.eq(source.o_address + (left << act_shift)),
                skip.eq(address[act_shift : act_shift + lane_bits]),
                length.eq(filled),
                element.eq(target.o_address + left),
                row_end.eq(~pieces.o_has_right),
                next_part.eq(Mux(row_end, Part.LEFT, Part.RIGHT)),
            ]
        with m.Else():
            m.d.comb += [
                length.eq(right),
                element.eq(target.o_address + pieces.o_covered),
                row_end.eq(1),
            ]
        with m.If(accepted):
            m.d.sync += part.eq(next_part)
        with m.If(self.o_done):
            m.d.sync += busy.eq(0)
        with m.If(self.i_start):
            m.d.sync += [busy.eq(1), part.eq(Part.LEFT)]

        return m

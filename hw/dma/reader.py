"""AXI4 read engine: segments in, beats to the buffers out."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import ErrorCode
from stillflow.hw.descriptor import BYTES
from stillflow.hw.dma.activation_port import ActivationReads, line_of, on_chip
from stillflow.hw.dma.burst import BurstSplitter
from stillflow.hw.residual import TABLE_BYTES
from stillflow.hw.signals import signals
from stillflow.hw.timing import INBOX
from stillflow.hw.words import Segment, SegmentKind, element_bits


class Reader(wiring.Component):
    """Reads segments in order, several in flight, and makes up padding between them.

    Bursts of filter segments wait until the filter buffer has room for them (``i_filter_freed``
    gives it back); ifmap segments have their slot already, residual segments their entries.
    Beats never wait for anything but the padding in front of them, one beat a cycle. Two segments
    may wait in front of the queue; a segment's first address goes out three cycles after it came
    at the earliest. ``i_segment.ready`` hangs on registers alone. Ifmap and residual segments whose
    address is the activation memory's come from there, in their place in the order: a cycle that
    asks, then a beat a cycle.

    On an error response, ``o_error`` pulses with code and beat address, and from ``i_abort`` on
    nothing new is asked for: outstanding beats are dropped, and ``o_idle`` shows when none is left.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, bursts, segments in flight.

    Members
    -------
    i_segment : ``In(stream.Signature(Segment))``
    i_clear : ``In(1)``
        Start of a layer: the filter buffer is empty.
    i_filter_freed : lines given back in this cycle
    i_abort : ``In(1)``
    ar_*, r_*
        AXI4 channels.
    o_beat, o_kind, o_data
        A beat, and where it goes.
    o_element, o_mask
        Ifmap and residual beats: element of lane 0, valid lanes; beats of a table: its element.
    o_group, o_residual : ``Out(1)``
        Pulse one cycle after the last beat of a plane group, of a filter block's residuals.
    o_local_en, o_local_line, i_local_data
        Activation memory, where there is one: a line comes one cycle later and holds.
    o_idle, o_error, o_error_code, o_error_address
    """

    i_segment: stream.Interface
    i_clear: Signal
    i_filter_freed: Signal
    i_abort: Signal
    ar_valid: Signal
    ar_ready: Signal
    ar_address: Signal
    ar_len: Signal
    r_valid: Signal
    r_ready: Signal
    r_data: Signal
    r_resp: Signal
    o_beat: Signal
    o_kind: Signal
    o_data: Signal
    o_element: Signal
    o_mask: Signal
    o_group: Signal
    o_residual: Signal
    o_local_en: Signal
    o_local_line: Signal
    i_local_data: Signal
    o_idle: Signal
    o_error: Signal
    o_error_code: Signal
    o_error_address: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.freed_bits = ceil_log2(config.filter_lines + 1)
        local = {
            "o_local_en": Out(1),
            "o_local_line": Out(ceil_log2(max(1, config.activation_lines))),
            "i_local_data": In(config.axi_data_bits),
        }
        super().__init__(
            (local if config.activation_kib else {})
            | {
                "i_segment": In(stream.Signature(Segment(config))),
                "i_clear": In(1),
                "i_filter_freed": In(self.freed_bits),
                "i_abort": In(1),
                "ar_valid": Out(1),
                "ar_ready": In(1),
                "ar_address": Out(32),
                "ar_len": Out(8),
                "r_valid": In(1),
                "r_ready": Out(1),
                "r_data": In(config.axi_data_bits),
                "r_resp": In(2),
                "o_beat": Out(1),
                "o_kind": Out(SegmentKind),
                "o_data": Out(config.axi_data_bits),
                "o_element": Out(element_bits(config)),
                "o_mask": Out(config.axi_elements),
                "o_group": Out(1),
                "o_residual": Out(1),
                "o_idle": Out(1),
                "o_error": Out(1),
                "o_error_code": Out(4),
                "o_error_address": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the request side and the beat side."""
        m = Module()
        config = self.config
        beat_shift = ceil_log2(config.axi_bytes)
        line_beats = config.filter_line_bytes // config.axi_bytes

        m.submodules.segments = segments = SyncFIFOBuffered(
            width=Segment(config).size + 1, depth=config.outstanding_reads
        )
        m.submodules.splitter = splitter = BurstSplitter(config)

        # Request side: a segment goes to the queue and, if it asks for beats, to the splitter.
        m.submodules.inbox = inbox = SyncFIFO(width=Segment(config).size, depth=INBOX)
        segment = Segment(config)(inbox.r_data)
        asks, moves, sent, room = signals("asks moves sent room")
        is_filter, cut_is_filter = signals("is_filter cut_is_filter")  # the burst, the transfer
        free = Signal(range(config.filter_lines * line_beats + 1))
        left = Signal.like(free)
        lack = Signal(signed(len(free) + 1))
        comes_filter = Signal()
        m.d.comb += [
            self.ar_address.eq(splitter.o_address),
            self.ar_len.eq(splitter.o_beats - 1),
            sent.eq(self.ar_valid & self.ar_ready),
            splitter.i_next.eq(sent),
            self.i_segment.ready.eq(inbox.w_rdy),
            inbox.w_en.eq(self.i_segment.valid & ~self.i_abort),
            inbox.w_data.eq(self.i_segment.p.as_value()),
            asks.eq((segment.kind != SegmentKind.PADDING) & ~_is_local(config, segment)),
            moves.eq(inbox.r_rdy & segments.w_rdy & (~asks | splitter.o_ready) & ~self.i_abort),
            inbox.r_en.eq(moves),
            segments.w_en.eq(moves),
            segments.w_data.eq(Cat(inbox.r_data, segment.beats == 1)),
            splitter.i_load.eq(moves & asks),
            splitter.i_address.eq(Cat(Const(0, beat_shift), segment.address[beat_shift:])),
            splitter.i_beats.eq(segment.beats),
        ]
        # An address that is valid stays until it is taken, abort or not (AXI4, A3.2.1).
        held = Signal()
        m.d.comb += self.ar_valid.eq(splitter.o_valid & room & (~self.i_abort | held))
        m.d.sync += held.eq(self.ar_valid & ~self.ar_ready)
        m.d.comb += splitter.i_clear.eq(self.i_abort & (sent | ~self.ar_valid))
        with m.If(splitter.i_load):
            m.d.sync += cut_is_filter.eq(segment.kind == SegmentKind.FILTER)
        given = self.i_filter_freed * line_beats
        m.d.comb += [
            comes_filter.eq(Mux(~splitter.o_valid | sent, cut_is_filter, is_filter)),
            left.eq(Mux(sent & is_filter, free - splitter.o_beats, free)),
            lack.eq(splitter.o_coming - left),  # it waits for what is given late in the cycle
        ]
        m.d.sync += [
            is_filter.eq(comes_filter),
            free.eq(left + given),
            room.eq(~comes_filter | (given >= lack) | self.i_clear),
        ]
        with m.If(self.i_clear):
            m.d.sync += free.eq(config.filter_lines * line_beats)

        # Beat side.
        head, is_single = Segment(config)(segments.r_data[:-1]), segments.r_data[-1]
        beat = Signal(config.length_bits)
        first_beat = Signal(init=1)
        last_beat, next_is_last = signals("last_beat next_is_last")
        next_element = Signal.like(self.o_element)
        is_padding, is_local = signals("is_padding is_local")
        shown, outside = self._local(m, head, is_local, last_beat)
        m.d.comb += [
            is_padding.eq(segments.r_rdy & (head.kind == SegmentKind.PADDING)),
            is_local.eq(segments.r_rdy & _is_local(config, head)),
            self.r_ready.eq((segments.r_rdy & ~is_padding & ~is_local) | self.i_abort),
            self.o_beat.eq(
                (is_padding | shown | (segments.r_rdy & ~is_local & self.r_valid & ~self.r_resp[1]))
                & ~self.i_abort
            ),
            self.o_kind.eq(head.kind),
            self.o_element.eq(Mux(first_beat, head.element, next_element)),
            last_beat.eq(Mux(first_beat, is_single, next_is_last)),
        ]
        lanes = config.axi_elements
        every = Const(-1, lanes)
        skipped, behind = signals("skipped behind", lanes)  # before the first lane, behind the last
        m.d.comb += [
            skipped.eq(~(every << head.skip)),
            behind.eq((every << 1) << head.tail),
            self.o_mask.eq(
                ~(skipped & first_beat.replicate(lanes)) & ~(behind & last_beat.replicate(lanes))
            ),
        ]
        with m.If(self.o_beat):
            m.d.sync += [
                beat.eq(Mux(last_beat, 0, beat + 1)),
                first_beat.eq(last_beat),
                next_is_last.eq(beat + 2 == head.beats),
                next_element.eq(self.o_element + config.axi_elements),
            ]
            m.d.comb += segments.r_en.eq(last_beat)
        ends_group = self.o_beat & last_beat & head.group_last
        is_residual = head.kind == SegmentKind.RESIDUAL
        m.d.sync += [
            self.o_group.eq(ends_group & ~is_residual),
            self.o_residual.eq(ends_group & is_residual),
        ]

        # Each beat has its room on chip, a byte or more, but for a descriptor and a table.
        # Less one, so that a sign says that there are none.
        most = config.glb_kib * 1024 + BYTES + TABLE_BYTES
        outstanding = Signal(signed(most.bit_length() + 1), init=-1)
        got = self.r_valid & self.r_ready
        m.d.sync += outstanding.eq(outstanding + Mux(sent, splitter.o_beats, 0) - got)
        m.d.comb += [
            self.o_idle.eq(outstanding[-1] & splitter.o_idle),
            self.o_error.eq(((got & self.r_resp[1]) | outside) & ~self.i_abort),
            self.o_error_code.eq(
                Mux(
                    outside | self.r_resp[0],
                    ErrorCode.READ_DECERR.value,
                    ErrorCode.READ_SLVERR.value,
                )
            ),
            self.o_error_address.eq(
                Cat(Const(0, beat_shift), (head.address[beat_shift:] + beat)[: 32 - beat_shift])
            ),
        ]

        return m

    def _local(
        self, m: Module, head: data.View, is_local: Signal, last_beat: Signal
    ) -> tuple[Value, Value]:
        """Take the beats of segments in the activation memory: one is there, or lies outside."""
        config = self.config
        if not config.activation_kib:
            m.d.comb += self.o_data.eq(self.r_data)
            return Const(0), Const(0)
        m.submodules.local = reads = ActivationReads(config)
        m.d.comb += [
            reads.i_valid.eq(is_local),
            reads.i_line.eq(line_of(config, head.address)),
            reads.i_last.eq(last_beat),
            self.o_local_en.eq(reads.o_read_en),
            self.o_local_line.eq(reads.o_read_line),
            self.o_data.eq(Mux(is_local, self.i_local_data, self.r_data)),
        ]
        return reads.o_beat & ~reads.o_outside, reads.o_beat & reads.o_outside


def _is_local(config: AcceleratorConfig, segment: data.View) -> Value:
    """Whether a segment comes from the activation memory."""
    kinds = (segment.kind == SegmentKind.IFMAP) | (segment.kind == SegmentKind.RESIDUAL)
    return on_chip(config, segment.address) & kinds

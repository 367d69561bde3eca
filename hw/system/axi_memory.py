"""AXI4 bursts and the link's words as beats of a memory port."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import ceil_log2
from stillflow.hw.signals import signals
from stillflow.hw.system.memory_port import MemoryPort
from stillflow.hw.system.word_bus import WordBus

OKAY, DECERR = 0, 3  # AXI responses
READ_AHEAD = 16  # beats asked for that the master has not taken
AXI, LINK = 0, 1  # sources of a request


class Burst(data.StructLayout):
    """A burst that is being served.

    Members
    -------
    active : there is one
    beat : number of its next beat in the memory
    left : beats behind that one
    outside : it does not lie within the memory
    """

    def __init__(self) -> None:
        super().__init__({"active": 1, "beat": 32, "left": 8, "outside": 1})


class AxiMemory(wiring.Component):
    """AXI4 slave in front of a memory port, shared with the link.

    One burst each way at a time; beats of both come in turns, and a word of the link first. A
    burst that does not lie within the memory is answered DECERR and touches nothing.

    The master is the accelerator's: whole beats, INCR, one ID. A burst is taken in the cycle
    behind the last beat of the one before it at the earliest.

    Parameters
    ----------
    data_bits : int
        Width of a beat.
    size : int
        Bytes of the memory.

    Members
    -------
    ar_*, r_*, aw_*, w_*, b_* : AXI4 slave
    words : ``In(WordBus())``
        Of the link; within the memory.
    port : ``Out(MemoryPort(...))``
    """

    ar: stream.Interface
    aw: stream.Interface
    r: stream.Interface
    w: stream.Interface
    b: stream.Interface
    words: Any
    port: Any

    def __init__(self, *, data_bits: int, size: int) -> None:
        self.data_bits = data_bits
        self.size = size
        self.beats = size * 8 // data_bits
        address = data.StructLayout({"address": 32, "last_beat": 8})
        super().__init__(
            {
                "ar": In(stream.Signature(address)),
                "aw": In(stream.Signature(address)),
                "r": Out(
                    stream.Signature(
                        data.StructLayout({"data": data_bits, "response": 2, "last": 1})
                    )
                ),
                "w": In(
                    stream.Signature(
                        data.StructLayout({"data": data_bits, "strobe": data_bits // 8})
                    )
                ),
                "b": Out(stream.Signature(2)),
                "words": In(WordBus()),
                "port": Out(MemoryPort(data_bits=data_bits, address_bits=ceil_log2(self.beats))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the two ways and who comes first."""
        m = Module()

        port, request = self.port, self.port.requests.p
        reading, writing = signals("reading writing", Burst())
        for channel, burst in ((self.ar, reading), (self.aw, writing)):
            shift = ceil_log2(self.data_bits // 8)
            first = channel.p.address[shift:]
            m.d.comb += channel.ready.eq(~burst.active)
            with m.If(channel.valid & channel.ready):
                m.d.sync += [
                    burst.active.eq(1),
                    burst.beat.eq(first),
                    burst.left.eq(channel.p.last_beat),
                    burst.outside.eq(first + channel.p.last_beat >= self.beats),
                ]

        # Who may ask in this cycle.
        asks_word, asks_read, asks_write, takes = signals("asks_word asks_read asks_write takes")
        writes_next, room = signals("writes_next room")
        answer_free, word_waits = signals("answer_free word_waits")
        m.d.comb += [
            asks_word.eq(self.words.request & ~word_waits),
            asks_read.eq(reading.active & ~reading.outside & room),
            asks_write.eq(
                writing.active & ~writing.outside & self.w.valid
                & (answer_free | (writing.left != 0))
            ),
            takes.eq(port.requests.valid & port.requests.ready),
            port.requests.valid.eq(asks_word | asks_read | asks_write),
        ]  # fmt: skip
        reads, wrote = signals("reads wrote")  # a beat of AXI's goes to the memory, or nowhere
        self._word(m, asks_word, word_waits, takes)
        writes = Signal()
        m.d.comb += writes.eq(asks_write & (writes_next | ~asks_read))
        with m.If(~asks_word):
            m.d.comb += [
                request.source.eq(AXI),
                request.write.eq(writes),
                request.address.eq(Mux(writes, writing.beat, reading.beat)),
                request.data.eq(self.w.p.data),
                request.strobe.eq(self.w.p.strobe),
                reads.eq(takes & ~writes),
                wrote.eq(takes & writes),
            ]
            with m.If(takes):
                m.d.sync += writes_next.eq(~writes)

        # What was read, behind what a burst outside gets.
        self._read(m, reading, reads, room)
        skips = Signal()
        m.d.comb += [
            skips.eq(
                writing.active & writing.outside & self.w.valid
                & (answer_free | (writing.left != 0))
            ),
            self.w.ready.eq(wrote | skips),
            answer_free.eq(~self.b.valid | self.b.ready),
        ]  # fmt: skip
        with m.If(self.b.ready):
            m.d.sync += self.b.valid.eq(0)
        with m.If(self.w.ready):
            m.d.sync += [writing.beat.eq(writing.beat + 1), writing.left.eq(writing.left - 1)]
            with m.If(writing.left == 0):
                m.d.sync += [
                    writing.active.eq(0),
                    self.b.valid.eq(1),
                    self.b.payload.eq(Mux(writing.outside, DECERR, OKAY)),
                ]

        return m

    def _word(self, m: Module, asks: Signal, waits: Signal, takes: Signal) -> None:
        """Serve the link: its word is a part of a beat."""
        words, port, request = self.words, self.port, self.port.requests.p
        lanes = self.data_bits // 32
        beat_bits = ceil_log2(self.data_bits // 8)
        lane = words.address[2:beat_bits] if lanes > 1 else Const(0, 1)
        with m.If(asks):
            m.d.comb += [
                request.source.eq(LINK),
                request.write.eq(words.write),
                request.address.eq(words.address[beat_bits:]),
                request.data.eq(words.write_data.replicate(lanes)),
                request.strobe.eq(Const(0xF, 4) << (lane << 2)),
                words.done.eq(takes & words.write),
            ]
            with m.If(takes):
                m.d.sync += waits.eq(~words.write)
        with m.If(port.read & (port.read_source == LINK)):
            m.d.comb += words.done.eq(1)
            m.d.sync += waits.eq(0)
        m.d.comb += words.read_data.eq(port.read_data.word_select(lane, 32))

    def _read(self, m: Module, burst: data.View, reads: Signal, room: Signal) -> None:
        """Keep what comes until the master takes it; know which beats are a burst's last."""
        port, out = self.port, self.r
        m.submodules.data = fifo = SyncFIFOBuffered(width=self.data_bits, depth=READ_AHEAD)
        m.submodules.marks = marks = SyncFIFOBuffered(width=1, depth=READ_AHEAD)
        taken, outside, skips = signals("taken outside skips")
        asked = Signal(range(READ_AHEAD + 1))
        m.d.comb += [
            room.eq(asked != READ_AHEAD),
            fifo.w_en.eq(port.read & (port.read_source == AXI)),
            fifo.w_data.eq(port.read_data),
            marks.w_en.eq(reads),
            marks.w_data.eq(burst.left == 0),
            outside.eq(burst.active & burst.outside & (asked == 0)),
            out.valid.eq(fifo.r_rdy | outside),
            out.p.data.eq(fifo.r_data),
            out.p.last.eq(Mux(outside, burst.left == 0, marks.r_data)),
            out.p.response.eq(Mux(outside, DECERR, OKAY)),
            taken.eq(out.valid & out.ready & ~outside),
            skips.eq(out.ready & outside),
            fifo.r_en.eq(taken),
            marks.r_en.eq(taken),
        ]
        m.d.sync += asked.eq(asked + reads - taken)
        with m.If(reads | skips):
            m.d.sync += [burst.beat.eq(burst.beat + 1), burst.left.eq(burst.left - 1)]
            with m.If(burst.left == 0):
                m.d.sync += burst.active.eq(0)

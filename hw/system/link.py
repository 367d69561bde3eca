"""The board's end of the link to the host."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.link import ANSWER, CRC, CRC_BYTES, HEAD_BYTES, REQUEST, WORD_BYTES, Status
from stillflow.hw.signals import signals
from stillflow.hw.system.word_bus import WordBus

STATUS_BYTES = 2  # of an answer, between its first byte and its words


class Head(data.StructLayout):
    """Head of a request, as it comes."""

    def __init__(self) -> None:
        super().__init__({"op": 8, "sequence": 8, "last_word": 8, "address": 32})


class State(enum.Enum):
    """What comes next."""

    HUNT = 0  # first byte of a request
    HEAD = 1
    HEAD_CRC = 2
    JUDGE = 3
    WORDS = 4  # of a write
    WORDS_CRC = 5
    WRITE = 6  # a register
    ANSWER = 7  # first byte of an answer
    STATUS = 8
    READ = 9  # a word
    SEND = 10
    ANSWER_CRC = 11


class LinkDevice(wiring.Component):
    """Does what the frames of `stillflow.hw.link` ask for and answers them.

    Words for memory are written as they come. If the bus is not done with one when the next has
    come, as before an SDRAM is set up, the answer is `Status.DATA`. A word for a register is
    written once its checksum is right.

    Parameters
    ----------
    memory_bytes : int
        Size of the memory.
    pause_cycles : int
        Cycles without a byte after which a request is given up.

    Members
    -------
    i_valid, i_byte : ``In(1)``, ``In(8)``
        From the host; never waits.
    o_bytes : ``Out(stream.Signature(8))``
        To the host.
    registers, memory : ``Out(WordBus())``
    """

    i_valid: Signal
    i_byte: Signal
    o_bytes: stream.Interface
    registers: Any
    memory: Any

    def __init__(self, *, memory_bytes: int, pause_cycles: int) -> None:
        self.memory_bytes = memory_bytes
        self.pause_cycles = pause_cycles
        super().__init__(
            {
                "i_valid": In(1),
                "i_byte": In(8),
                "o_bytes": Out(stream.Signature(8)),
                "registers": Out(WordBus()),
                "memory": Out(WordBus()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the machine."""
        m = Module()

        crc: Any = CRC(8).create()
        m.submodules.crc = crc
        state = Signal(State)
        head: Any = Signal(Head())
        content = Signal(HEAD_BYTES * 8)
        left = Signal(range(HEAD_BYTES))
        word_left = Signal(9)
        word = Signal(32)
        status = Signal(Status)
        address = Signal(32)
        last_sequence = Signal(8)
        has_last = Signal()
        repeats = Signal()
        request = Signal()
        pause = Signal(range(self.pause_cycles + 1))
        memory, writes, overrun = signals("memory writes overrun")  # of the request in hand
        of_memory, of_write = head.op[1], head.op[0]
        m.d.comb += head.eq(content)

        # One bus at a time; what it says is heard a cycle later.
        done, error = signals("done error")
        read = Signal(32)
        for bus, chosen in ((self.registers, ~memory), (self.memory, memory)):
            m.d.comb += [
                bus.request.eq(request & ~done & chosen),
                bus.write.eq(writes),
                bus.address.eq(address),
                bus.write_data.eq(word),
            ]
        came = Signal()
        m.d.comb += [
            came.eq(Mux(memory, self.memory.done, self.registers.done)),
            read.eq(Mux(memory, self.memory.read_data, self.registers.read_data)),
        ]
        m.d.sync += [
            done.eq(came),
            error.eq(Mux(memory, self.memory.error, self.registers.error)),
        ]
        with m.If(request & done):
            m.d.sync += [request.eq(0), address.eq(address + WORD_BYTES)]

        # Is the request one that can be done?
        end = Signal(33)
        wrong = Signal(Status)
        m.d.comb += end.eq(head.address + ((head.last_word + 1) << 2))
        with m.If((head.op > 3) | (~of_memory & (head.last_word != 0))):
            m.d.comb += wrong.eq(Status.REQUEST)
        with m.Elif((head.address[:2] != 0) | (of_memory & (end > self.memory_bytes))):
            m.d.comb += wrong.eq(Status.ADDRESS)

        # Bytes to send, each in a register, from where it goes into the sum, too.
        out = self.o_bytes
        sends, sent, covers, covered = signals("sends sent covers covered")
        byte = Signal(8)
        m.d.comb += [
            sent.eq(sends & ~out.valid),
            crc.data.eq(Mux(covered, out.payload, self.i_byte)),
        ]
        m.d.sync += covered.eq(covers)
        with m.If(sent):
            m.d.sync += [out.valid.eq(1), out.payload.eq(byte)]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)

        with m.Switch(state):
            with m.Case(State.HUNT):
                m.d.comb += crc.start.eq(1)
                m.d.sync += left.eq(HEAD_BYTES - 1)
                with m.If(self.i_valid & (self.i_byte == REQUEST)):
                    m.d.sync += state.eq(State.HEAD)
            with m.Case(State.HEAD):
                m.d.comb += crc.valid.eq(self.i_valid)
                with m.If(self.i_valid):
                    m.d.sync += [content.eq(Cat(content[8:], self.i_byte)), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += [left.eq(CRC_BYTES - 1), state.eq(State.HEAD_CRC)]
            with m.Case(State.HEAD_CRC):
                m.d.comb += crc.valid.eq(self.i_valid)
                with m.If(self.i_valid):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += state.eq(State.JUDGE)
            with m.Case(State.JUDGE):
                m.d.comb += crc.start.eq(1)
                with m.If(~request):
                    m.d.sync += [
                        memory.eq(of_memory),
                        writes.eq(of_write),
                        address.eq(head.address),
                    ]
                m.d.sync += [
                    word_left.eq(head.last_word),
                    status.eq(wrong),
                    repeats.eq(has_last & (head.sequence == last_sequence)),
                    left.eq(WORD_BYTES - 1),
                    overrun.eq(0),
                ]
                # A word of a request that was given up may still wait for the memory.
                with m.If(~crc.match_detected | request):
                    m.d.sync += state.eq(State.HUNT)
                with m.Elif(wrong != Status.OK):
                    m.d.sync += state.eq(State.ANSWER)
                with m.Elif(of_write):
                    m.d.sync += state.eq(State.WORDS)
                with m.Elif(of_memory):
                    m.d.sync += state.eq(State.ANSWER)
                with m.Else():  # a register's answer says whether there is one
                    m.d.sync += [request.eq(1), state.eq(State.READ)]
            with m.Case(State.WORDS):
                m.d.comb += crc.valid.eq(self.i_valid)
                with m.If(self.i_valid):
                    m.d.sync += [word.eq(Cat(word[8:], self.i_byte)), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += [
                            request.eq(memory & ~repeats),
                            overrun.eq(overrun | (request & ~done)),
                            word_left.eq(word_left - 1),
                            left.eq(WORD_BYTES - 1),
                        ]
                        with m.If(word_left == 0):
                            m.d.sync += [left.eq(CRC_BYTES - 1), state.eq(State.WORDS_CRC)]
            with m.Case(State.WORDS_CRC):
                m.d.comb += crc.valid.eq(self.i_valid)
                with m.If(self.i_valid):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += state.eq(State.WRITE)
            with m.Case(State.WRITE):
                m.d.sync += state.eq(State.ANSWER)
                with m.If(~crc.match_detected | overrun | (memory & request & ~done)):
                    m.d.sync += status.eq(Status.DATA)
                with m.Elif(~memory & ~repeats):
                    m.d.sync += [request.eq(1), state.eq(State.WRITE)]
                    with m.If(request):
                        m.d.sync += request.eq(~done)
                    with m.If(request & done):
                        m.d.sync += [
                            status.eq(Mux(error, Status.ADDRESS, Status.OK)),
                            state.eq(State.ANSWER),
                        ]
            with m.Case(State.READ):
                with m.If(came):
                    m.d.sync += word.eq(read)
                with m.If(done):
                    m.d.sync += [left.eq(WORD_BYTES - 1), state.eq(State.SEND)]
                    with m.If(~memory):
                        m.d.sync += state.eq(State.ANSWER)
                        m.d.sync += status.eq(Mux(error, Status.ADDRESS, Status.OK))
            with m.Case(State.ANSWER):
                m.d.comb += [byte.eq(ANSWER), sends.eq(1), crc.start.eq(1)]
                m.d.sync += left.eq(STATUS_BYTES - 1)
                with m.If(sent):
                    m.d.sync += state.eq(State.STATUS)
            with m.Case(State.STATUS):
                m.d.comb += [
                    byte.eq(Mux(left != 0, status, head.sequence)),
                    sends.eq(1),
                    covers.eq(sent),
                ]
                with m.If(sent):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += [left.eq(CRC_BYTES - 1), state.eq(State.ANSWER_CRC)]
                        with m.If((status == Status.OK) & ~writes):
                            m.d.sync += [left.eq(WORD_BYTES - 1), state.eq(State.SEND)]
                            with m.If(memory):
                                m.d.sync += [request.eq(1), state.eq(State.READ)]
            with m.Case(State.SEND):
                m.d.comb += [byte.eq(word[:8]), sends.eq(1), covers.eq(sent)]
                with m.If(sent):
                    m.d.sync += [word.eq(word[8:]), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += [
                            word_left.eq(word_left - 1),
                            request.eq(1),
                            state.eq(State.READ),
                        ]
                        with m.If(word_left == 0):
                            m.d.sync += [
                                left.eq(CRC_BYTES - 1),
                                request.eq(0),
                                state.eq(State.ANSWER_CRC),
                            ]
            with m.Case(State.ANSWER_CRC):
                m.d.comb += [
                    byte.eq(Mux(left != 0, crc.crc[:8], crc.crc[8:])),
                    sends.eq(1),
                ]
                with m.If(sent):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += state.eq(State.HUNT)
                        with m.If(status == Status.OK):
                            m.d.sync += [last_sequence.eq(head.sequence), has_last.eq(1)]

        with m.If(covered):
            m.d.comb += crc.valid.eq(1)

        # A request that does not go on.
        hears = Signal()
        m.d.comb += hears.eq(
            (state == State.HEAD)
            | (state == State.HEAD_CRC)
            | (state == State.WORDS)
            | (state == State.WORDS_CRC)
        )
        m.d.sync += pause.eq(pause + 1)
        with m.If(~hears | self.i_valid):
            m.d.sync += pause.eq(0)
        with m.Elif(pause == self.pause_cycles):
            m.d.sync += state.eq(State.HUNT)

        return m

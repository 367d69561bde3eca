"""Controller of a single-data-rate SDRAM, 16 bits wide."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import ceil_log2
from stillflow.hw.signals import signals
from stillflow.hw.system.memory_port import MemoryPort
from stillflow.hw.system.sdram_timing import WORD_BITS, SdramTiming

AUTO = 10  # address bit that makes a precharge one of all banks


class Command(enum.Enum, shape=3):
    """RAS#, CAS#, WE#, the first the highest bit."""

    MODE = 0b000
    REFRESH = 0b001
    PRECHARGE = 0b010
    ACTIVATE = 0b011
    WRITE = 0b100
    READ = 0b101
    NOTHING = 0b111


class State(enum.Enum):
    """What the controller does."""

    START = 0
    SET_UP = 1
    SERVE = 2
    REFRESH = 3


class SdramController(wiring.Component):
    """Serves a memory port from an SDRAM: a beat is a burst, rows stay open.

    Beats in an open row follow each other without a gap; one that comes later waits a cycle more.
    A beat in another row of the bank costs a precharge and an activation, a refresh closes all
    rows. Behind a read a write waits until the read's words have come.

    All output pins are registers, and ``i_dq`` goes into one first.

    Parameters
    ----------
    timing : SdramTiming
        Device and clock.
    data_bits : int
        Width of a beat, one of `BEAT_BITS`.

    Members
    -------
    port : ``In(MemoryPort(...))``
    o_command : ``Out(3)``
        RAS#, CAS#, WE#, as `Command`.
    o_address, o_bank, o_mask
    o_dq, o_dq_drive, i_dq
    """

    port: Any
    o_command: Signal
    o_address: Signal
    o_bank: Signal
    o_mask: Signal
    o_dq: Signal
    o_dq_drive: Signal
    i_dq: Signal

    def __init__(self, timing: SdramTiming, *, data_bits: int) -> None:
        self.timing = timing
        self.data_bits = data_bits
        self.burst = data_bits // WORD_BITS
        address_bits = ceil_log2(timing.size * 8 // data_bits)
        super().__init__(
            {
                "port": In(MemoryPort(data_bits=data_bits, address_bits=address_bits)),
                "o_command": Out(Command),
                "o_address": Out(timing.row_bits),
                "o_bank": Out(timing.bank_bits),
                "o_mask": Out(WORD_BITS // 8),
                "o_dq": Out(WORD_BITS),
                "o_dq_drive": Out(1),
                "i_dq": In(WORD_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the controller."""
        m = Module()
        timing, burst = self.timing, self.burst
        port, request = self.port, self.port.requests.p
        within = ceil_log2(burst)

        # Where a beat lies: rows of a bank follow those of the next bank.
        column = Signal(timing.column_bits)
        row = Signal(timing.row_bits)
        bank = Signal(timing.bank_bits)
        m.d.comb += Cat(column[within:], bank, row).eq(request.address)
        banks = 1 << timing.bank_bits
        rows = [Signal(timing.row_bits, name=f"row_{n}") for n in range(banks)]
        is_open = Signal(banks)

        # Time.
        most = max(
            timing.cycles(t) for t in (timing.activate_ns, timing.precharge_ns, timing.refresh_ns)
        )
        # Cycles to go, less one, so that a sign says that there are none: before any command, a
        # write behind reads, a precharge behind a write, a precharge behind an activation.
        longest = most + 2 * burst + timing.cycles(timing.write_ns) + 8
        wait, turn, recover, settle = counters = signals(
            "wait turn recover settle", signed(longest.bit_length() + 1)
        )
        rests, turned, closable = wait[-1], turn[-1], recover[-1] & settle[-1] & turn[-1]
        starting = Signal(range(timing.cycles(timing.start_ns) + 1))
        interval = timing.cycles(timing.interval_ns)
        clock = Signal(range(interval))
        due = Signal()
        for counter in counters:
            with m.If(~counter[-1]):
                m.d.sync += counter.eq(counter - 1)
        m.d.sync += clock.eq(clock + 1)
        with m.If(clock == interval - 1):
            m.d.sync += [clock.eq(0), due.eq(1)]

        # Words that go out behind a write, and those that come behind a read.
        out = Signal(self.data_bits)
        masks = Signal(self.data_bits // 8)
        drives = Signal(burst)
        m.d.sync += [
            self.o_dq.eq(out[:WORD_BITS]),
            self.o_mask.eq(masks[: WORD_BITS // 8]),
            self.o_dq_drive.eq(drives[0]),
        ]
        m.d.sync += [
            out.eq(out[WORD_BITS:]),
            masks.eq(masks[WORD_BITS // 8 :]),
            drives.eq(drives[1:]),
        ]
        command = Signal(Command, init=Command.NOTHING)
        m.d.comb += self.o_command.eq(command)
        m.d.sync += command.eq(Command.NOTHING)

        state = Signal(State)
        step = Signal(4)
        # Whether a request's row is open is looked up in the cycle before it is served.
        hit, opened, known, ready = signals("hit opened known ready")
        asks = port.requests.valid & known
        m.d.sync += [
            hit.eq(is_open.bit_select(bank, 1) & (Array(rows)[bank] == row)),
            opened.eq(is_open.bit_select(bank, 1)),
            known.eq(port.requests.valid),
        ]
        reads = Signal()
        with m.Switch(state):
            with m.Case(State.START):
                m.d.sync += starting.eq(starting + 1)
                with m.If(starting == timing.cycles(timing.start_ns)):
                    m.d.sync += state.eq(State.SET_UP)
            with m.Case(State.SET_UP):
                with m.If(rests):
                    m.d.sync += [step.eq(step + 1), wait.eq(timing.cycles(timing.refresh_ns) - 1)]
                    with m.Switch(step):
                        with m.Case(0):
                            m.d.sync += [
                                command.eq(Command.PRECHARGE),
                                self.o_address.eq(1 << AUTO),
                            ]
                        with m.Case(*range(1, 9)):
                            m.d.sync += command.eq(Command.REFRESH)
                        with m.Case(9):
                            m.d.sync += [
                                command.eq(Command.MODE),
                                self.o_bank.eq(0),
                                self.o_address.eq(within | timing.cas_latency << 4),
                            ]
                        with m.Default():
                            m.d.sync += [due.eq(0), state.eq(State.SERVE)]
            with m.Case(State.SERVE):
                with m.If(rests):
                    with m.If(due):
                        with m.If(closable):
                            m.d.sync += [
                                command.eq(Command.PRECHARGE),
                                self.o_address.eq(1 << AUTO),
                                is_open.eq(0),
                                known.eq(0),
                                wait.eq(timing.cycles(timing.precharge_ns) - 2),
                                state.eq(State.REFRESH),
                            ]
                    with m.Elif(asks & hit):
                        with m.If(~request.write | turned):
                            m.d.comb += ready.eq(1)
                    with m.Elif(asks & opened):
                        with m.If(closable):
                            m.d.sync += [
                                command.eq(Command.PRECHARGE),
                                self.o_bank.eq(bank),
                                self.o_address.eq(0),
                                is_open.bit_select(bank, 1).eq(0),
                                known.eq(0),
                                wait.eq(timing.cycles(timing.precharge_ns) - 2),
                            ]
                    with m.Elif(asks):
                        m.d.sync += [
                            command.eq(Command.ACTIVATE),
                            self.o_bank.eq(bank),
                            self.o_address.eq(row),
                            is_open.bit_select(bank, 1).eq(1),
                            Array(rows)[bank].eq(row),
                            known.eq(0),
                            wait.eq(timing.cycles(timing.activate_ns) - 2),
                            settle.eq(timing.cycles(timing.row_ns) - 2),
                        ]
            with m.Case(State.REFRESH):
                with m.If(rests):
                    m.d.sync += [
                        command.eq(Command.REFRESH),
                        due.eq(0),
                        wait.eq(timing.cycles(timing.refresh_ns) - 2),
                        state.eq(State.SERVE),
                    ]

        m.d.comb += [port.requests.ready.eq(ready), reads.eq(ready & ~request.write)]
        with m.If(ready):
            m.d.sync += [
                self.o_bank.eq(bank),
                self.o_address.eq(column),
                known.eq(0),
                wait.eq(burst - 2),
            ]
            with m.If(request.write):
                first, byte = WORD_BITS, WORD_BITS // 8
                m.d.sync += [
                    command.eq(Command.WRITE),
                    self.o_dq.eq(request.data[:first]),
                    self.o_mask.eq(~request.strobe[:byte]),
                    self.o_dq_drive.eq(1),
                    out.eq(request.data[first:]),
                    masks.eq(~request.strobe[byte:]),
                    drives.eq((1 << (burst - 1)) - 1),
                    recover.eq(burst + timing.cycles(timing.write_ns) - 1),
                ]
            with m.Else():
                m.d.sync += [
                    command.eq(Command.READ),
                    self.o_mask.eq(0),
                    turn.eq(timing.cas_latency + burst),
                ]
        self._collect(m, reads, Mux(ready, request.source, 0))

        return m

    def _collect(self, m: Module, reads: Signal, source: Value) -> None:
        """Take the words of a read, known by the cycles since its command."""
        port, burst = self.port, self.burst
        delay = self.timing.capture + burst
        ends = Signal(delay)
        sources = Signal(delay)
        word = Signal(WORD_BITS)
        shift = Signal(self.data_bits)
        m.d.sync += [
            ends.eq(Cat(reads, ends)),
            sources.eq(Cat(source, sources)),
            word.eq(self.i_dq),
            shift.eq(Cat(shift[WORD_BITS:], word)),
            port.read.eq(ends[-1]),
            port.read_source.eq(sources[-1]),
        ]
        m.d.comb += port.read_data.eq(shift)

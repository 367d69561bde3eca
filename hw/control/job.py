"""Runs a program: fetches descriptors, starts the walkers, ends or aborts the job."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.descriptor_register import DescriptorRegister
from stillflow.hw.control.watchdog import Watchdog
from stillflow.hw.csr import RECORD_BYTES, ErrorCode
from stillflow.hw.descriptor import BYTES
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.signals import delayed, signals
from stillflow.hw.words import Segment, SegmentKind

DRAIN_CYCLES = 1 << 16  # an abort that waits longer for answers reports its error meanwhile


class State(enum.Enum):
    """Stages of a job."""

    IDLE = 0
    FETCH = 1
    RECEIVE = 2
    CHECK = 3
    BEGIN = 4
    START = 5
    RUN = 6
    FINISH = 7
    CLEAR = 8
    # Bits of their own, which go far.
    RECORD = 16
    DRAIN = 32


class JobControl(wiring.Component):
    """One layer after the other, from the doorbell to the interrupt.

    A layer is complete when the walkers are done and every write is acknowledged. Before the first
    layer and after each one a record of the counters is written, while the next descriptor is
    fetched: so a layer costs the same alone and in a program. An error stops everything: nothing
    new is sent, answers are awaited, the engines are cleared, the error is reported. So the next
    job finds a clean core. Where answers stay out for `DRAIN_CYCLES` the error is reported all the
    same, but the core stays busy until they come: AXI4 lets no request be taken back. Only a soft
    reset from then on forgets them.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width.

    Members
    -------
    i_start, i_soft_reset : ``In(1)``
        From the registers; a start while busy never comes.
    i_program_address, i_program_length, i_record_address, i_watchdog
        Registers.
    o_segment : ``Out(stream.Signature(Segment))``
        Descriptor reads.
    i_beat, i_data
        Beats of the descriptor.
    o_begin, o_layer
        Start of a layer, and its descriptor.
    o_layer_end : ``Out(1)``
        Pulses when a layer is complete.
    i_walkers_done, i_writer_idle, i_reader_idle : ``In(1)``
    i_record_taken : ``In(1)``
        The writer has read all counters of the record.
    i_progress : ``In(1)``
        Something moved: the watchdog starts anew.
    i_error, i_error_code, i_error_address
        From the DMA engines.
    o_record : ``Out(stream.Signature(32))``
    o_busy, o_done, o_failed, o_error_code, o_error_address, o_layers
        To the registers; ``o_done`` and ``o_failed`` pulse.
    o_counters_clear, o_counters_sweep : ``Out(1)``
        Clear the counters; show them all once more, for the record that begins in this cycle.
    o_abort, o_clear : ``Out(1)``
        Hold back everything new; reset the engines.
    """

    i_start: Signal
    i_soft_reset: Signal
    i_program_address: Signal
    i_program_length: Signal
    i_record_address: Signal
    i_watchdog: Signal
    o_segment: stream.Interface
    i_beat: Signal
    i_data: Signal
    o_begin: Signal
    o_layer: Layer
    o_layer_end: Signal
    i_walkers_done: Signal
    i_writer_idle: Signal
    i_record_taken: Signal
    i_reader_idle: Signal
    i_progress: Signal
    i_error: Signal
    i_error_code: Signal
    i_error_address: Signal
    o_record: stream.Interface
    o_busy: Signal
    o_done: Signal
    o_failed: Signal
    o_error_code: Signal
    o_error_address: Signal
    o_layers: Signal
    o_counters_clear: Signal
    o_counters_sweep: Signal
    o_abort: Signal
    o_clear: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_start": In(1),
                "i_soft_reset": In(1),
                "i_program_address": In(32),
                "i_program_length": In(16),
                "i_record_address": In(32),
                "i_watchdog": In(32),
                "o_segment": Out(stream.Signature(Segment(config))),
                "i_beat": In(1),
                "i_data": In(config.axi_data_bits),
                "o_begin": Out(1),
                "o_layer": Out(LayerDescriptor(config)),
                "o_layer_end": Out(1),
                "i_walkers_done": In(1),
                "i_writer_idle": In(1),
                "i_record_taken": In(1),
                "i_reader_idle": In(1),
                "i_progress": In(1),
                "i_error": In(1),
                "i_error_code": In(4),
                "i_error_address": In(32),
                "o_record": Out(stream.Signature(32)),
                "o_busy": Out(1),
                "o_done": Out(1),
                "o_failed": Out(1),
                "o_error_code": Out(4),
                "o_error_address": Out(32),
                "o_layers": Out(16),
                "o_counters_clear": Out(1),
                "o_counters_sweep": Out(1),
                "o_abort": Out(1),
                "o_clear": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the state machine, the descriptor register and the watchdog."""
        m = Module()

        state = Signal(State)
        address, record = signals("address record", 32)
        left, layers = signals("left layers", 16)
        m.d.comb += [
            self.o_busy.eq(state != State.IDLE),
            self.o_abort.eq(Value.cast(state)[-1]),  # State.DRAIN
        ]

        m.submodules.descriptor = descriptor = DescriptorRegister(self.config)
        descriptor.o_layer = self.o_layer
        m.d.comb += [
            descriptor.i_beat.eq(self.i_beat),
            descriptor.i_data.eq(self.i_data),
            descriptor.i_clear.eq(state == State.FETCH),
        ]

        m.submodules.watchdog = watchdog = Watchdog()
        m.d.comb += [
            watchdog.i_limit.eq(self.i_watchdog),
            watchdog.i_progress.eq(self.i_progress | ~self.o_busy | (state == State.DRAIN)),
        ]
        error = delayed(m, self.i_error, 1, "error")
        code = delayed(m, self.i_error_code, 1, "code")
        place = delayed(m, self.i_error_address, 1, "place")
        fails = error | watchdog.o_barks

        drain = Signal(range(DRAIN_CYCLES + 1))
        overdue = Signal()
        m.d.comb += overdue.eq(drain[-1])
        failed, records = signals("failed records")
        places = (self.i_program_address, self.i_record_address)
        misplaced = (self.i_program_address[:6] != 0) | (self.i_record_address[:7] != 0)
        if self.config.dram_bits < len(places[0]):
            misplaced |= Cat(place[self.config.dram_bits :] for place in places).any()
        segment = self.o_segment.p
        m.d.comb += [
            segment.kind.eq(SegmentKind.DESCRIPTOR),
            segment.address.eq(address),
            segment.beats.eq(descriptor.beats),
            self.o_record.valid.eq(Value.cast(state)[-2] & records),  # State.RECORD
            self.o_record.payload.eq(record),
            self.o_layers.eq(layers),
        ]

        m.d.sync += [self.o_begin.eq(0), self.o_counters_sweep.eq(0)]
        with m.Switch(state):
            with m.Case(State.IDLE):
                with m.If(self.i_start):
                    m.d.comb += self.o_counters_clear.eq(1)
                    m.d.sync += [
                        self.o_counters_sweep.eq(1),
                        address.eq(self.i_program_address),
                        record.eq(self.i_record_address),
                        records.eq(self.i_record_address != 0),
                        left.eq(self.i_program_length),
                        layers.eq(0),
                        failed.eq(0),
                        state.eq(State.RECORD),
                    ]
                    with m.If(misplaced | (self.i_program_length == 0)):
                        m.d.sync += [
                            failed.eq(1),
                            self.o_error_code.eq(ErrorCode.PROGRAM),
                            self.o_error_address.eq(self.i_program_address),
                            state.eq(State.DRAIN),
                        ]
            with m.Case(State.FETCH):
                m.d.comb += self.o_segment.valid.eq(1)
                with m.If(self.o_segment.ready):
                    m.d.sync += state.eq(State.RECEIVE)
            with m.Case(State.RECEIVE):
                with m.If(descriptor.o_full):
                    m.d.sync += state.eq(State.CHECK)
            with m.Case(State.CHECK):
                m.d.sync += state.eq(State.BEGIN)
                with m.If(~descriptor.o_legal):
                    m.d.sync += [
                        failed.eq(1),
                        self.o_error_code.eq(ErrorCode.DESCRIPTOR),
                        self.o_error_address.eq(address),
                        state.eq(State.DRAIN),
                    ]
            with m.Case(State.BEGIN):
                # A record that is still being read must not see this layer's events.
                with m.If(self.i_record_taken):
                    m.d.sync += [state.eq(State.START), self.o_begin.eq(1)]
            with m.Case(State.START):
                m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN):
                with m.If(self.i_walkers_done & self.i_writer_idle & ~fails):
                    m.d.comb += self.o_layer_end.eq(1)
                    m.d.sync += [
                        self.o_counters_sweep.eq(records),
                        layers.eq(layers + 1),
                        left.eq(left - 1),
                        address.eq(address + BYTES),
                        state.eq(State.RECORD),
                    ]
            with m.Case(State.RECORD):
                with m.If(self.o_record.ready | ~records):
                    m.d.sync += [
                        record.eq(record + RECORD_BYTES),
                        state.eq(Mux(left == 0, State.FINISH, State.FETCH)),
                    ]
            with m.Case(State.FINISH):
                with m.If(self.i_writer_idle & ~fails & ~self.i_soft_reset):
                    m.d.comb += self.o_done.eq(1)
                    m.d.sync += state.eq(State.IDLE)
            with m.Case(State.DRAIN):
                with m.If(~overdue):
                    m.d.sync += drain.eq(drain + 1)
                with m.Else():
                    m.d.comb += self.o_failed.eq(failed)
                    m.d.sync += failed.eq(0)
                idle = self.i_reader_idle & self.i_writer_idle
                with m.If(idle | (overdue & self.i_soft_reset)):
                    m.d.sync += state.eq(State.CLEAR)
            with m.Case(State.CLEAR):
                m.d.comb += [self.o_clear.eq(1), self.o_failed.eq(failed)]
                m.d.sync += [drain.eq(0), state.eq(State.IDLE)]

        running = (state != State.IDLE) & (state != State.DRAIN) & (state != State.CLEAR)
        with m.If(running & fails):
            m.d.sync += [
                failed.eq(1),
                self.o_error_code.eq(Mux(error, code, ErrorCode.WATCHDOG.value)),
                self.o_error_address.eq(Mux(error, place, address)),
                state.eq(State.DRAIN),
            ]
        with m.If(self.i_soft_reset):
            m.d.sync += [failed.eq(0), layers.eq(0)]
            with m.If(~overdue):
                m.d.sync += state.eq(State.DRAIN)

        return m

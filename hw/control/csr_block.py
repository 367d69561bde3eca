"""Control and status registers: the host's side of the accelerator."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.axil import AXIL_INPUTS, AXIL_OUTPUTS
from stillflow.hw.csr import (
    COUNTER_BASE,
    CSR_ADDRESS_BITS,
    ID_VALUE,
    OFFSETS,
    REGISTERS,
    Access,
    Counter,
)
from stillflow.hw.signals import signals
from stillflow.hw.words import ShownCounter

OKAY, DECERR = 0, 3  # AXI responses
COUNTER_BITS = 48
WORD_ADDRESS_BITS = CSR_ADDRESS_BITS - 2
_FIRST = COUNTER_BASE >> 2  # word address of the counters


class CsrBlock(wiring.Component):
    """AXI4-Lite slave with the registers of `stillflow.hw.csr` and the performance counters.

    * Byte strobes work on every register. The two low address bits are ignored. ``awprot`` and
      ``arprot`` are ignored.
    * A write to a register that is read-only does nothing and is answered OKAY. An access to an
      offset where nothing is answers DECERR; such a read returns zero.
    * Counter ``n`` is the word at ``COUNTER_BASE + 8 * n`` and the one above. Reading the lower
      word keeps the upper one for the next read of any upper word: so read a counter's lower word
      first, and one counter after the other.
    * Writing CONTROL.start while busy does nothing. Otherwise it clears STATUS.done, STATUS.error,
      ERROR_CODE and ERROR_ADDRESS; IRQ_STATUS stays until ones are written to it.
    * CONTROL.soft_reset works at any time, wins over a start in the same write, and gives every
      register its reset value; the write itself is still answered. What `i_done` and `i_error`
      say up to the cycle of `o_soft_reset` is forgotten.
    * An event that comes while the host clears its IRQ_STATUS bit is not lost.

    Timing: one transaction each way at a time; a write is answered two cycles after the later of
    address and data, a read two cycles after its address; a counter's lower word when the counter
    is shown next, a round of `Counters` later at most, or two where a sweep comes between.
    ``o_start`` and ``o_soft_reset`` follow a write by one cycle, together with the answer. No
    output depends on an input of the same cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        ``rows`` and ``cols`` are shown in ARRAY.

    Members
    -------
    s_axil_* : AXI4-Lite slave, 32 bits.
    o_start : ``Out(1)``
        One cycle. ``i_busy`` must be high from the next cycle on; meanwhile STATUS is busy.
    o_soft_reset : ``Out(1)``
        One cycle.
    i_busy : ``In(1)``
    i_done, i_error : ``In(1)``
        One cycle, at the latest in the first cycle without ``i_busy``: the job ended well, or not.
    i_error_code, i_error_address : ``In(4)``, ``In(32)``
        Valid with ``i_error``.
    i_layer : ``In(16)``
        Descriptors completed.
    i_counter : ``In(ShownCounter)``
        As `Counters` shows it; all within a round.
    o_program_address, o_program_length, o_record_address, o_watchdog : ``Out``
        As written by the host, also while busy: take them at ``o_start``.
    irq : ``Out(1)``
        High while a bit of IRQ_STATUS is set that IRQ_ENABLE lets through.
    """

    s_axil_awaddr: Signal
    s_axil_awvalid: Signal
    s_axil_awready: Signal
    s_axil_wdata: Signal
    s_axil_wstrb: Signal
    s_axil_wvalid: Signal
    s_axil_wready: Signal
    s_axil_bresp: Signal
    s_axil_bvalid: Signal
    s_axil_bready: Signal
    s_axil_araddr: Signal
    s_axil_arvalid: Signal
    s_axil_arready: Signal
    s_axil_rdata: Signal
    s_axil_rresp: Signal
    s_axil_rvalid: Signal
    s_axil_rready: Signal
    o_start: Signal
    o_soft_reset: Signal
    i_busy: Signal
    i_done: Signal
    i_error: Signal
    i_error_code: Signal
    i_error_address: Signal
    i_layer: Signal
    i_counter: data.View
    o_program_address: Signal
    o_program_length: Signal
    o_record_address: Signal
    o_watchdog: Signal
    irq: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        bits = {register.name: register.bits for register in REGISTERS}
        super().__init__(
            {f"s_axil_{name}": In(width) for name, width in AXIL_INPUTS.items()}
            | {f"s_axil_{name}": Out(width) for name, width in AXIL_OUTPUTS.items()}
            | {
                "o_start": Out(1),
                "o_soft_reset": Out(1),
                "i_busy": In(1),
                "i_done": In(1),
                "i_error": In(1),
                "i_error_code": In(bits["ERROR_CODE"]),
                "i_error_address": In(bits["ERROR_ADDRESS"]),
                "i_layer": In(bits["LAYER"]),
                "i_counter": In(ShownCounter(self.config)),
                "o_program_address": Out(bits["PROGRAM_ADDRESS"]),
                "o_program_length": Out(bits["PROGRAM_LENGTH"]),
                "o_record_address": Out(bits["RECORD_ADDRESS"]),
                "o_watchdog": Out(bits["WATCHDOG"]),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers and both channels."""
        m = Module()

        held = {
            register.name: Signal(register.bits, init=register.reset, name=register.name.lower())
            for register in REGISTERS
            if register.access in (Access.READ_WRITE, Access.WRITE_ONE_CLEARS)
        }
        write, address, written, strobes = self._write_channel(m)
        hits = {name: Signal(name=f"write_{name.lower()}") for name in OFFSETS}
        ones = Signal(32)
        m.d.comb += ones.eq(written & Cat(strobe.replicate(8) for strobe in strobes))
        for name, hit in hits.items():
            m.d.comb += hit.eq(write & (address == OFFSETS[name] >> 2))

        for register in REGISTERS:
            if register.access is Access.READ_WRITE:
                for byte, strobe in enumerate(strobes):
                    part = slice(8 * byte, min(8 * byte + 8, register.bits))
                    if part.start < register.bits:
                        with m.If(hits[register.name] & strobe):
                            m.d.sync += held[register.name][part].eq(written[part])
        irq_status = held["IRQ_STATUS"]
        cleared = Mux(hits["IRQ_STATUS"], ones, 0)
        m.d.sync += irq_status.eq((irq_status & ~cleared) | Cat(self.i_done, self.i_error))
        with m.If(self.o_soft_reset):
            m.d.sync += [value.eq(value.init) for value in held.values()]

        shown = self._job(m, start=hits["CONTROL"] & ones[0], soft_reset=hits["CONTROL"] & ones[1])
        constants = {
            "ID": ID_VALUE,
            "ARRAY": self.config.rows | self.config.cols << 16,
            "CONTROL": 0,
        }
        self._read_channel(m, constants | held | shown)

        m.d.comb += [
            self.o_program_address.eq(held["PROGRAM_ADDRESS"]),
            self.o_program_length.eq(held["PROGRAM_LENGTH"]),
            self.o_record_address.eq(held["RECORD_ADDRESS"]),
            self.o_watchdog.eq(held["WATCHDOG"]),
            self.irq.eq((irq_status & held["IRQ_ENABLE"]).any()),
        ]

        return m

    def _job(self, m: Module, *, start: Value, soft_reset: Value) -> dict[str, Value]:
        """Start jobs and remember how the last one ended; return what the host reads of it."""
        done, error = signals("done error")
        error_code = Signal.like(self.i_error_code)
        error_address = Signal.like(self.i_error_address)
        busy = self.i_busy | self.o_start
        accepted = Signal()
        m.d.comb += accepted.eq(start & ~soft_reset & ~busy)
        m.d.sync += [self.o_start.eq(accepted), self.o_soft_reset.eq(soft_reset)]

        with m.If(self.i_done):
            m.d.sync += done.eq(1)
        with m.If(self.i_error):
            m.d.sync += [
                error.eq(1),
                error_code.eq(self.i_error_code),
                error_address.eq(self.i_error_address),
            ]
        with m.If(accepted | self.o_soft_reset):
            m.d.sync += [flag.eq(0) for flag in (done, error, error_code, error_address)]

        return {
            "STATUS": Cat(busy, done, error),
            "ERROR_CODE": error_code,
            "ERROR_ADDRESS": error_address,
            "LAYER": self.i_layer,
        }

    def _write_channel(self, m: Module) -> tuple[Signal, Signal, Signal, Signal]:
        """Hold address and data until both are there, then write and answer.

        Returns
        -------
        write : Signal
            The transaction takes effect in this cycle.
        address, written, strobes : Signal
            Word address, data, and which of its bytes count.
        """
        has_address, has_data, write = signals("has_address has_data write")
        address = Signal(WORD_ADDRESS_BITS)
        written = Signal(32)
        strobes = Signal(4)
        mapped = Signal()
        m.d.comb += [
            self.s_axil_awready.eq(~has_address),
            self.s_axil_wready.eq(~has_data),
            write.eq(has_address & has_data & ~self.s_axil_bvalid),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [has_address.eq(1), address.eq(self.s_axil_awaddr[2:])]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [
                has_data.eq(1),
                written.eq(self.s_axil_wdata),
                strobes.eq(self.s_axil_wstrb),
            ]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(write):
            m.d.sync += [
                has_address.eq(0),
                has_data.eq(0),
                self.s_axil_bvalid.eq(1),
                self.s_axil_bresp.eq(Mux(mapped, OKAY, DECERR)),
            ]
        words = [offset >> 2 for offset in OFFSETS.values()]
        m.d.comb += mapped.eq(Cat(address == word for word in words).any() | _is_counter(address))
        return write, address, written, strobes

    def _read_channel(self, m: Module, values: dict[str, Value | int]) -> None:
        """Hold the address for a cycle, then answer with the register's value or a counter."""
        has_address, counts, waits = signals("has_address counts waits")
        address = Signal(WORD_ADDRESS_BITS)
        shown = Signal(COUNTER_BITS)
        upper = Signal(COUNTER_BITS - 32)
        m.d.comb += [
            self.s_axil_arready.eq(~has_address),
            shown.eq(self.i_counter.value),
            counts.eq(_is_counter(address)),
            waits.eq(counts & ~address[0] & (address[1:] != self.i_counter.counter + _FIRST // 2)),
        ]
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [has_address.eq(1), address.eq(self.s_axil_araddr[2:])]
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(has_address & ~self.s_axil_rvalid & ~waits):
            m.d.sync += [
                has_address.eq(0),
                self.s_axil_rvalid.eq(1),
                self.s_axil_rresp.eq(OKAY),
            ]
            with m.Switch(address):
                for name, offset in OFFSETS.items():
                    with m.Case(offset >> 2):
                        m.d.sync += self.s_axil_rdata.eq(values[name])
                with m.Default():
                    m.d.sync += [
                        self.s_axil_rdata.eq(Mux(counts, Mux(address[0], upper, shown), 0)),
                        self.s_axil_rresp.eq(Mux(counts, OKAY, DECERR)),
                    ]
            with m.If(counts & ~address[0]):
                m.d.sync += upper.eq(shown[32:])


def _is_counter(address: Value) -> Value:
    """Tell whether a word address is a counter's."""
    return (address >= _FIRST) & (address < _FIRST + 2 * len(Counter))

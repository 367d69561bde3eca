"""AXI4 write channels: bursts and their beats out, answers in."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import ErrorCode
from stillflow.hw.dma.activation_port import line_bits, line_of, on_chip
from stillflow.hw.dma.packer import Beat
from stillflow.hw.signals import signals
from stillflow.hw.timing import BEATS_AHEAD, OUTSTANDING_WRITES


class Plan(data.StructLayout):
    """A burst whose beats are to follow.

    Members
    -------
    beats : their number
    local : ``unsigned(1)``
        They go to the activation memory.
    line : ... from this line on
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        local = {"local": 1, "line": line_bits(config)} if config.activation_kib else {}
        super().__init__({"beats": 9} | local)


class WriteChannels(wiring.Component):
    """Sends the addresses of bursts, as many as may be ahead, and their beats in the same order.

    Bursts in the activation memory go there, a beat a cycle; the others to AXI4. After ``i_abort``
    the bursts whose address was sent end with all strobes off.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, addresses.

    Members
    -------
    i_valid, i_address, i_beats
        The burst that comes next: whole beats.
    o_next : ``Out(1)``
        It is taken.
    o_clear : ``Out(1)``
        After an abort: it need not be sent any more.
    i_beat : ``In(stream.Signature(Beat))``
    i_abort : ``In(1)``
    aw_*, w_*, b_*
        AXI4 channels.
    o_local_mask, o_local_line, o_local_data
        Activation memory, where there is one.
    o_idle : ``Out(1)``
        No burst that was taken lacks a beat or its answer.
    o_error, o_error_code, o_error_address
        A response that is no OKAY, with the burst's address; a beat behind the activation memory's
        end, with its own.
    """

    i_valid: Signal
    i_address: Signal
    i_beats: Signal
    o_next: Signal
    o_clear: Signal
    i_beat: stream.Interface
    i_abort: Signal
    aw_valid: Signal
    aw_ready: Signal
    aw_address: Signal
    aw_len: Signal
    w_valid: Signal
    w_ready: Signal
    w_data: Signal
    w_strb: Signal
    w_last: Signal
    b_valid: Signal
    b_ready: Signal
    b_resp: Signal
    o_local_mask: Signal
    o_local_line: Signal
    o_local_data: Signal
    o_idle: Signal
    o_error: Signal
    o_error_code: Signal
    o_error_address: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_valid": In(1),
                "i_address": In(config.address_bits),
                "i_beats": In(9),
                "o_next": Out(1),
                "o_clear": Out(1),
                "i_beat": In(stream.Signature(Beat(config))),
                "i_abort": In(1),
            }
            | write_ports(config)
        )

    def elaborate(self, platform: object) -> Module:
        """Build addresses, beats and answers."""
        m = Module()

        m.submodules.plans = plans = SyncFIFO(width=Plan(self.config).size, depth=BEATS_AHEAD)
        outstanding = Signal(range(OUTSTANDING_WRITES + 1))
        sent = self._addresses(m, plans, outstanding)
        outside, beyond = self._data(m, plans)
        self._responses(m, sent, outstanding, outside, beyond)
        m.d.comb += self.o_idle.eq(~plans.r_rdy & (outstanding == 0))

        return m

    def _addresses(self, m: Module, plans: SyncFIFO, outstanding: Signal) -> Signal:
        """Send or place what comes next; give whether an address is sent."""
        config = self.config
        # An address that is valid stays until it is taken, abort or not (AXI4, A3.2.1).
        held, local, sent, placed = signals("held local sent placed")
        plan = Signal(Plan(config))
        # Neither goes beyond its power of two: the highest bit says that it is there.
        is_planned = plans.w_level[ceil_log2(BEATS_AHEAD)]
        room = ~(is_planned | outstanding[ceil_log2(OUTSTANDING_WRITES)])
        m.d.comb += [
            local.eq(on_chip(config, self.i_address)),
            placed.eq(self.i_valid & local & ~is_planned & ~self.i_abort),
            self.aw_valid.eq(self.i_valid & ~local & room & (~self.i_abort | held)),
            self.aw_address.eq(self.i_address),
            self.aw_len.eq(self.i_beats - 1),
            sent.eq(self.aw_valid & self.aw_ready),
            self.o_next.eq(sent | placed),
            self.o_clear.eq(self.i_abort & (sent | ~self.aw_valid)),
            plans.w_en.eq(self.o_next),
            plan.beats.eq(self.i_beats),
            plans.w_data.eq(plan),
        ]
        if config.activation_kib:
            m.d.comb += [plan.local.eq(local), plan.line.eq(line_of(config, self.i_address))]
        m.d.sync += held.eq(self.aw_valid & ~self.aw_ready)
        return sent

    def _data(self, m: Module, plans: SyncFIFO) -> tuple[Value, Value]:
        """Send the beats; give whether one lies behind the activation memory's end, and where."""
        # After an abort the bursts that were announced end with zeros, all strobes off; a beat
        # that is valid already stays as it is.
        beats = self.i_beat
        beat = Signal(9)
        plan = Plan(self.config)(plans.r_data)
        local = plan.local if self.config.activation_kib else Const(0)
        held, comes, moved = signals("held comes moved")
        silent = self.i_abort & ~held
        m.d.comb += [
            comes.eq(plans.r_rdy & (beats.valid | self.i_abort)),
            self.w_valid.eq(comes & ~local),
            self.w_data.eq(Mux(silent, 0, beats.p.data)),
            self.w_strb.eq(Mux(silent, 0, beats.p.strobes)),
            self.w_last.eq(beat + 1 == plan.beats),
            moved.eq(comes & (local | self.w_ready)),
            beats.ready.eq(moved),
            plans.r_en.eq(moved & self.w_last),
        ]
        m.d.sync += held.eq(self.w_valid & ~self.w_ready & ~silent)
        with m.If(moved):
            m.d.sync += beat.eq(Mux(self.w_last, 0, beat + 1))
        if not self.config.activation_kib:
            return Const(0), Const(0)
        return self._local(m, plan, beat, comes & local & ~self.i_abort)

    def _local(self, m: Module, plan: data.View, beat: Signal, comes: Value) -> tuple[Value, Value]:
        """Write a beat to the activation memory."""
        config, beats = self.config, self.i_beat
        line = Signal(line_bits(config))
        outside = Signal()
        m.d.comb += [
            line.eq(plan.line + beat),
            outside.eq(comes & (line >= config.activation_lines)),
            self.o_local_line.eq(line),
            self.o_local_data.eq(beats.p.data),
            self.o_local_mask.eq(Mux(comes & ~outside, beats.p.strobes[:: config.act_bytes], 0)),
        ]
        return outside, Cat(Const(0, ceil_log2(config.axi_bytes)), line, 1)

    def _responses(
        self, m: Module, sent: Signal, outstanding: Signal, outside: Value, beyond: Value
    ) -> None:
        """Take the answers, each to the oldest address; report errors."""
        m.submodules.answers = answers = SyncFIFOBuffered(
            width=self.config.address_bits, depth=OUTSTANDING_WRITES
        )
        answered, failed = signals("answered failed")
        m.d.sync += outstanding.eq(outstanding + sent - answered)
        m.d.comb += [
            answered.eq(self.b_valid & (outstanding != 0)),
            failed.eq(answered & self.b_resp[1]),
            self.b_ready.eq(1),
            answers.w_en.eq(sent),
            answers.w_data.eq(self.aw_address),
            answers.r_en.eq(answered),
            self.o_error.eq((failed | outside) & ~self.i_abort),
            self.o_error_code.eq(
                Mux(self.b_resp[0], ErrorCode.WRITE_DECERR.value, ErrorCode.WRITE_SLVERR.value)
            ),
            self.o_error_address.eq(answers.r_data),
        ]
        if self.config.activation_kib:
            with m.If(~failed):
                m.d.comb += [
                    self.o_error_code.eq(ErrorCode.WRITE_DECERR),
                    self.o_error_address.eq(beyond),
                ]


def write_ports(config: AcceleratorConfig) -> dict[str, wiring.Member]:
    """Members of AXI4's write channels, of the activation memory's port, and errors."""
    ports = {
        "aw_valid": Out(1),
        "aw_ready": In(1),
        "aw_address": Out(32),
        "aw_len": Out(8),
        "w_valid": Out(1),
        "w_ready": In(1),
        "w_data": Out(config.axi_data_bits),
        "w_strb": Out(config.axi_bytes),
        "w_last": Out(1),
        "b_valid": In(1),
        "b_ready": Out(1),
        "b_resp": In(2),
        "o_idle": Out(1),
        "o_error": Out(1),
        "o_error_code": Out(4),
        "o_error_address": Out(32),
    }
    if config.activation_kib:
        ports |= {
            "o_local_mask": Out(config.axi_elements),
            "o_local_line": Out(ceil_log2(config.activation_lines)),
            "o_local_data": Out(config.axi_data_bits),
        }
    return ports

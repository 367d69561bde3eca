"""Splits a transfer into legal AXI4 bursts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import signals

BOUNDARY_BYTES = 4096  # AXI4, A3.4.1: a burst must not cross it


class BurstSplitter(wiring.Component):
    """Walks a transfer burst by burst: at most ``max_burst_beats``, none across 4 KiB.

    ``i_load`` takes a transfer; its first burst shows two cycles later, or when the one before was
    sent. Bursts come from registers: one is cut while the one before goes out, so that there may
    be one every cycle, from one transfer to the next, too.

    Parameters
    ----------
    config : AcceleratorConfig
        Beat width and burst length.

    Members
    -------
    i_load, i_address, i_beats
        A transfer: a multiple of the beat's bytes, beats at least 1. Only with ``o_ready``.
    i_next : ``In(1)``
        The burst was sent.
    i_clear : ``In(1)``
        Forget transfer and burst.
    o_ready : ``Out(1)``
        No transfer waits to be cut any more, or its last burst is cut in this cycle.
    o_valid, o_address, o_beats
        The burst.
    o_coming
        What ``o_beats`` will be in the next cycle.
    o_idle : ``Out(1)``
        Nothing is in hand.
    """

    i_load: Signal
    i_address: Signal
    i_beats: Signal
    i_next: Signal
    i_clear: Signal
    o_valid: Signal
    o_address: Signal
    o_beats: Signal
    o_coming: Signal
    o_ready: Signal
    o_idle: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_load": In(1),
                "i_address": In(config.address_bits),
                "i_beats": In(config.length_bits),
                "i_next": In(1),
                "i_clear": In(1),
                "o_valid": Out(1),
                "o_address": Out(config.address_bits),
                "o_beats": Out(9),
                "o_coming": Out(9),
                "o_ready": Out(1),
                "o_idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the splitter."""
        m = Module()
        shift = ceil_log2(self.config.axi_bytes)
        most = self.config.max_burst_beats

        # The transfer in hand, and the burst that it begins with.
        cuts = Signal()
        here = Signal(self.config.address_bits - shift)  # in beats
        begin = Signal.like(here)
        beats = Signal(self.config.length_bits)
        limit, size, first_limit, next_limit = signals(
            "limit size first_limit next_limit", range(most + 1)
        )
        last, moves = signals("last moves")
        first_last, next_last = signals("first_last next_last")
        # The transfer behind a burst that is not its last.
        there = Signal.like(here)
        next_beats = Signal.like(beats)
        m.d.comb += [
            first_limit.eq(self._limit(self.i_address[shift:12])),
            next_limit.eq(self._limit(there[: 12 - shift])),
            first_last.eq(self._fits(self.i_address[shift:12], self.i_beats)),
            next_last.eq(self._fits(there[: 12 - shift], next_beats)),
            next_beats.eq(beats - limit),
            there.eq((here + limit)[: len(here)]),
            size.eq(Mux(last, beats[: len(limit)], limit)),
            self.o_address.eq(Cat(Const(0, shift), begin)),
            self.o_coming.eq(Mux(moves, size, self.o_beats)),
            moves.eq(cuts & (~self.o_valid | self.i_next)),
            self.o_ready.eq(~cuts | (moves & last)),
            self.o_idle.eq(~cuts & ~self.o_valid),
        ]
        with m.If(self.i_next):
            m.d.sync += self.o_valid.eq(0)
        m.d.sync += self.o_beats.eq(self.o_coming)
        with m.If(moves):
            m.d.sync += [
                self.o_valid.eq(1),
                begin.eq(here),
                here.eq(there),
                limit.eq(next_limit),
                beats.eq(next_beats),
                cuts.eq(~last),
            ]
        with m.If(self.i_load):
            m.d.sync += [
                beats.eq(self.i_beats),
                here.eq(self.i_address[shift:]),
                limit.eq(first_limit),
                cuts.eq(1),
            ]
        # Gates, no multiplexer: a synthesis tool would move it in front of one comparison for both.
        with m.If(self.i_load | moves):
            m.d.sync += last.eq((self.i_load & first_last) | (~self.i_load & next_last))
        with m.If(self.i_clear):
            m.d.sync += [cuts.eq(0), self.o_valid.eq(0)]

        return m

    def _within(self, beats: Value, limit: Value | int) -> Value:
        """Whether a burst with a limit holds all beats."""
        bits = self.config.max_burst_beats.bit_length()
        return ~beats[bits:].any() & (beats[:bits] <= limit)

    def _fits(self, offset: Value, beats: Value) -> Value:
        """Whether a burst holds all beats: ``_within(beats, _limit(offset))``, but sooner."""
        is_less, left = self._left(offset)
        return self._within(beats, self.config.max_burst_beats) & (
            ~is_less | self._within(beats, left)
        )

    def _limit(self, offset: Value) -> Value:
        """Give the beats up to the end of the page, at most those of a burst."""
        is_less, left = self._left(offset)
        return Mux(is_less, left, self.config.max_burst_beats)

    def _left(self, offset: Value) -> tuple[Value, Value]:
        """Whether the page has less left than a burst, and then what it has."""
        most = self.config.max_burst_beats
        if most & (most - 1):
            left = (1 << len(offset)) - offset
            return left < most, left
        # A power of two: only in the page's last burst is there less, and not at its start.
        low = ceil_log2(most)
        return offset[low:].all() & offset[:low].any(), (-offset[:low])[:low]

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
        # The transfer behind a burst that is not its last.
        there = Signal.like(here)
        next_beats = Signal.like(beats)
        m.d.comb += [
            first_limit.eq(self._beats_to_boundary(self.i_address[shift:12])),
            next_limit.eq(self._beats_to_boundary(there[: 12 - shift])),
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
                last.eq(~self._beyond(next_beats, next_limit)),
                cuts.eq(~last),
            ]
        with m.If(self.i_load):
            m.d.sync += [
                beats.eq(self.i_beats),
                here.eq(self.i_address[shift:]),
                limit.eq(first_limit),
                last.eq(self._within(self.i_beats, first_limit)),
                cuts.eq(1),
            ]
        with m.If(self.i_clear):
            m.d.sync += [cuts.eq(0), self.o_valid.eq(0)]

        return m

    # The same, written in two ways: a synthesis tool must not make one comparison of both, with its
    # operands chosen by what comes last in a cycle.

    @staticmethod
    def _within(beats: Value, limit: Value) -> Value:
        """Whether a burst holds all beats."""
        return ~beats[len(limit) :].any() & (beats[: len(limit)] <= limit)

    @staticmethod
    def _beyond(beats: Value, limit: Value) -> Value:
        """Whether it does not."""
        return (beats[len(limit) :] != 0) | (beats[: len(limit)] > limit)

    def _beats_to_boundary(self, offset: Value) -> Value:
        """Give the beats up to the end of the page, at most those of a burst."""
        most = self.config.max_burst_beats
        if most & (most - 1):
            left = (1 << len(offset)) - offset
            return Mux(left < most, left, most)
        # A power of two: only in the page's last burst is there less, and not at its start.
        low = ceil_log2(most)
        is_less = offset[low:].all() & offset[:low].any()
        return Mux(is_less, (-offset[:low])[:low], most)

"""Splits a transfer into legal AXI4 bursts."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2

BOUNDARY_BYTES = 4096  # AXI4, A3.4.1: a burst must not cross it


class BurstSplitter(wiring.Component):
    """Walks a transfer burst by burst: at most ``max_burst_beats``, none across 4 KiB.

    ``i_load`` takes a transfer; from the next cycle on ``o_valid`` shows its first burst, and
    ``i_next`` moves to the following one. ``i_load`` may come with the last ``i_next``.

    Parameters
    ----------
    config : AcceleratorConfig
        Beat width and burst length.

    Members
    -------
    i_load, i_address, i_beats
        A transfer: a multiple of the beat's bytes, beats at least 1.
    i_next : ``In(1)``
    i_clear : ``In(1)``
        Forget the transfer.
    o_valid, o_address, o_beats
        The burst.
    o_last : ``Out(1)``
        It is the transfer's last.
    """

    i_load: Signal
    i_address: Signal
    i_beats: Signal
    i_next: Signal
    i_clear: Signal
    o_valid: Signal
    o_address: Signal
    o_beats: Signal
    o_last: Signal

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
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the splitter."""
        m = Module()
        shift = ceil_log2(self.config.axi_bytes)
        page_beats = BOUNDARY_BYTES >> shift

        beats = Signal(self.config.length_bits)
        to_boundary = Signal(range(page_beats + 1))
        limit = Signal(9)
        m.d.comb += [
            to_boundary.eq(page_beats - self.o_address[shift:12]),
            limit.eq(
                Mux(
                    to_boundary < self.config.max_burst_beats,
                    to_boundary,
                    Const(self.config.max_burst_beats),
                )
            ),
            self.o_last.eq(beats <= limit),
            self.o_beats.eq(Mux(self.o_last, beats[:9], limit)),
        ]
        with m.If(self.i_next):
            m.d.sync += [
                beats.eq(beats - self.o_beats),
                self.o_address.eq(self.o_address + (self.o_beats << shift)),
                self.o_valid.eq(~self.o_last),
            ]
        with m.If(self.i_load):
            m.d.sync += [
                beats.eq(self.i_beats),
                self.o_address.eq(self.i_address),
                self.o_valid.eq(1),
            ]
        with m.If(self.i_clear):
            m.d.sync += self.o_valid.eq(0)

        return m

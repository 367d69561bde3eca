"""The DMA's ways to the activation memory: which addresses are there, and beats in a row."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2


def on_chip(config: AcceleratorConfig, address: Value) -> Value:
    """Whether an address, of ``address_bits``, is the activation memory's."""
    return address[config.address_bits - 1] if config.activation_kib else Const(0)


def line_bits(config: AcceleratorConfig) -> int:
    """Bits of a line's number, of those in the memory and those that are not."""
    return config.address_bits - 1 - ceil_log2(config.axi_bytes)


def line_of(config: AcceleratorConfig, address: Value) -> Value:
    """Line of an address."""
    return address[ceil_log2(config.axi_bytes) : config.address_bits - 1]


class ActivationReads(wiring.Component):
    """Reads the beats of one segment after the other from the activation memory.

    The first cycle of a segment asks for its first line, each that follows shows a beat and asks
    for the next one's line; beats never wait.

    Parameters
    ----------
    config : AcceleratorConfig
        Lines.

    Members
    -------
    i_valid : ``In(1)``
        There is a segment, until its last beat is shown.
    i_line : its first line
    i_last : ``In(1)``
        The beat that may be shown in this cycle is its last.
    o_read_en, o_read_line
        To the memory, whose data are the beat.
    o_beat : ``Out(1)``
        A beat is shown.
    o_outside : ``Out(1)``
        It lies behind the memory's end.
    """

    i_valid: Signal
    i_line: Signal
    i_last: Signal
    o_read_en: Signal
    o_read_line: Signal
    o_beat: Signal
    o_outside: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_valid": In(1),
                "i_line": In(line_bits(config)),
                "i_last": In(1),
                "o_read_en": Out(1),
                "o_read_line": Out(ceil_log2(config.activation_lines)),
                "o_beat": Out(1),
                "o_outside": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Keep the line that comes next."""
        m = Module()

        shows = Signal()
        line = Signal.like(self.i_line)
        coming = Signal.like(self.i_line)
        m.d.comb += [
            line.eq(Mux(shows, coming, self.i_line)),
            self.o_read_en.eq(self.i_valid & ~(shows & self.i_last)),
            self.o_read_line.eq(line),
            self.o_beat.eq(self.i_valid & shows),
        ]
        m.d.sync += shows.eq(self.o_read_en)
        with m.If(self.o_read_en):
            m.d.sync += [
                coming.eq(line + 1),
                self.o_outside.eq(line >= self.config.activation_lines),
            ]

        return m

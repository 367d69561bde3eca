"""Biases and scales of the filters of a pass, row stationary: one filter after the other."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.row_stationary_pe import spad_bits
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.signals import delayed
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class ParameterTable(wiring.Component):
    """One table of words, a filter's at a time, twice: one is filled while the other is used.

    A word comes as ``lines`` filter lines, lowest slice first, and can be read two cycles after the
    last of them. ``o_word`` follows ``i_read_filter`` by one cycle, or two with
    ``operand_registers``, and holds.

    Parameters
    ----------
    config : AcceleratorConfig
        Filters of a pass, width of a line.
    width : int
        Bits of a word.
    lines : int
        Filter lines of a word.

    Members
    -------
    i_clear : ``In(1)``
        The next word is the first of the first half.
    i_valid, i_line
        A line.
    i_next : ``In(1)``
        The next word is the first of the other half.
    i_read_en, i_read_half, i_read_filter
        Read port.
    o_word : ``Out(signed(width))``
    """

    i_clear: Signal
    i_valid: Signal
    i_line: data.View
    i_next: Signal
    i_read_en: Signal
    i_read_half: Signal
    i_read_filter: Signal
    o_word: Signal

    def __init__(self, config: AcceleratorConfig, *, width: int, lines: int) -> None:
        self.config, self.width, self.lines = config, width, lines
        super().__init__(
            {
                "i_clear": In(1),
                "i_valid": In(1),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), config.rows)),
                "i_next": In(1),
                "i_read_en": In(1),
                "i_read_half": In(1),
                "i_read_filter": In(spad_bits(config)[2]),
                "o_word": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory and what gathers a word."""
        m = Module()
        filter_bits = len(self.i_read_filter)

        words = Sram(depth=2 << filter_bits, width=self.width)
        m.submodules.table = unit(platform, words)
        line_bits = self.config.rows * self.config.weight_bits
        earlier = Signal(max(1, (self.lines - 1) * line_bits), reset_less=True)
        count = Signal(range(self.lines + 1))
        half = Signal()
        place = Signal(filter_bits)
        last = count == self.lines - 1
        whole = Cat(earlier if self.lines > 1 else [], self.i_line.as_value())
        m.d.comb += [
            words.i_write_en.eq(self.i_valid & last),
            words.i_write_addr.eq(Cat(place, half)),
            words.i_write_data.eq(whole[: self.width]),
            words.i_read_en.eq(self.i_read_en),
            words.i_read_addr.eq(Cat(self.i_read_filter, self.i_read_half)),
        ]
        word = delayed(m, words.o_read_data, operand_delay(self.config), "word")
        m.d.comb += self.o_word.eq(word.as_signed())
        with m.If(self.i_valid):
            m.d.sync += [earlier.eq(whole[line_bits:]), count.eq(count + 1)]
            with m.If(last):
                m.d.sync += [count.eq(0), place.eq(place + 1)]
        with m.If(self.i_next):
            m.d.sync += [half.eq(~half), place.eq(0)]
        with m.If(self.i_clear):
            m.d.sync += [half.eq(0), place.eq(0), count.eq(0)]

        return m

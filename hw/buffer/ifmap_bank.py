"""One bank of the ifmap buffer with the registers before it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class IfmapBank(wiring.Component):
    """SRAM one activation wide; line addresses are completed in front of it.

    A fill takes effect two cycles after its members; ``o_word`` follows ``i_read_line``, its wrap
    and its offset by two cycles, ``i_read_en`` by one; with ``operand_registers`` by one more.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth and width.

    Members
    -------
    i_fill_en, i_fill_line, i_fill_wraps, i_fill_word
        Write to the line, or the next one where the bank lies before the first of the beat.
    i_read_en : ``In(1)``
        The address of the cycle before is read.
    i_read_line, i_read_wraps, i_read_offset
        Line of the vector, whether the bank lies before its first, lines that its lane lies ahead.
    o_word : ``Out(act_bits)``
    """

    i_fill_en: Signal
    i_fill_line: Signal
    i_fill_wraps: Signal
    i_fill_word: Signal
    i_read_en: Signal
    i_read_line: Signal
    i_read_wraps: Signal
    i_read_offset: Signal
    o_word: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.depth, self.width = config.ifmap_depth, config.act_bits
        self.delay = operand_delay(config)
        self.unit_name = f"ifmap_bank_{self.depth}x{self.width}" + "_registered" * self.delay
        self.unit_key = (self.depth, self.width, self.delay)
        line_bits = max(1, ceil_log2(self.depth))
        super().__init__(
            {
                "i_fill_en": In(1),
                "i_fill_line": In(line_bits),
                "i_fill_wraps": In(1),
                "i_fill_word": In(self.width),
                "i_read_en": In(1),
                "i_read_line": In(line_bits),
                "i_read_wraps": In(1),
                "i_read_offset": In(line_bits),
                "o_word": Out(self.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the address registers and the memory."""
        m = Module()

        words = Sram(depth=self.depth, width=self.width)
        m.submodules.memory = unit(platform, words)
        write_en = Signal()
        write_line = Signal.like(self.i_fill_line)
        read_line = Signal.like(self.i_read_line)
        write_word = Signal(self.width)
        m.d.sync += [
            write_en.eq(self.i_fill_en),
            write_line.eq(self.i_fill_line + self.i_fill_wraps),
            write_word.eq(self.i_fill_word),
            read_line.eq(self.i_read_line + self.i_read_wraps + self.i_read_offset),
        ]
        m.d.comb += [
            words.i_write_en.eq(write_en),
            words.i_write_addr.eq(write_line),
            words.i_write_data.eq(write_word),
            words.i_read_en.eq(self.i_read_en),
            words.i_read_addr.eq(read_line),
            self.o_word.eq(delayed(m, words.o_read_data, self.delay, "word")),
        ]

        return m

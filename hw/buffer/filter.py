"""Filter buffer: a ring of weight lines."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class FilterBuffer(wiring.Component):
    """Ring of lines, filled beat by beat in order, read at any line.

    ``o_line`` follows ``i_read_line`` by ``latency`` cycles. ``o_loaded`` counts whole lines since
    the last clear (modulo its width) and includes a line one cycle after its last beat.

    Parameters
    ----------
    config : AcceleratorConfig
        Lines and their width.

    Members
    -------
    i_clear : ``In(1)``
        Begin anew at line 0.
    i_write_valid, i_write_data
        The next beat.
    i_read_en, i_read_line
        Line to read, below ``filter_lines``.
    o_line : ``Out(ArrayLayout(signed(weight_bits), line_words))``
    o_loaded : ``Out(position_bits)``
    o_loads : ``Out(1)``
        A line is whole with this cycle's beat.
    """

    i_clear: Signal
    i_write_valid: Signal
    i_write_data: Signal
    i_read_en: Signal
    i_read_line: Signal
    o_line: data.View
    o_loaded: Signal
    o_loads: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = 1 + operand_delay(config)
        line = data.ArrayLayout(signed(config.weight_bits), config.line_words)
        super().__init__(
            {
                "i_clear": In(1),
                "i_write_valid": In(1),
                "i_write_data": In(config.axi_data_bits),
                "i_read_en": In(1),
                "i_read_line": In(ceil_log2(config.filter_lines)),
                "o_line": Out(line),
                "o_loaded": Out(filter_position_bits(config)),
                "o_loads": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the ring."""
        m = Module()
        config = self.config
        beats = config.filter_line_bytes // config.axi_bytes

        beat = Signal(range(beats + 1))
        line = Signal(ceil_log2(config.filter_lines))
        last_beat = beat == beats - 1
        m.d.comb += self.o_loads.eq(self.i_write_valid & last_beat)
        with m.If(self.i_write_valid):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last_beat):
                m.d.sync += [beat.eq(0), line.eq(line + 1), self.o_loaded.eq(self.o_loaded + 1)]
                with m.If(line == config.filter_lines - 1):
                    m.d.sync += line.eq(0)
        with m.If(self.i_clear):
            m.d.sync += [beat.eq(0), line.eq(0), self.o_loaded.eq(0)]

        words = []
        for part in range(beats):
            bank = Sram(depth=config.filter_lines, width=config.axi_data_bits)
            m.submodules[f"bank_{part}"] = unit(platform, bank)
            m.d.comb += [
                bank.i_write_en.eq(self.i_write_valid & (beat == part)),
                bank.i_write_addr.eq(line),
                bank.i_write_data.eq(self.i_write_data),
                bank.i_read_en.eq(self.i_read_en),
                bank.i_read_addr.eq(self.i_read_line),
            ]
            words.append(bank.o_read_data)
        m.d.comb += self.o_line.as_value().eq(delayed(m, Cat(*words), self.latency - 1, "words"))

        return m


def filter_position_bits(config: AcceleratorConfig) -> int:
    """Width of counters of filter lines: differences up to the buffer's size stay unambiguous."""
    return ceil_log2(config.filter_lines) + 2

"""Filter buffer in banks: a ring of which a line for every row is read at once."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.filter import filter_position_bits
from stillflow.hw.buffer.rotate import rotate_right
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.signals import delayed
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit
from stillflow.hw.words import FilterPlace


class FilterBanks(wiring.Component):
    """Ring of lines, successive lines in successive banks, as many banks as the array has rows.

    Filled beat by beat in order. A read gives up to a line of each bank: the bank at ``i_place``
    the first one, those behind it the following ones, around the end. ``o_lines`` and ``o_read``
    follow the read by ``latency`` cycles. ``o_loaded`` counts whole lines since the last clear
    (modulo its width) and includes a line one cycle after its last beat.

    Parameters
    ----------
    config : AcceleratorConfig
        Banks, lines and their width.

    Members
    -------
    i_clear : ``In(1)``
        Begin anew at line 0.
    i_write_valid, i_write_data
        The next beat.
    i_count, i_place
        Lines to read, none to all banks; where the first one lies.
    o_lines : ``Out(ArrayLayout(signed(weight_bits), m_block))`` for each bank
        A port each, since Amaranth takes no signal of 2**16 bits.
    o_read : ``Out(rows)``
        Banks of which a line was read.
    o_loaded : ``Out(position_bits)``
    o_loads : ``Out(1)``
        A line is whole with this cycle's beat.
    """

    i_clear: Signal
    i_write_valid: Signal
    i_write_data: Signal
    i_count: Signal
    i_place: data.View
    o_lines: list[data.View]
    o_read: Signal
    o_loaded: Signal
    o_loads: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = 2 + operand_delay(config)
        line = data.ArrayLayout(signed(config.weight_bits), config.m_block)
        super().__init__(
            {
                "i_clear": In(1),
                "i_write_valid": In(1),
                "i_write_data": In(config.axi_data_bits),
                "i_count": In(range(config.rows + 1)),
                "i_place": In(FilterPlace(config)),
                "o_lines": Out(line).array(config.rows),
                "o_read": Out(config.rows),
                "o_loaded": Out(filter_position_bits(config)),
                "o_loads": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the write side, the read addresses and the banks."""
        m = Module()
        config = self.config
        beats = config.filter_line_bytes // config.axi_bytes
        banks, depth = config.filter_banks, config.filter_lines // config.filter_banks

        beat = Signal(range(beats + 1))
        bank = Signal(range(banks + 1))
        line = Signal(range(depth + 1))
        last_beat = beat == beats - 1
        m.d.comb += self.o_loads.eq(self.i_write_valid & last_beat)
        with m.If(self.i_write_valid):
            m.d.sync += beat.eq(beat + 1)
            with m.If(last_beat):
                m.d.sync += [beat.eq(0), bank.eq(bank + 1), self.o_loaded.eq(self.o_loaded + 1)]
                with m.If(bank == banks - 1):
                    m.d.sync += [bank.eq(0), line.eq(Mux(line == depth - 1, 0, line + 1))]
        with m.If(self.i_clear):
            m.d.sync += [beat.eq(0), bank.eq(0), line.eq(0), self.o_loaded.eq(0)]

        # Which banks are read, and where: a register in front of the memories.
        first = self.i_place.bank if banks > 1 else Signal()
        here = Signal.like(self.i_place.line)
        following = Signal.like(here)
        wanted = [lane < self.i_count for lane in range(banks)]
        reads = Signal(banks)
        m.d.comb += following.eq(Mux(self.i_place.line == depth - 1, 0, self.i_place.line + 1))
        after = Signal.like(here)
        wraps = Signal(banks)  # banks before the first: they hold its round's later lines
        m.d.sync += [
            reads.eq(Cat(*rotate_right(m, wanted, first, "wanted"))),
            here.eq(self.i_place.line),
            after.eq(following),
            wraps.eq(Cat(*(number < first for number in range(banks - 1)), Const(0, 1))),
        ]
        m.d.comb += self.o_read.eq(delayed(m, reads, self.latency - 1, "read"))
        for number in range(banks):
            words = []
            for part in range(beats):
                memory = Sram(depth=depth, width=config.axi_data_bits)
                m.submodules[f"bank_{number}_{part}"] = unit(platform, memory)
                m.d.comb += [
                    memory.i_write_en.eq(self.i_write_valid & (bank == number) & (beat == part)),
                    memory.i_write_addr.eq(line),
                    memory.i_write_data.eq(self.i_write_data),
                    memory.i_read_en.eq(reads[number]),
                    memory.i_read_addr.eq(Mux(wraps[number], after, here)),
                ]
                words.append(memory.o_read_data)
            shown = delayed(m, Cat(*words), self.latency - 2, f"words_{number}")
            m.d.comb += self.o_lines[number].as_value().eq(shown)

        return m

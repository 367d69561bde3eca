"""Ifmap buffer: banks one activation wide, so that any vector comes in one cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.ifmap_bank import IfmapBank
from stillflow.hw.buffer.rotate import rotate_left, rotate_right
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import ifmap_latency, operand_delay
from stillflow.hw.unit import unit


class IfmapBuffer(wiring.Component):
    """Element-addressed memory that gives one activation to every row each cycle.

    Element ``a`` lies in bank ``a % banks`` at line ``a // banks``. A read starts at element
    ``i_read_address``: lane ``l`` gets the element at ``address + l + banks * q[l]``. The lane
    offsets ``q`` are loaded like weights, through a chain with an active copy; since they move a
    lane by whole lines, no two lanes meet in a bank. ``o_acts`` follows the address by
    ``latency`` cycles. A fill is visible to a read that is issued a cycle later.

    Parameters
    ----------
    config : AcceleratorConfig
        Banks and depth.

    Members
    -------
    i_fill_valid, i_fill_address, i_fill_mask, i_fill_data
        Write elements ``address + i`` where ``mask[i]``; one beat of elements.
    i_read_en, i_read_address
        Read a vector.
    i_lane_shift, i_lane_offset, i_lane_used, i_lane_swap
        Move ``i_lane_offset`` (lines) into the chain, first row first; make the chain active from
        the next cycle on. A lane that is not used gives zero, whatever its bank holds.
    o_acts : ``Out(ArrayLayout(signed(act_bits), rows))``
    """

    i_fill_valid: Signal
    i_fill_address: Signal
    i_fill_mask: Signal
    i_fill_data: data.View
    i_read_en: Signal
    i_read_address: Signal
    i_lane_shift: Signal
    i_lane_offset: Signal
    i_lane_used: Signal
    i_lane_swap: Signal
    o_acts: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = ifmap_latency(config)
        self.address_bits = ceil_log2(config.ifmap_elements)
        self.line_bits = max(1, ceil_log2(config.ifmap_depth))
        act = signed(config.act_bits)
        super().__init__(
            {
                "i_fill_valid": In(1),
                "i_fill_address": In(self.address_bits),
                "i_fill_mask": In(config.axi_elements),
                "i_fill_data": In(data.ArrayLayout(act, config.axi_elements)),
                "i_read_en": In(1),
                "i_read_address": In(self.address_bits),
                "i_lane_shift": In(1),
                "i_lane_offset": In(self.line_bits),
                "i_lane_used": In(1),
                "i_lane_swap": In(1),
                "o_acts": Out(data.ArrayLayout(act, config.rows)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build banks, rotators and lane offsets."""
        m = Module()
        config = self.config
        n = config.ifmap_banks
        bank_bits = ceil_log2(n)

        def split(address: Signal, name: str) -> tuple[Signal, Signal]:
            bank = Signal(max(1, bank_bits), name=f"{name}_bank")
            line = Signal(self.line_bits, name=f"{name}_line")
            m.d.comb += Cat(bank[:bank_bits], line).eq(address)
            return bank, line

        # Lane offsets: a chain beside the weight chain, first element in row 0 after rows shifts.
        lanes = config.rows
        shadow = [Signal(self.line_bits, name=f"lane_shadow_{i}") for i in range(lanes)]
        offsets = [Signal(self.line_bits, name=f"lane_{i}") for i in range(lanes)]
        used_shadow, used = signals("used_shadow used", lanes)
        with m.If(self.i_lane_shift):
            m.d.sync += [
                Cat(*shadow).eq(Cat(*shadow[1:], self.i_lane_offset)),
                used_shadow.eq(Cat(used_shadow[1:], self.i_lane_used)),
            ]
        with m.If(self.i_lane_swap):
            m.d.sync += [Cat(*offsets).eq(Cat(*shadow)), used.eq(used_shadow)]

        fill_bank, fill_line = split(self.i_fill_address, "fill")
        spare = n - config.axi_elements
        fill_ens = rotate_right(m, [*self.i_fill_mask, *[0] * spare], fill_bank, "fill_ens")
        # A word goes to all banks that a beat may bring it to; one is enabled.
        beat_bits = ceil_log2(config.axi_elements)
        fill_words = rotate_right(m, [*self.i_fill_data], fill_bank[:beat_bits], "fill_words")

        read_bank, read_line = split(self.i_read_address, "read")
        read_en = Signal()
        bank_offsets = rotate_right(m, [*offsets, *[0] * (n - lanes)], read_bank, "offsets")
        m.d.sync += read_en.eq(self.i_read_en)
        to_words = 2 + operand_delay(config)
        align = delayed(m, read_bank, to_words, "align")
        used_word = delayed(m, used, to_words, "used_word")

        words = []
        for b in range(n):
            is_last = b == n - 1  # no bank lies behind it: nothing to compare
            bank = IfmapBank(config)
            m.submodules[f"bank_{b}"] = unit(platform, bank)
            m.d.comb += [
                bank.i_fill_en.eq(self.i_fill_valid & fill_ens[b]),
                bank.i_fill_line.eq(fill_line),
                bank.i_fill_wraps.eq(0 if is_last else b < fill_bank),
                bank.i_fill_word.eq(fill_words[b % config.axi_elements]),
                bank.i_read_en.eq(read_en),
                bank.i_read_line.eq(read_line),
                bank.i_read_wraps.eq(0 if is_last else b < read_bank),
                bank.i_read_offset.eq(bank_offsets[b]),
            ]
            words.append(bank.o_word)
        for lane, word in enumerate(rotate_left(m, words, align, "words")[:lanes]):
            m.d.sync += self.o_acts[lane].eq(Mux(used_word[lane], word, 0))

        return m

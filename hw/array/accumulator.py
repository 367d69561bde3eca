"""Psum memory and the adders between it and the array."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class Accumulator(wiring.Component):
    """Adds column sums to biases or psums; the last step's psums leave.

    The control members belong to cycle ``t``, ``i_sums`` to cycle ``t + 1``; a psum is read in
    ``t``, written in ``t + 2``, and ``o_psums`` with ``o_valid`` shows in ``t + 2``. So a pixel may
    come back after ``HAZARD`` cycles. Never stalls. ``o_psums`` holds until the next valid vector.

    Parameters
    ----------
    config : AcceleratorConfig
        Columns, depth, widths.

    Members
    -------
    i_valid, i_address, i_first, i_final, i_maximum
        A vector: its entry, whether it starts from the bias, whether it is complete, whether the
        larger value wins.
    i_bias_swap : ``In(1)``
        Take the biases that were shifted in, from the next cycle on.
    i_bias_shift, i_line
        A slice of every bias, lowest first.
    i_sums : ``In(ArrayLayout(signed(sum_bits), m_block))``
    o_valid, o_psums
        Complete psums.
    o_read, o_write : ``Out(1)``
        The psum memory is read, written: for the counters.
    """

    HAZARD = 3

    i_valid: Signal
    i_address: Signal
    i_first: Signal
    i_final: Signal
    i_maximum: Signal
    i_bias_swap: Signal
    i_bias_shift: Signal
    i_line: data.View
    i_sums: data.View
    o_valid: Signal
    o_psums: data.View
    o_read: Signal
    o_write: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        columns = config.m_block
        super().__init__(
            {
                "i_valid": In(1),
                "i_address": In(max(1, ceil_log2(config.psum_depth))),
                "i_first": In(1),
                "i_final": In(1),
                "i_maximum": In(1),
                "i_bias_swap": In(1),
                "i_bias_shift": In(1),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), columns)),
                "i_sums": In(data.ArrayLayout(signed(config.sum_bits), columns)),
                "o_valid": Out(1),
                "o_psums": Out(data.ArrayLayout(signed(config.acc_bits), columns)),
                "o_read": Out(1),
                "o_write": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the memory, the biases and the adders."""
        m = Module()
        config = self.config
        acc = config.acc_bits

        valid, first, final, maximum = (Signal(name=n) for n in ("v", "first", "final", "maximum"))
        write = Signal()
        address, write_address = Signal.like(self.i_address), Signal.like(self.i_address)
        m.d.sync += [
            valid.eq(self.i_valid),
            first.eq(self.i_first),
            final.eq(self.i_final),
            maximum.eq(self.i_maximum),
            address.eq(self.i_address),
            write.eq(valid & ~final),
            self.o_valid.eq(valid & final),
            write_address.eq(address),
        ]
        m.d.comb += [
            self.o_read.eq(self.i_valid & ~self.i_first),
            self.o_write.eq(write),
        ]

        compares = Signal()
        m.d.comb += compares.eq(maximum & ~first)
        slices = config.bias_lines * config.weight_bits
        for col in range(config.m_block):
            bank = Sram(depth=config.psum_depth, width=acc)
            m.submodules[f"bank_{col}"] = unit(platform, bank)
            shadow = Signal(slices, name=f"bias_shadow_{col}", reset_less=True)
            bias = Signal(signed(acc), name=f"bias_{col}", reset_less=True)
            base = Signal(signed(acc), name=f"base_{col}")
            total = Signal(signed(acc + 1), name=f"total_{col}")
            psum = self.o_psums[col]
            with m.If(self.i_bias_shift):
                m.d.sync += shadow.eq(Cat(shadow[config.weight_bits :], self.i_line[col]))
            with m.If(self.i_bias_swap):
                m.d.sync += bias.eq(shadow[:acc].as_signed())
            term = self.i_sums[col].as_unsigned() ^ compares.replicate(config.sum_bits)
            m.d.comb += [
                bank.i_read_en.eq(self.o_read),
                bank.i_read_addr.eq(self.i_address),
                bank.i_write_en.eq(write),
                bank.i_write_addr.eq(write_address),
                bank.i_write_data.eq(psum.as_unsigned()),
                base.eq(Mux(first, bias, bank.o_read_data.as_signed())),
                # Maximum: the sign of base - sum chooses; otherwise the sum of both.
                total.eq(base + term.as_signed() + compares),
            ]
            with m.If(valid):
                with m.If(compares):
                    m.d.sync += psum.eq(Mux(total < 0, self.i_sums[col], base))
                with m.Else():
                    m.d.sync += psum.eq(total)

        return m

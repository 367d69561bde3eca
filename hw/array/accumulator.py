"""Psum memory and the adders between it and the array."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class AccumulatorColumn(wiring.Component):
    """Psum bank, bias and adder of one filter; timing as the accumulator's.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth, widths.

    Members
    -------
    i_read_en, i_read_address, i_write_en, i_write_address
        Ports of the psum bank; what is written is ``o_psum``.
    i_valid, i_first, i_compares
        A sum comes; it meets the bias; the larger of psum and sum counts instead of their sum:
        never with the first.
    i_bias_shift, i_bias_swap, i_slice; row stationary i_bias
        As the accumulator's.
    i_sum : ``In(signed(sum_bits))``
    o_psum : ``Out(signed(acc_bits))``
    """

    i_read_en: Signal
    i_read_address: Signal
    i_write_en: Signal
    i_write_address: Signal
    i_valid: Signal
    i_first: Signal
    i_compares: Signal
    i_bias_shift: Signal
    i_bias_swap: Signal
    i_slice: Signal
    i_bias: Signal
    i_sum: Signal
    o_psum: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        key = (config.psum_depth, config.acc_bits, config.sum_bits, config.weight_bits)
        self.delay = operand_delay(config)
        self.unit_name = "accumulator_column_{}x{}_{}_{}".format(*key) + "_registered" * self.delay
        self.unit_key = (*key, self.delay)
        address_bits = max(1, ceil_log2(config.psum_depth))
        if config.has_pe_sets:
            biases = {"i_bias": In(signed(config.acc_bits))}
        else:
            biases = {
                "i_bias_shift": In(1),
                "i_bias_swap": In(1),
                "i_slice": In(signed(config.weight_bits)),
            }
        super().__init__(
            biases
            | {
                "i_read_en": In(1),
                "i_read_address": In(address_bits),
                "i_write_en": In(1),
                "i_write_address": In(address_bits),
                "i_valid": In(1),
                "i_first": In(1),
                "i_compares": In(1),
                "i_sum": In(signed(config.sum_bits)),
                "o_psum": Out(signed(config.acc_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the bank, the bias and the adder."""
        m = Module()
        config = self.config
        acc = config.acc_bits

        bank = Sram(depth=config.psum_depth, width=acc)
        m.submodules.bank = unit(platform, bank)
        read = delayed(m, bank.o_read_data, self.delay, "read")
        base = Signal(signed(acc))
        total = Signal(signed(acc + 1))
        bias = self.i_bias if config.has_pe_sets else self._own_bias(m)
        m.d.comb += [
            bank.i_read_en.eq(self.i_read_en),
            bank.i_read_addr.eq(self.i_read_address),
            bank.i_write_en.eq(self.i_write_en),
            bank.i_write_addr.eq(self.i_write_address),
            bank.i_write_data.eq(self.o_psum.as_unsigned()),
            # Maximum: the sign of sum - base - 1 chooses; otherwise the sum of both.
            base.eq(Mux(self.i_first, bias, read ^ self.i_compares.replicate(acc))),
            total.eq(base + self.i_sum),
        ]
        with m.If(self.i_valid):
            with m.If(self.i_compares):
                m.d.sync += self.o_psum.eq(Mux(total < 0, ~base, self.i_sum))
            with m.Else():
                m.d.sync += self.o_psum.eq(total)

        return m

    def _own_bias(self, m: Module) -> Signal:
        """Bias of the column's filter, and the next one's slices."""
        config = self.config
        shadow = Signal(config.bias_lines * config.weight_bits, reset_less=True)
        bias = Signal(signed(config.acc_bits), reset_less=True)
        with m.If(self.i_bias_shift):
            m.d.sync += shadow.eq(Cat(shadow[config.weight_bits :], self.i_slice))
        with m.If(self.i_bias_swap):
            m.d.sync += bias.eq(shadow[: config.acc_bits].as_signed())
        return bias


class Accumulator(wiring.Component):
    """Adds column sums to biases or psums; the last step's psums leave.

    The control members belong to cycle ``t``, ``i_sums`` to cycle ``t + 1``; a psum is read in
    ``t`` and written in ``t + latency``, when ``o_psums`` with ``o_valid`` shows. So a pixel may
    come back after `stillflow.hw.timing.hazard` cycles. Never stalls. ``o_psums`` holds until the
    next valid vector.

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
    i_bias : ``In(signed(acc_bits))``
        Row stationary, instead of these: the bias of all columns, in cycle ``t + latency - 1``.
    i_sums : ``In(ArrayLayout(signed(sum_bits), m_block))``
    o_valid, o_psums
        Complete psums.
    o_read, o_write : ``Out(1)``
        The psum memory is read, written: for the counters.
    """

    i_valid: Signal
    i_address: Signal
    i_first: Signal
    i_final: Signal
    i_maximum: Signal
    i_bias_swap: Signal
    i_bias_shift: Signal
    i_line: data.View
    i_bias: Signal
    i_sums: data.View
    o_valid: Signal
    o_psums: data.View
    o_read: Signal
    o_write: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.delay = operand_delay(config)
        self.latency = 2 + self.delay
        columns = config.m_block
        if config.has_pe_sets:
            biases = {"i_bias": In(signed(config.acc_bits))}
        else:
            biases = {
                "i_bias_swap": In(1),
                "i_bias_shift": In(1),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), columns)),
            }
        super().__init__(
            biases
            | {
                "i_valid": In(1),
                "i_address": In(max(1, ceil_log2(config.psum_depth))),
                "i_first": In(1),
                "i_final": In(1),
                "i_maximum": In(1),
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

        to_sum = self.latency - 1
        valid = delayed(m, self.i_valid, to_sum, "valid")
        first = delayed(m, self.i_first, to_sum, "first")
        final = delayed(m, self.i_final, to_sum, "final")
        maximum = delayed(m, self.i_maximum, to_sum, "maximum")
        write_address = delayed(m, self.i_address, self.latency, "address")
        write = Signal()
        m.d.sync += [write.eq(valid & ~final), self.o_valid.eq(valid & final)]
        sums = self.i_sums.shape()(delayed(m, self.i_sums.as_value(), self.delay, "sums"))
        m.d.comb += [
            self.o_read.eq(self.i_valid & ~self.i_first),
            self.o_write.eq(write),
        ]

        compares, swap = signals("compares swap")
        m.d.comb += compares.eq(maximum & ~first)
        if not config.has_pe_sets:
            m.d.comb += swap.eq(delayed(m, self.i_bias_swap, self.delay, "bias_swap"))
        for col in range(config.m_block):
            column = AccumulatorColumn(config)
            m.submodules[f"column_{col}"] = unit(platform, column)
            m.d.comb += [
                column.i_read_en.eq(self.o_read),
                column.i_read_address.eq(self.i_address),
                column.i_write_en.eq(write),
                column.i_write_address.eq(write_address),
                column.i_valid.eq(valid),
                column.i_first.eq(first),
                column.i_compares.eq(compares),
                column.i_sum.eq(sums[col]),
                self.o_psums[col].eq(column.o_psum),
            ]
            if config.has_pe_sets:
                m.d.comb += column.i_bias.eq(self.i_bias)
            else:
                m.d.comb += [
                    column.i_bias_shift.eq(self.i_bias_shift),
                    column.i_bias_swap.eq(swap),
                    column.i_slice.eq(self.i_line[col]),
                ]

        return m

"""Array without local reuse: reduction over the rows, filters over the columns, nothing kept."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.pe import NoLocalReusePE
from stillflow.hw.array.tree import AdderTree
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class NoLocalReuseColumn(wiring.Component):
    """Multipliers of one filter and their adder tree; timing as the array's.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_weights : ``In(ArrayLayout(signed(weight_bits), rows))``
    i_used : ``In(rows)``
    o_sum : ``Out(signed(psum_bits))``
    """

    i_acts: data.View
    i_weights: data.View
    i_used: Signal
    o_sum: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        rows, act, weight = config.rows, config.act_bits, config.weight_bits
        self.unit_name = (
            f"column_nlr_{rows}x{act}x{weight}" + "_registered" * config.operand_registers
        )
        self.unit_key = (rows, act, weight, config.operand_registers)
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(act), rows)),
                "i_weights": In(data.ArrayLayout(signed(weight), rows)),
                "i_used": In(rows),
                "o_sum": Out(signed(config.psum_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the column."""
        m = Module()
        config = self.config

        tree = AdderTree(terms=config.rows, term_bits=config.act_bits + config.weight_bits)
        m.submodules.tree = unit(platform, tree)
        m.d.comb += self.o_sum.eq(tree.o_sum)
        for row in range(config.rows):
            pe = NoLocalReusePE(config)
            m.submodules[f"pe_{row}"] = unit(platform, pe)
            m.d.comb += [
                pe.i_act.eq(self.i_acts[row]),
                pe.i_weight.eq(self.i_weights[row]),
                pe.i_used.eq(self.i_used[row]),
                tree.i_terms[row].eq(pe.o_product),
            ]

        return m


class NoLocalReuseArray(wiring.Component):
    """``rows x m_block`` multipliers with an adder tree under each column.

    Every cycle takes an activation for each row and a weight for each multiplier; the column sums
    come ``latency`` cycles later. Never stalls.

    Parameters
    ----------
    config : AcceleratorConfig
        Size and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_lines : ``In(ArrayLayout(signed(weight_bits), m_block))`` for each row
        Its weights: a port each, since Amaranth takes no signal of 2**16 bits.
    i_used : ``In(rows)``
        Rows that have weights.
    o_sums : ``Out(ArrayLayout(signed(psum_bits), m_block))``
    """

    i_acts: data.View
    i_lines: list[data.View]
    i_used: Signal
    o_sums: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = 1 + operand_delay(config) + ceil_log2(config.rows)
        line = data.ArrayLayout(signed(config.weight_bits), config.m_block)
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), config.rows)),
                "i_lines": In(line).array(config.rows),
                "i_used": In(config.rows),
                "o_sums": Out(data.ArrayLayout(signed(config.psum_bits), config.m_block)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the columns."""
        m = Module()

        for col in range(self.config.m_block):
            column = NoLocalReuseColumn(self.config)
            m.submodules[f"column_{col}"] = unit(platform, column)
            m.d.comb += [
                column.i_acts.eq(self.i_acts),
                column.i_used.eq(self.i_used),
                column.i_weights.eq(Cat(line[col] for line in self.i_lines)),
                self.o_sums[col].eq(column.o_sum),
            ]

        return m

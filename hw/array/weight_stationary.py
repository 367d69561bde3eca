"""Weight-stationary array: reduction over the rows, filters over the columns."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.pe import WeightStationaryPE
from stillflow.hw.array.tree import AdderTree
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class WeightStationaryArray(wiring.Component):
    """``rows x m_block`` PEs with a weight chain and an adder tree in each column.

    Every cycle takes one activation per row; all columns see them at once, so that no operand is
    skewed. The column sums come ``latency`` cycles later. A weight line enters the bottom row and
    moves up one row with each shift: after ``rows`` shifts the first line is in row 0.

    Parameters
    ----------
    config : AcceleratorConfig
        Size and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_line : ``In(ArrayLayout(signed(weight_bits), m_block))``
        Weights for the chain.
    i_shift, i_swap : ``In(1)``
        Move the chains; make the shadow weights active from the next cycle on.
    o_sums : ``Out(ArrayLayout(signed(psum_bits), m_block))``
    """

    i_acts: data.View
    i_line: data.View
    i_shift: Signal
    i_swap: Signal
    o_sums: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = 1 + ceil_log2(config.rows)
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), config.rows)),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), config.m_block)),
                "i_shift": In(1),
                "i_swap": In(1),
                "o_sums": Out(data.ArrayLayout(signed(config.psum_bits), config.m_block)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the grid."""
        m = Module()

        rows = self.config.rows
        for col in range(self.config.m_block):
            tree = AdderTree(
                terms=rows, term_bits=self.config.act_bits + self.config.weight_bits
            )
            m.submodules[f"tree_{col}"] = unit(platform, tree)
            m.d.comb += self.o_sums[col].eq(tree.o_sum)
            below = self.i_line[col]
            for row in reversed(range(rows)):
                pe = WeightStationaryPE(self.config)
                m.submodules[f"pe_{row}_{col}"] = unit(platform, pe)
                m.d.comb += [
                    pe.i_act.eq(self.i_acts[row]),
                    pe.i_chain.eq(below),
                    pe.i_shift.eq(self.i_shift),
                    pe.i_swap.eq(self.i_swap),
                    tree.i_terms[row].eq(pe.o_product),
                ]
                below = pe.o_chain

        return m

"""Weight-stationary array: reduction over the rows, filters over the columns."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.pe import WeightStationaryPE
from stillflow.hw.array.tree import AdderTree
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.signals import delayed
from stillflow.hw.timing import operand_delay
from stillflow.hw.unit import unit


class WeightStationaryColumn(wiring.Component):
    """PEs of one filter, their weight chain and their adder tree.

    Timing as the array's.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_chain : ``In(signed(max(act_bits, weight_bits)))``
        Enters the chain at the bottom row.
    i_shift, i_swap, i_depthwise : ``In(1)``
    o_sum : ``Out(signed(psum_bits))``
    """

    i_acts: data.View
    i_chain: Signal
    i_shift: Signal
    i_swap: Signal
    i_depthwise: Signal
    o_sum: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        act, weight = config.act_bits, config.weight_bits
        self.unit_name = f"column_ws_{config.rows}x{act}x{weight}" + "_dense" * (
            not config.has_chains
        )
        self.unit_name += "_registered" * config.operand_registers
        self.unit_key = (config.rows, act, weight, config.has_chains, config.operand_registers)
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(act), config.rows)),
                "i_chain": In(signed(max(act, weight))),
                "i_shift": In(1),
                "i_swap": In(1),
                "i_depthwise": In(1),
                "o_sum": Out(signed(config.psum_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the column."""
        m = Module()
        rows = self.config.rows

        tree = AdderTree(terms=rows, term_bits=self.config.act_bits + self.config.weight_bits)
        m.submodules.tree = unit(platform, tree)
        m.d.comb += self.o_sum.eq(tree.o_sum)
        below = self.i_chain
        for row in reversed(range(rows)):
            pe = WeightStationaryPE(self.config)
            m.submodules[f"pe_{row}"] = unit(platform, pe)
            m.d.comb += [
                pe.i_act.eq(self.i_acts[row]),
                pe.i_chain.eq(below),
                pe.i_shift.eq(self.i_shift),
                pe.i_swap.eq(self.i_swap),
                pe.i_depthwise.eq(self.i_depthwise),
                tree.i_terms[row].eq(pe.o_product),
            ]
            below = pe.o_chain

        return m


class WeightStationaryArray(wiring.Component):
    """``rows x m_block`` PEs with a weight chain and an adder tree in each column.

    Every cycle takes one activation per row; all columns see them at once, so that no operand is
    skewed. The column sums come ``latency`` cycles later. A weight line enters the bottom row and
    moves up one row with each shift: after ``rows`` shifts the first line is in row 0. With
    ``operand_registers`` lines wait a cycle before they enter, as activations do in the PEs.

    Depthwise, columns are channels and rows are taps: the activations of a pixel enter the chains,
    each column its own channel, and every PE multiplies what passes it. So a column is a filter
    over the sequence of pixels, the newest one at the bottom; its sums come ``latency`` cycles
    after a pixel, too.

    Parameters
    ----------
    config : AcceleratorConfig
        Size and word widths.

    Members
    -------
    i_acts : ``In(ArrayLayout(signed(act_bits), rows))``
    i_depthwise : ``In(1)``
        Multiply what is in the chains instead of ``i_acts``.
    i_stream : ``In(1)``
        ``i_acts`` enter the chains; never with ``i_shift`` or in the cycle after.
    i_line : ``In(ArrayLayout(signed(weight_bits), m_block))``
        Weights for the chain.
    i_shift, i_swap : ``In(1)``
        Move the chains; make the shadow weights active from the next cycle on.
    o_sums : ``Out(ArrayLayout(signed(psum_bits), m_block))``
    """

    i_acts: data.View
    i_depthwise: Signal
    i_stream: Signal
    i_line: data.View
    i_shift: Signal
    i_swap: Signal
    o_sums: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.delay = operand_delay(config)
        self.latency = 1 + self.delay + ceil_log2(config.rows)
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(config.act_bits), config.rows)),
                "i_depthwise": In(1),
                "i_stream": In(1),
                "i_line": In(data.ArrayLayout(signed(config.weight_bits), config.m_block)),
                "i_shift": In(1),
                "i_swap": In(1),
                "o_sums": Out(data.ArrayLayout(signed(config.psum_bits), config.m_block)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the grid."""
        m = Module()

        line = self.i_line.shape()(delayed(m, self.i_line.as_value(), self.delay, "line"))
        shift = delayed(m, self.i_shift, self.delay, "shift")
        swap = delayed(m, self.i_swap, self.delay, "swap")
        for col in range(self.config.m_block):
            column = WeightStationaryColumn(self.config)
            m.submodules[f"column_{col}"] = unit(platform, column)
            act = self.i_acts[col] if col < self.config.rows else 0
            m.d.comb += [
                column.i_acts.eq(self.i_acts),
                column.i_chain.eq(Mux(self.i_stream, act, line[col])),
                column.i_shift.eq(shift | self.i_stream),
                column.i_swap.eq(swap),
                column.i_depthwise.eq(self.i_depthwise),
                self.o_sums[col].eq(column.o_sum),
            ]

        return m

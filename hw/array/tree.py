"""Pipelined adder tree under a column of the array."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import ceil_log2


class AdderTree(wiring.Component):
    """Sum of a column's products, one register after each level of adders.

    ``o_sum`` follows ``i_terms`` by ``latency`` cycles. Takes new terms every cycle.

    Parameters
    ----------
    terms : int
        Addends, at least 1.
    term_bits : int
        Width of an addend in two's complement.

    Members
    -------
    i_terms : ``In(ArrayLayout(signed(term_bits), terms))``
    o_sum : ``Out(signed(term_bits + ceil(log2(terms))))``
    """

    i_terms: data.View
    o_sum: Signal

    def __init__(self, *, terms: int, term_bits: int) -> None:
        self.terms = terms
        self.term_bits = term_bits
        self.latency = ceil_log2(terms)
        self.unit_name = f"adder_tree_{terms}x{term_bits}"
        self.unit_key = (terms, term_bits)
        super().__init__(
            {
                "i_terms": In(data.ArrayLayout(signed(term_bits), terms)),
                "o_sum": Out(signed(term_bits + self.latency)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the tree."""
        m = Module()

        # With a single term nothing is clocked; the domain must exist all the same.
        level = [self.i_terms[i] for i in range(self.terms)]
        for depth in range(1, self.latency + 1):
            sums = []
            for i in range(0, len(level), 2):
                node = Signal(
                    signed(self.term_bits + depth), name=f"level{depth}_{i // 2}", reset_less=True
                )
                m.d.sync += node.eq(sum(level[i + 1 : i + 2], level[i]))
                sums.append(node)
            level = sums
        m.d.comb += self.o_sum.eq(level[0])

        return m

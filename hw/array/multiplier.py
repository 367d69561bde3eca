"""The multiplier of a PE: a unit of its own, so that an FPGA's primitive can take its place."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Multiplier(wiring.Component):
    """Registered product of two signed words.

    ``o_product`` is the product of the words of the cycle before. One that ``holds`` has a register
    before its second operand: ``i_b`` of a cycle with ``i_load`` counts from the next cycle on,
    until there is another. Never stalls, no register is reset.

    A ``registered`` one has registers before both operands and is a cycle later: the ``i_a`` of a
    cycle meets the ``i_b`` of the same cycle, or the word that is held in the next one.

    Parameters
    ----------
    a_bits, b_bits : int
        Word widths.
    holds : bool
        Whether the second operand stays.
    registered : bool
        Whether there is a register before every operand.

    Members
    -------
    i_a : ``In(signed(a_bits))``
    i_b : ``In(signed(b_bits))``
    i_load : ``In(1)``
        Take ``i_b``; only where it is held.
    o_product : ``Out(signed(a_bits + b_bits))``
    """

    i_a: Signal
    i_b: Signal
    i_load: Signal
    o_product: Signal

    def __init__(
        self, a_bits: int, b_bits: int, *, holds: bool = False, registered: bool = False
    ) -> None:
        self.holds, self.registered = holds, registered
        name = f"multiplier_{a_bits}x{b_bits}"
        self.unit_name = name + "_held" * holds + "_registered" * registered
        self.unit_key = (a_bits, b_bits, holds, registered)
        load = {"i_load": In(1)} if holds else {}
        super().__init__(
            {
                "i_a": In(signed(a_bits)),
                "i_b": In(signed(b_bits)),
                **load,
                "o_product": Out(signed(a_bits + b_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the generic multiplier."""
        m = Module()

        product = Signal.like(self.o_product, reset_less=True)
        a, b = self.i_a, self.i_b
        if self.registered:
            a = Signal.like(self.i_a, name="a", reset_less=True)
            m.d.sync += a.eq(self.i_a)
        if self.holds:
            b = Signal.like(self.i_b, name="held", reset_less=True)
            with m.If(self.i_load):
                m.d.sync += b.eq(self.i_b)
        elif self.registered:
            b = Signal.like(self.i_b, name="b", reset_less=True)
            m.d.sync += b.eq(self.i_b)
        m.d.sync += product.eq(a * b)
        m.d.comb += self.o_product.eq(product)

        return m

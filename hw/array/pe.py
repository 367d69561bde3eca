"""Processing elements (PEs): one for each dataflow."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.multiplier import Multiplier
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.unit import unit


class WeightStationaryPE(wiring.Component):
    """Multiplier with a weight that stays and a shadow weight that moves past it.

    The shadow register is a link of the column's weight chain: while the array computes with the
    weights in place, the next block shifts through. ``i_swap`` makes the shadow the weight; the
    chain may shift in the same cycle. ``o_product`` follows ``i_act`` by one cycle; with
    ``operand_registers`` by two, and the activation of a cycle meets the weight of the next one.
    Never stalls.

    Depthwise, activations move through the chain, and what comes from the PE below is multiplied.

    Parameters
    ----------
    config : AcceleratorConfig
        Word widths, and whether pixels pass through the chains.

    Members
    -------
    i_act : ``In(signed(act_bits))``
        Activation, the same for all PEs of a row.
    i_chain, o_chain : ``signed(max(act_bits, weight_bits))``
        Weight chain, from the PE below and to the PE above.
    i_shift, i_swap : ``In(1)``
        Move the chain; take the shadow weight.
    i_depthwise : ``In(1)``
        Multiply ``i_chain`` instead of ``i_act``; of no effect without such chains.
    o_product : ``Out(signed(act_bits + weight_bits))``
        Product.

    References
    ----------
    Survey, section V-B, figure 22a (weight stationary).
    """

    i_act: Signal
    i_chain: Signal
    i_shift: Signal
    i_swap: Signal
    i_depthwise: Signal
    o_chain: Signal
    o_product: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        act, weight = config.act_bits, config.weight_bits
        chain = max(act, weight)
        self.operands = act, weight
        self.has_chains, self.registered = config.has_chains, config.operand_registers
        self.unit_name = f"pe_ws_{act}x{weight}" + "_dense" * (not self.has_chains)
        self.unit_name += "_registered" * self.registered
        self.unit_key = (act, weight, self.has_chains, self.registered)
        super().__init__(
            {
                "i_act": In(signed(act)),
                "i_chain": In(signed(chain)),
                "i_shift": In(1),
                "i_swap": In(1),
                "i_depthwise": In(1),
                "o_chain": Out(signed(chain)),
                "o_product": Out(signed(act + weight)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()

        multiplier = Multiplier(*self.operands, holds=True, registered=self.registered)
        m.submodules.multiplier = unit(platform, multiplier)
        shadow = Signal.like(self.o_chain, reset_less=True)
        act = self.i_act
        if self.has_chains:
            act = Mux(self.i_depthwise, self.i_chain, self.i_act)
        with m.If(self.i_shift):
            m.d.sync += shadow.eq(self.i_chain)
        m.d.comb += [
            multiplier.i_a.eq(act),
            multiplier.i_b.eq(shadow),
            multiplier.i_load.eq(self.i_swap),
            self.o_chain.eq(shadow),
            self.o_product.eq(multiplier.o_product),
        ]

        return m


class OutputStationaryPE(wiring.Component):
    """Multiplier and the psum that stays.

    The weight moves on to the next row a cycle later. ``o_psum`` contains the product of the
    activation and the weight of cycle ``t`` from ``t + 3`` on: chain, product, psum; with
    ``operand_registers`` from ``t + 4`` on. Never stalls.

    Parameters
    ----------
    config : AcceleratorConfig
        Word widths, and whether a complete psum must wait to leave (``pace``).

    Members
    -------
    i_act : ``In(signed(act_bits))``
        Activation of the row, a cycle behind ``i_weight``.
    i_weight, o_weight : ``signed(weight_bits)``
        From the row above and to the row below.
    i_adds, i_opens : ``In(1)``
        The product counts; it begins a psum. With the product: two cycles behind ``i_weight``, or
        three.
    i_keeps : ``In(1)``
        The psum is complete: with a pace, a copy of it stays in ``o_psum`` until the next.
    o_psum : ``Out(signed(acc_bits))``

    References
    ----------
    Survey, section V-B, figure 22b (output stationary).
    """

    i_act: Signal
    i_weight: Signal
    i_adds: Signal
    i_opens: Signal
    i_keeps: Signal
    o_weight: Signal
    o_psum: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        act, weight, acc = config.act_bits, config.weight_bits, config.acc_bits
        self.acc_bits = acc
        self.waits, self.registered = config.pace > 1, config.operand_registers
        self.unit_name = f"pe_os_{act}x{weight}_{acc}" + "_waits" * self.waits
        self.unit_name += "_registered" * self.registered
        self.unit_key = (act, weight, acc, self.waits, self.registered)
        super().__init__(
            {
                "i_act": In(signed(act)),
                "i_weight": In(signed(weight)),
                "i_adds": In(1),
                "i_opens": In(1),
                "i_keeps": In(1),
                "o_weight": Out(signed(weight)),
                "o_psum": Out(signed(acc)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()

        multiplier = Multiplier(len(self.i_act), len(self.i_weight), registered=self.registered)
        m.submodules.multiplier = unit(platform, multiplier)
        psum = Signal(signed(self.acc_bits), name="psum", reset_less=True)
        total = Signal.like(psum, name="total")
        m.d.sync += self.o_weight.eq(self.i_weight)
        m.d.comb += [
            multiplier.i_a.eq(self.i_act),
            multiplier.i_b.eq(self.o_weight),
            total.eq(Mux(self.i_opens, 0, psum) + multiplier.o_product),
        ]
        with m.If(self.i_adds):
            m.d.sync += psum.eq(total)
        if self.waits:
            with m.If(self.i_keeps):
                m.d.sync += self.o_psum.eq(Mux(self.i_adds, total, psum))
        else:
            m.d.comb += self.o_psum.eq(psum)

        return m


class NoLocalReusePE(wiring.Component):
    """Multiplier that keeps nothing.

    ``o_product`` follows its operands by one cycle, with ``operand_registers`` by two. Never
    stalls.

    Parameters
    ----------
    config : AcceleratorConfig
        Word widths.

    Members
    -------
    i_act : ``In(signed(act_bits))``
    i_weight : ``In(signed(weight_bits))``
    i_used : ``In(1)``
        There is a weight; else the product is zero, whatever the memory shows.
    o_product : ``Out(signed(act_bits + weight_bits))``

    References
    ----------
    Survey, section V-B, figure 22c (no local reuse).
    """

    i_act: Signal
    i_weight: Signal
    i_used: Signal
    o_product: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        act, weight = config.act_bits, config.weight_bits
        self.registered = config.operand_registers
        self.unit_name = f"pe_nlr_{act}x{weight}" + "_registered" * self.registered
        self.unit_key = (act, weight, self.registered)
        super().__init__(
            {
                "i_act": In(signed(act)),
                "i_weight": In(signed(weight)),
                "i_used": In(1),
                "o_product": Out(signed(act + weight)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the PE."""
        m = Module()

        multiplier = Multiplier(len(self.i_act), len(self.i_weight), registered=self.registered)
        m.submodules.multiplier = unit(platform, multiplier)
        m.d.comb += [
            multiplier.i_a.eq(self.i_act),
            multiplier.i_b.eq(Mux(self.i_used, self.i_weight, 0)),
            self.o_product.eq(multiplier.o_product),
        ]

        return m

"""The processing element of a row-stationary array."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.multiplier import Multiplier
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.unit import unit


class RowStationaryPE(wiring.Component):
    """Multiplier, adder and three scratchpads: ifmap window, filter row, psums of several filters.

    With ``i_mac`` in cycle ``t`` both operands are read; they are multiplied in ``t + 1``. In
    ``t + 2`` the product is added to its psum, which ``i_psum_read`` of ``t + 1`` has read, and
    written back with ``i_psum_write``. While a new psum begins (``i_opens``), the product is
    written as it is, and the adder is free for the psum that was there before: it meets what comes
    from the PE above and goes to the one below. So psums leave without a cycle or an access of
    their own. With ``operand_registers`` the product is a cycle later, and all that goes with it.
    Never stalls.

    Parameters
    ----------
    config : AcceleratorConfig
        Word widths and sizes of the scratchpads.

    Members
    -------
    i_act, i_act_addr, i_act_write
        Write port of the ifmap scratchpad.
    i_weight, i_weight_addr, i_weight_write
        Write port of the filter scratchpad.
    i_mac, i_act_read, i_weight_read
        Multiply the words at these addresses.
    i_psum_read, i_psum_read_addr, i_psum_write, i_psum_write_addr
        Ports of the psum scratchpad.
    i_opens : ``In(1)``
        The product begins a psum; the earlier one leaves.
    i_leaves : ``In(1)``
        ``o_chain`` takes the psum that leaves.
    i_active : ``In(1)``
        The row is in use: otherwise the chain passes through.
    i_chain, o_chain : ``signed(acc_bits)``
        Psums from the PE above and to the PE below, a register in each PE.

    References
    ----------
    Survey, section V-B, figure 23; Chen, Emer, Sze: Eyeriss (ISCA 2016), section V.
    """

    i_act: Signal
    i_act_addr: Signal
    i_act_write: Signal
    i_weight: Signal
    i_weight_addr: Signal
    i_weight_write: Signal
    i_mac: Signal
    i_act_read: Signal
    i_weight_read: Signal
    i_psum_read: Signal
    i_psum_read_addr: Signal
    i_psum_write: Signal
    i_psum_write_addr: Signal
    i_opens: Signal
    i_leaves: Signal
    i_active: Signal
    i_chain: Signal
    o_chain: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = pe_name(config)
        self.unit_key = self.unit_name
        act_addr, weight_addr, psum_addr = spad_bits(config)
        super().__init__(
            {
                "i_act": In(signed(config.act_bits)),
                "i_act_addr": In(act_addr),
                "i_act_write": In(1),
                "i_weight": In(signed(config.weight_bits)),
                "i_weight_addr": In(weight_addr),
                "i_weight_write": In(1),
                "i_mac": In(1),
                "i_act_read": In(act_addr),
                "i_weight_read": In(weight_addr),
                "i_psum_read": In(1),
                "i_psum_read_addr": In(psum_addr),
                "i_psum_write": In(1),
                "i_psum_write_addr": In(psum_addr),
                "i_opens": In(1),
                "i_leaves": In(1),
                "i_active": In(1),
                "i_chain": In(signed(config.acc_bits)),
                "o_chain": Out(signed(config.acc_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build scratchpads, multiplier and adder."""
        m = Module()
        config = self.config

        ifmap = Sram(depth=config.ifmap_spad, width=config.act_bits)
        filters = Sram(depth=config.filter_spad, width=config.weight_bits)
        psums = Sram(depth=config.psum_spad, width=config.acc_bits)
        m.submodules.ifmap = unit(platform, ifmap)
        m.submodules.filters = unit(platform, filters)
        m.submodules.psums = unit(platform, psums)
        multiplier = Multiplier(
            config.act_bits, config.weight_bits, registered=config.operand_registers
        )
        m.submodules.multiplier = unit(platform, multiplier)
        product = multiplier.o_product
        held = Signal(signed(config.acc_bits))
        total = Signal(signed(config.acc_bits))
        m.d.comb += [
            multiplier.i_a.eq(ifmap.o_read_data),
            multiplier.i_b.eq(filters.o_read_data),
            ifmap.i_write_en.eq(self.i_act_write),
            ifmap.i_write_addr.eq(self.i_act_addr),
            ifmap.i_write_data.eq(self.i_act),
            ifmap.i_read_en.eq(self.i_mac),
            ifmap.i_read_addr.eq(self.i_act_read),
            filters.i_write_en.eq(self.i_weight_write),
            filters.i_write_addr.eq(self.i_weight_addr),
            filters.i_write_data.eq(self.i_weight),
            filters.i_read_en.eq(self.i_mac),
            filters.i_read_addr.eq(self.i_weight_read),
            psums.i_read_en.eq(self.i_psum_read),
            psums.i_read_addr.eq(self.i_psum_read_addr),
            psums.i_write_en.eq(self.i_psum_write),
            psums.i_write_addr.eq(self.i_psum_write_addr),
            psums.i_write_data.eq(Mux(self.i_opens, product, total)),
            held.eq(psums.o_read_data.as_signed() & self.i_active.replicate(config.acc_bits)),
            total.eq(held + Mux(self.i_opens, self.i_chain, product)),
        ]
        with m.If(self.i_leaves):
            m.d.sync += self.o_chain.eq(total)

        return m


def pe_name(config: AcceleratorConfig) -> str:
    """Name of the unit: word widths, then the words of its scratchpads."""
    words = f"{config.act_bits}x{config.weight_bits}_{config.acc_bits}"
    spads = f"{config.ifmap_spad}_{config.filter_spad}_{config.psum_spad}"
    return f"pe_rs_{words}_{spads}" + "_registered" * config.operand_registers


def spad_bits(config: AcceleratorConfig) -> tuple[int, int, int]:
    """Address bits of the ifmap, filter and psum scratchpad."""
    sizes = config.ifmap_spad, config.filter_spad, config.psum_spad
    ifmap, filters, psum = (max(1, ceil_log2(size)) for size in sizes)
    return ifmap, filters, psum


__all__ = ["RowStationaryPE", "pe_name", "spad_bits"]

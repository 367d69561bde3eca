"""Clock and reset of a board: straight from its oscillator, or through a PLL."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from stillflow.boards.fpga.board import Board
from stillflow.boards.fpga.clock import Ecp5Pll, Xc7Pll

_RESET_CYCLES = 64  # from power-on, where there is no PLL to wait for


def add_clock(m: Module, platform: Any, board: Board, lag: float | None) -> None:
    """Make the domain ``sync``; with a lag, ``sdram`` so much of a cycle behind it.

    Raises
    ------
    ValueError
        If the board has no PLL that can make the clock.
    """
    m.domains.sync = ClockDomain("sync")
    m.submodules.clock_pad = pad = io.Buffer(
        io.Direction.Input, platform.request(platform.default_clk, 0, dir="-")
    )
    pll = board.pll()
    if pll is None:
        waited = Signal(range(_RESET_CYCLES + 1), reset_less=True)
        resets = Signal(init=1, reset_less=True)
        m.d.comb += [ClockSignal().eq(pad.i), ResetSignal().eq(resets)]
        m.d.sync += resets.eq(waited != _RESET_CYCLES)
        with m.If(waited != _RESET_CYCLES):
            m.d.sync += waited.eq(waited + 1)
        return
    locked = _ecp5_pll(m, pad.i, pll, lag) if isinstance(pll, Ecp5Pll) else _xc7_pll(m, pad.i, pll)
    m.submodules.reset = ResetSynchronizer(~locked, domain="sync")


def _ecp5_pll(m: Module, source: Signal, pll: Ecp5Pll, lag: float | None) -> Signal:
    clock, lagging, locked = Signal(), Signal(), Signal()
    parameters = {f"p_{name}": value for name, value in pll.parameters(lag or 0).items()}
    m.submodules.pll = Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=f"{pll.source / 1e6:g}",
        a_FREQUENCY_PIN_CLKOP=f"{pll.frequency / 1e6:g}",
        a_FREQUENCY_PIN_CLKOS=f"{pll.frequency / 1e6:g}",
        **parameters,
        i_CLKI=source, i_CLKFB=clock, i_RST=0, i_STDBY=0, i_PHASESEL0=0, i_PHASESEL1=0,
        i_PHASEDIR=0, i_PHASESTEP=0, i_PHASELOADREG=0, i_PLLWAKESYNC=0, i_ENCLKOP=0,
        i_ENCLKOS=0,
        o_CLKOP=clock, o_CLKOS=lagging, o_LOCK=locked,
    )  # fmt: skip
    m.d.comb += ClockSignal().eq(clock)
    if lag is not None:
        m.domains.sdram = ClockDomain("sdram", reset_less=True)
        m.d.comb += ClockSignal("sdram").eq(lagging)
    return locked


def _xc7_pll(m: Module, source: Signal, pll: Xc7Pll) -> Signal:
    feedback, made, locked = Signal(), Signal(), Signal()
    m.submodules.pll = Instance(
        "PLLE2_BASE",
        p_CLKIN1_PERIOD=1e9 / pll.source,
        p_DIVCLK_DIVIDE=pll.input_divider,
        p_CLKFBOUT_MULT=pll.multiplier,
        p_CLKOUT0_DIVIDE=pll.output_divider,
        i_CLKIN1=source, i_CLKFBIN=feedback, i_RST=0, i_PWRDWN=0,
        o_CLKFBOUT=feedback, o_CLKOUT0=made, o_LOCKED=locked,
    )  # fmt: skip
    m.submodules.clock_buffer = Instance("BUFG", i_I=made, o_O=ClockSignal())
    return locked

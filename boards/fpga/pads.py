"""A board's pads and clock around a system, elaborated by the board's platform."""

from typing import Any

from amaranth.hdl import (
    Cat,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import io

from stillflow.boards.fpga.board import Board
from stillflow.boards.fpga.clocking import add_clock
from stillflow.hw.system.sdram_timing import WORD_BITS, SdramTiming

SYSTEM = "stillflow_system"  # module of the system's Verilog
_COMMAND_PINS = ("we", "cas", "ras")  # from the lowest bit
_GLOW_SECONDS = 0.1  # of the light that shows a byte


class BoardTop(Elaboratable):
    """Clock, reset, pads and lights; the system inside is an instance of module `SYSTEM`.

    Parameters
    ----------
    board : Board
        The board.
    """

    def __init__(self, board: Board) -> None:
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        """Connect pads."""
        m = Module()
        board, sdram = self.board, self.board.memory

        add_clock(m, platform, board, sdram.lag if isinstance(sdram, SdramTiming) else None)
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx_pad = receive = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx_pad = send = io.Buffer(io.Direction.Output, uart.tx)
        irq, heard = Signal(), Signal()
        pins: dict[str, Any] = {
            "i_clk": ClockSignal(), "i_rst": ResetSignal(), "i_i_rx": receive.i, "o_o_tx": send.o,
            "o_o_irq": irq, "o_o_heard": heard,
        }  # fmt: skip
        if isinstance(sdram, SdramTiming):
            pins |= self._sdram(m, platform, sdram)
        m.submodules.system = Instance(SYSTEM, **pins)

        glow = Signal(range(int(board.clock * _GLOW_SECONDS) + 1))
        with m.If(heard):
            m.d.sync += glow.eq(int(board.clock * _GLOW_SECONDS))
        with m.Elif(glow != 0):
            m.d.sync += glow.eq(glow - 1)
        for number, (port, value) in enumerate(
            zip(_lights(platform), (irq, glow != 0), strict=False)
        ):
            m.submodules[f"light_{number}"] = light = io.Buffer(io.Direction.Output, port)
            m.d.comb += light.o.eq(value)

        return m

    def _sdram(self, m: Module, platform: Any, timing: SdramTiming) -> dict[str, Any]:
        """Connect the SDRAM's pads; give the system's pins."""
        pads = platform.request("sdram", 0, dir="-")
        command, mask, drive = Signal(3), Signal(WORD_BITS // 8), Signal()
        address, bank = Signal(timing.row_bits), Signal(timing.bank_bits)
        sent, received = Signal(WORD_BITS), Signal(WORD_BITS)
        # A pad of an active-low pin inverts.
        values = {"clk_en": 1, "cs": 1, "a": address, "ba": bank, "dqm": mask}
        values |= {name: ~command[bit] for bit, name in enumerate(_COMMAND_PINS)}
        for name, value in values.items():
            m.submodules[f"sdram_{name}"] = pad = io.Buffer(
                io.Direction.Output, getattr(pads, name)
            )
            m.d.comb += pad.o.eq(value)
        m.submodules.sdram_dq = dq = io.Buffer(io.Direction.Bidir, pads.dq)
        m.d.comb += [dq.o.eq(sent), dq.oe.eq(drive), received.eq(dq.i)]
        clock: Any = io.DDRBuffer(io.Direction.Output, pads.clk, o_domain="sdram")
        m.submodules.sdram_clk = clock
        m.d.comb += Cat(clock.o[0], clock.o[1]).eq(0b01)
        return {
            "o_sdram_o_command": command, "o_sdram_o_address": address, "o_sdram_o_bank": bank,
            "o_sdram_o_mask": mask, "o_sdram_o_dq": sent, "o_sdram_o_dq_drive": drive,
            "i_sdram_i_dq": received,
        }  # fmt: skip


def _lights(platform: Any) -> list[Any]:
    """Take two lights of a board: single ones, or colours of one."""
    if ("led", 1) in platform.resources:
        return [platform.request("led", number, dir="-") for number in range(2)]
    colours = platform.request("rgb_led", 0, dir="-")
    return [colours.r, colours.g]

"""A board in its testbench: clocks, reset, and the UART's far end."""

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Timer

from stillflow.compiler.link import LinkTransport
from stillflow.hw.system.sdram_timing import SdramTiming
from stillflow.sim.board.line import UartLine
from stillflow.sim.board.settings import BoardSettings
from stillflow.sim.board.testbench import DqTiming

PERIOD_PS = 10_000  # where there is no SDRAM, that has a clock of its own


class Board:
    """The board in its testbench: clocks, reset, and the line.

    Attributes
    ----------
    line : UartLine
        The UART's far end.
    link : LinkTransport
        Over it.
    """

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.settings = BoardSettings.load()
        memory = self.settings.system.memory
        self.sdram = None if isinstance(memory, int) else memory
        self.period_ps = PERIOD_PS if self.sdram is None else _ps(self.sdram.period_ns)
        bit = self.settings.system.bit_cycles * self.period_ps
        self.line = UartLine(dut, bit, self.settings.seed)
        self.link = LinkTransport(self.line, seed=self.settings.seed)

    @classmethod
    async def start(cls, dut: Any, *, ready: bool = True) -> "Board":
        """Start the clocks and reset the board; wait until its memory is ready."""
        board = cls(dut)
        dut.rst.value = 1
        Clock(dut.clk, board.period_ps, "ps").start(start_high=True)
        if board.sdram is not None:
            cocotb.start_soon(board._sdram_clocks(board.sdram))
        await board.reset()
        if board.sdram is not None and ready:
            await Timer(_ps(1.1 * board.sdram.start_ns), "ps")
        return board

    async def reset(self) -> None:
        """Reset the board; an SDRAM keeps its words, but must be set up again."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 5)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 5)

    async def _sdram_clocks(self, timing: SdramTiming) -> None:
        # Both clocks begin some cycles later, at their distance from ours.
        dut, period = self.dut, self.period_ps
        _, rest, there = DqTiming.of(timing).edges(timing.period_ns)
        starts = [(_ps(timing.lag * timing.period_ns), dut.sdram_clk, period // 2),
                  (_ps(rest), dut.dq_clk, _ps(there))]  # fmt: skip
        dut.sdram_clk.value = dut.dq_clk.value = 0
        now = 0
        for delay, clock, high in sorted(starts, key=lambda start: start[0]):
            await Timer(period + delay - now if now == 0 else delay - now, "ps")
            now = delay
            Clock(clock, period, "ps", period_high=high).start(start_high=True)

    def check(self) -> None:
        """Hold the controller to the SDRAM's rules."""
        if self.sdram is not None:
            broken, last = int(self.dut.o_violations.value), int(self.dut.o_last_violation.value)
            assert broken == 0, f"{broken} rules of the SDRAM were broken, the last of kind {last}"


def _ps(ns: float) -> int:
    return 2 * round(ns * 500)

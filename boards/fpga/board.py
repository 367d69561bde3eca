"""What the boards are. Plain Python, without their platforms."""

from dataclasses import dataclass, replace

from stillflow.boards.errors import near
from stillflow.boards.fpga.clock import Ecp5Pll, Xc7Pll
from stillflow.boards.fpga.device import (
    ECP5_25F_8,
    ECP5_85F_6,
    GW1NR_9,
    ICE40UP5K,
    XC7A100T_1L,
    XC7Z020_1,
    Device,
)
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.presets import PRESETS
from stillflow.hw.system.sdram_timing import SdramTiming
from stillflow.hw.system.system_config import SystemConfig

BAUD = 1_000_000
_LARGEST_BAUD_ERROR = 0.02


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board; its preset has its name.

    Parameters
    ----------
    name, title : str
        On the command line, and in tables.
    platform : str
        Class in amaranth-boards: ``module:Class``.
    device : Device
        The FPGA.
    oscillator, clock : float
        Hz, on the board and of the design.
    memory : int | SdramTiming | None
        Bytes of block RAM for tensors and program, or an SDRAM. None: the accelerator is a core
        beside a processor, with AXI ports to the processor's memory.
    alignment : int
        Of what lies in memory, see `stillflow.compiler.program.compile_network`.
    uart : tuple[str, str] | None
        Pins of a connector for a UART's rx and tx, where the board has no UART of its own.
    """

    name: str
    title: str
    platform: str
    device: Device
    oscillator: float
    clock: float
    memory: int | SdramTiming | None
    alignment: int = 4096
    uart: tuple[str, str] | None = None

    @property
    def bitstream(self) -> str:
        """File name of its bitstream."""
        return f"{self.name}.{self.device.bitstream}"

    def system(self, accelerator: AcceleratorConfig | None = None) -> SystemConfig:
        """Give what the board holds; by default with its preset.

        Raises
        ------
        ValueError
            If there is no memory for a system, or the clock cannot make the UART's.
        """
        if self.memory is None:
            raise ValueError(f"{self.name} is a core beside a processor, without UART and memory")
        bit_cycles = round(self.clock / BAUD)
        if bit_cycles < 4 or abs(self.clock / bit_cycles / BAUD - 1) > _LARGEST_BAUD_ERROR:
            raise ValueError(
                f"clock must make {BAUD} baud within {_LARGEST_BAUD_ERROR:.0%}, "
                f"not {self.clock / 1e6:g} MHz"
            )
        return SystemConfig(
            accelerator=accelerator or PRESETS[self.name],
            memory=self.memory,
            bit_cycles=bit_cycles,
        )

    def pll(self) -> Ecp5Pll | Xc7Pll | None:
        """Find the PLL's dividers; none where the oscillator's clock is the design's.

        Raises
        ------
        ValueError
            If there is no PLL that can make the clock.
        """
        if self.clock == self.oscillator and not isinstance(self.memory, SdramTiming):
            return None
        find = {"ecp5": Ecp5Pll.find, "xc7": Xc7Pll.find}.get(self.device.target)
        if find is None:
            oscillator = f"{self.oscillator / 1e6:g} MHz"
            raise ValueError(f"clock must be the oscillator's {oscillator} on {self.name}")
        return find(self.oscillator, self.clock)

    def at(self, clock: float) -> "Board":
        """Give the board with another clock.

        Raises
        ------
        ValueError
            If its memory cannot have that clock.
        """
        memory = self.memory
        if isinstance(memory, SdramTiming):
            memory = memory.at(clock)
        return replace(self, clock=clock, memory=memory)


#: IS42S16160G-7 and devices like it: 32 MiB.
_SDRAM_32M = SdramTiming(clock=50e6, row_bits=13, column_bits=9, bank_bits=2)

#: Every board by its name.
BOARDS = {
    board.name: board
    for board in (
        Board(
            name="icebreaker", title="iCEBreaker, iCE40UP5K",
            platform="icebreaker:ICEBreakerPlatform", device=ICE40UP5K,
            oscillator=12e6, clock=12e6, memory=128 << 10, alignment=128,
        ),
        Board(
            name="ulx3s", title="ULX3S, ECP5-85F -6", platform="ulx3s:ULX3S_85F_Platform",
            device=ECP5_85F_6, oscillator=25e6, clock=25e6, memory=_SDRAM_32M.at(25e6),
        ),
        Board(
            name="orangecrab", title="OrangeCrab r0.2, ECP5-25F -8",
            platform="orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
            device=ECP5_25F_8, oscillator=48e6, clock=24e6, memory=80 << 10, alignment=128,
            uart=("0", "1"),
        ),
        Board(
            name="tangnano9k", title="Tang Nano 9K, GW1NR-9",
            platform="tang_nano_9k:TangNano9kPlatform", device=GW1NR_9,
            oscillator=27e6, clock=27e6, memory=28 << 10, alignment=128,
        ),
        Board(
            name="arty_a7_100", title="Arty A7-100, XC7A100T -1L",
            platform="arty_a7:ArtyA7_100Platform", device=XC7A100T_1L,
            oscillator=100e6, clock=25e6, memory=256 << 10, alignment=128,
        ),
        Board(
            name="arty_z7", title="Arty Z7-20, XC7Z020 -1", platform="arty_z7:ArtyZ720Platform",
            device=XC7Z020_1, oscillator=125e6, clock=25e6, memory=None,
        ),
    )
}  # fmt: skip


def find_board(name: str) -> Board:
    """Find a board.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in BOARDS:
        known = ", ".join(BOARDS)
        raise ValueError(f"BOARD must be one of {known}, not {name!r}{near(name, BOARDS)}")
    return BOARDS[name]

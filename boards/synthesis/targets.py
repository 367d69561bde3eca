"""FPGA families: how Yosys synthesises for them and what their cells are."""

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache


class Kind(Enum):
    """Part that a cell plays on a path."""

    LUT = "lut"  # one level
    MUX = "mux"  # wired to its LUTs: no level of its own
    CARRY = "carry"  # one level to enter with its LUT, none along the chain
    BARE_CARRY = "bare carry"  # the LUTs around it are cells of their own
    DSP = "dsp"  # one level, unless it uses its registers
    LUTRAM = "lutram"  # one level from the read address; writes are clocked
    FLIP_FLOP = "flip-flop"
    SHIFT = "shift register"  # of a LUT
    RAM = "ram"  # clocked reads and writes


@dataclass(frozen=True)
class Cell:
    """Cells of a family.

    Parameters
    ----------
    names : str
        Types or shell patterns of them, separated by spaces.
    kind : Kind
        What they are.
    luts : int
        LUT sites that one takes.
    rams : int
        Block RAMs, in the family's smallest unit.
    """

    names: str
    kind: Kind
    luts: int = 0
    rams: int = 0


_BEHIND = "stillflow_hidden"  # type of a primitive while synthesis must not see it


@dataclass(frozen=True, kw_only=True)
class Target:
    """An FPGA family.

    Parameters
    ----------
    name : str
        As on the command line.
    command : str
        Yosys' synthesis command, without hierarchy options.
    blocks, whole : str
        Options that keep or dissolve the hierarchy.
    lut, ram : str
        What a LUT and a block RAM are called.
    cells : tuple[Cell, ...]
        The first that fits counts.
    hidden : str
        A primitive that is kept out of the sight of the synthesis command, if any.
    models : str
        Yosys' file that declares it.
    products : tuple[str, ...]
        Yosys commands that map products before the synthesis command's ``coarse`` part, if that
        does not do it rightly itself.
    """

    name: str
    command: str
    blocks: str = "-noflatten"
    whole: str = ""
    lut: str
    ram: str
    cells: tuple[Cell, ...]
    hidden: str = ""
    models: str = ""
    products: tuple[str, ...] = ()

    def synthesis(self, *, flatten: bool) -> str:
        """Yosys command with its hierarchy option."""
        return f"{self.command} {self.whole if flatten else self.blocks}".strip()

    def commands(self, top: str, *, flatten: bool) -> tuple[str, ...]:
        """Yosys commands that map a design that has been read."""
        command = f"{self.synthesis(flatten=flatten)} -top {top}"
        if self.products:
            return (f"{command} -run begin:coarse", *self.products, f"{command} -run coarse:")
        if not self.hidden:
            return (command,)
        return (
            f"read_verilog -lib {self.models}",
            f"rename {self.hidden} {_BEHIND}",
            f"chtype -map {self.hidden} {_BEHIND}",
            command,
            f"chtype -map {_BEHIND} {self.hidden}",
        )

    def cell(self, name: str) -> Cell:
        """Find what a cell type is; an unknown one is a level of logic that takes no site."""
        return _find(self, name) or Cell(name, Kind.LUT)

    def knows(self, name: str) -> bool:
        """Whether the target has such a cell."""
        return _find(self, name) is not None


@cache
def _find(target: Target, name: str) -> Cell | None:
    for cell in (*target.cells, _WIRING):
        if any(fnmatchcase(name, pattern) for pattern in cell.names.split()):
            return cell
    return None


_WIRING = Cell("VCC GND $*", Kind.MUX)
_ECP5 = Target(
    name="ecp5",
    command="synth_ecp5",
    lut="LUT4",
    ram="DP16KD",
    cells=(
        Cell("LUT4", Kind.LUT, luts=1),
        Cell("PFUMX L6MUX21", Kind.MUX),
        Cell("CCU2C", Kind.CARRY, luts=2),
        Cell("TRELLIS_FF", Kind.FLIP_FLOP),
        Cell("TRELLIS_DPR16X4", Kind.LUTRAM, luts=6),
        Cell("MULT* ALU54B", Kind.DSP),
        Cell("DP16KD PDPW16KD", Kind.RAM, rams=1),
    ),
)
_MAC16 = (
    "-D DSP_NAME=$__MUL16X16 -D DSP_A_MAXWIDTH=16 -D DSP_B_MAXWIDTH=16"
    " -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=11"
)
_ICE40 = Target(
    name="ice40",
    command="synth_ice40 -spram",
    # What -dsp does, but for its last pass, ice40_dsp: that takes registers and adders into an
    # SB_MAC16, loses one of two products that are added, and makes one that is there an unclocked
    # 16x16 (see also yosys#2922).
    products=(
        "opt -nodffe -nosdff",
        "wreduce",
        "peepopt",
        "opt_clean",
        f"techmap -map +/mul2dsp.v -map +/ice40/dsp_map.v {_MAC16}",
        "setattr -unset mul2dsp a:mul2dsp",
        "chtype -set $mul t:$__soft_mul",
    ),
    lut="LUT4",
    ram="RAM40_4K",
    cells=(
        Cell("SB_LUT4", Kind.LUT, luts=1),
        Cell("SB_CARRY", Kind.BARE_CARRY),
        Cell("SB_DFF*", Kind.FLIP_FLOP),
        Cell("SB_MAC16", Kind.DSP),
        Cell("SB_RAM40*", Kind.RAM, rams=1),
        Cell("SB_SPRAM256KA", Kind.RAM),
    ),
)
_XC7 = Target(
    name="xc7",
    command="synth_xilinx -family xc7 -noiopad -noclkbuf",
    # xilinx_dsp puts registers around a DSP48E1 that is there into it, and sums come out wrong.
    hidden="DSP48E1",
    models="+/xilinx/cells_sim.v",
    blocks="",
    whole="-flatten",
    lut="LUT6",
    ram="RAMB18",
    cells=(
        Cell("LUT[1-6] INV", Kind.LUT, luts=1),
        Cell("MUXF[789]", Kind.MUX),
        Cell("CARRY4", Kind.BARE_CARRY),
        Cell("FD*", Kind.FLIP_FLOP),
        Cell("SRL*", Kind.SHIFT, luts=1),
        Cell("RAM32M RAM64M RAM128X1D", Kind.LUTRAM, luts=4),
        Cell("RAM32X1D RAM64X1D", Kind.LUTRAM, luts=2),
        Cell("DSP48E1", Kind.DSP),
        Cell("RAMB18E1", Kind.RAM, rams=1),
        Cell("RAMB36E1", Kind.RAM, rams=2),
    ),
)
_GOWIN = Target(
    name="gowin",
    command="synth_gowin -noiopads -nowidelut",
    lut="LUT4",
    ram="BSRAM",
    cells=(
        Cell("LUT[1-4]", Kind.LUT, luts=1),
        Cell("MUX2_LUT*", Kind.MUX),
        Cell("ALU", Kind.CARRY, luts=1),
        Cell("DFF*", Kind.FLIP_FLOP),
        Cell("RAM16S*", Kind.LUTRAM, luts=8),
        Cell("MULT* ALU54D MULTALU* MULTADDALU*", Kind.DSP),
        Cell("DPB DPX9B SDPB SDPX9B SP SPX9 pROM pROMX9", Kind.RAM, rams=1),
    ),
)

#: Every target by its name.
TARGETS = {target.name: target for target in (_ECP5, _ICE40, _XC7, _GOWIN)}

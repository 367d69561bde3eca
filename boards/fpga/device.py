"""FPGAs that boards have: what they hold, and the tools that fill them. Plain Python."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA.

    Parameters
    ----------
    target : str
        Family, as of `stillflow synth`.
    luts, ffs, dsps, rams : int
        What it has, in the units of the target's columns.
    level_ns : float
        A level of logic with its wires, about: for estimates.
    place_and_route : tuple[str, ...]
        nextpnr's command with the device's options; none where only the vendor's tool can.
    constraints : str
        Ending of the file with pins, and nextpnr's option for it.
    routed : str
        nextpnr's option for what the packer takes.
    pack : tuple[str, ...]
        Command that makes the bitstream.
    bitstream : str
        Its ending.
    """

    target: str
    luts: int
    ffs: int
    dsps: int
    rams: int
    level_ns: float
    place_and_route: tuple[str, ...] = ()
    constraints: str = ""
    routed: str = ""
    pack: tuple[str, ...] = ()
    bitstream: str = ""


def _ecp5(size: str, package: str, speed: str, level_ns: float, **holds: int) -> Device:
    return Device(
        target="ecp5", **holds, level_ns=level_ns,
        place_and_route=("nextpnr-ecp5", f"--{size}", "--package", package, "--speed", speed),
        constraints="lpf", routed="textcfg", pack=("ecppack", "--compress"), bitstream="bit",
    )  # fmt: skip


# Levels of ECP5: 22 of them took 31 ns in a -6 device; the others are guesses from data sheets.
ECP5_85F_6 = _ecp5(
    "85k", "CABGA381", "6", 1.4, luts=83_640, ffs=83_640, dsps=156, rams=208
)  # fmt: skip
ECP5_25F_8 = _ecp5(
    "25k", "CSFBGA285", "8", 1.1, luts=24_288, ffs=24_288, dsps=28, rams=56
)  # fmt: skip
ICE40UP5K = Device(
    target="ice40", luts=5_280, ffs=5_280, dsps=8, rams=30, level_ns=2.5,
    place_and_route=("nextpnr-ice40", "--up5k", "--package", "sg48"),
    constraints="pcf", routed="asc", pack=("icepack",), bitstream="bin",
)  # fmt: skip
GW1NR_9 = Device(
    target="gowin", luts=8_640, ffs=6_480, dsps=20, rams=26, level_ns=1.8,
    place_and_route=("nextpnr-himbaechel-gowin", "--device", "GW1NR-LV9QN88PC6/I5",
                     "--vopt", "family=GW1N-9C"),
    constraints="cst", routed="write", pack=("gowin_pack", "-d", "GW1N-9C", "-o"), bitstream="fs",
)  # fmt: skip
XC7A100T_1L = Device(
    target="xc7", luts=63_400, ffs=126_800, dsps=240, rams=270, level_ns=1.2
)  # fmt: skip
XC7Z020_1 = Device(
    target="xc7", luts=53_200, ffs=106_400, dsps=220, rams=280, level_ns=1.1
)  # fmt: skip

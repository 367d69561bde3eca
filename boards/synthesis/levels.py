"""Depth of a mapped netlist, in levels of logic."""

from collections.abc import Iterable, Mapping

from stillflow.boards.synthesis.netlist import Leaf, Net
from stillflow.boards.synthesis.paths import Arc, Ways
from stillflow.boards.synthesis.targets import Kind, Target

_PRICES = {Kind.LUT: 1, Kind.CARRY: 1, Kind.DSP: 1, Kind.LUTRAM: 1, Kind.MUX: 0, Kind.BARE_CARRY: 0}
_CLOCKED = (Kind.FLIP_FLOP, Kind.SHIFT, Kind.RAM)
_CARRY_INPUTS = ("CIN", "CI", "CYINIT")
_READ_ADDRESS = ("RAD", "ADDR", "DPRA", "A")  # beginnings of port names
_OFF = ("", "NONE", "BYPASS", "0")


def level_ways(target: Target) -> Ways:
    """Count levels: a LUT, a DSP, a LUT RAM or a carry chain is one, wired multiplexers none."""

    def ways(leaf: Leaf) -> tuple[Iterable[Arc], Iterable[Net]]:
        kind = target.cell(leaf.type).kind
        if leaf.type == "$port" or kind in _CLOCKED:
            return (), _nets(leaf.inputs)
        if kind is Kind.DSP and _is_registered(leaf):
            return (), _nets(leaf.inputs)
        price, ends, starts = _PRICES[kind], [], []
        for port, nets in leaf.inputs.items():
            if kind is Kind.LUTRAM and not port.startswith(_READ_ADDRESS):
                ends += nets
            else:
                chained = kind is Kind.CARRY and port in _CARRY_INPUTS
                starts += [(net, 0 if chained else price) for net in nets]
        return (Arc(tuple(starts), tuple(_nets(leaf.outputs))),), ends

    return ways


def _nets(ports: Mapping[str, list[Net]]) -> list[Net]:
    return [net for nets in ports.values() for net in nets]


def _is_registered(leaf: Leaf) -> bool:
    return any(
        "REG" in name and "RESET" not in name and value.lstrip("0") not in _OFF
        for name, value in leaf.parameters.items()
    )

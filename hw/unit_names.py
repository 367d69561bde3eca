"""Names where Amaranth has none, or numbers."""

import re
from collections.abc import Container, Iterator
from typing import Any, cast

from amaranth.hdl import Instance, Signal

# Amaranth's names of ports that are no signal of their module, as connected in it and around it.
_NUMBERED = re.compile(r"\\(port\$\d+\$\d+)(?!\S)")
_NUMBERED_INSIDE = re.compile(
    r"^connect \\(?P<name>\w+(?:\[\d+\])?) \\(?P<port>port\$\d+\$\d+) \[(?:\d+:)?0\]$", re.MULTILINE
)
_NUMBERED_OUTSIDE = re.compile(
    r"^    connect \\(?P<port>port\$\d+\$\d+) \\(?P<name>\w+)(?: \[[\d:]+\])?$", re.MULTILINE
)
# An output that goes into a wire without a name, and what is made of such wires or of ports.
_NUMBERED_WIRE = re.compile(
    r"^    connect \\(?P<port>port\$\d+\$\d+) (?P<wire>\$\d+)(?: \[[\d:]+\])?$", re.MULTILINE
)
_PARTS = re.compile(r"^connect \\(?P<name>[\w.$]+) (?P<parts>.*\$\d.*)$", re.MULTILINE)
_PART = re.compile(r"(?<= )\\?((?:port)?\$\d+(?:\$\d+)?)(?!\S)")


def name_wires(fragment: Any, units: Container[str]) -> None:
    """Name the outputs of instances after them; inputs need no wire of their own."""
    for inner, name, _ in fragment.subfragments:
        if isinstance(inner, Instance) and cast(Any, inner).type in units:
            for port, (value, kind) in cast(Any, inner).ports.items():
                if isinstance(value, Signal):
                    value.name = f"{name}_{port}" if kind == "o" else ""
        name_wires(inner, units)


def name_ports(rtlil: str) -> str:
    """Call ports that have the numbers of cells after what is connected to them."""
    names: dict[str, str] = {}
    for port, wire in _connected(rtlil):
        if port not in names:
            name = "port_" + re.sub(r"\W+", "_", wire.partition("$")[0]).strip("_")
            while name in names.values():
                name += "_"
            names[port] = name
    return _NUMBERED.sub(lambda match: "\\" + names.get(match[1], match[1]), rtlil)


def _connected(rtlil: str) -> Iterator[tuple[str, str]]:
    """Yield ports and what is connected to them, whole signals first."""
    for pattern in (_NUMBERED_INSIDE, _NUMBERED_OUTSIDE):
        for match in pattern.finditer(rtlil):
            yield match["port"], match["name"]
    for module in rtlil.split("\nend\n"):
        wires = {match["wire"]: match["port"] for match in _NUMBERED_WIRE.finditer(module)}
        for line in _PARTS.finditer(module):
            for part in _PART.findall(line["parts"].join("  ")):
                port = wires.get(part, part)
                if port.startswith("port$"):
                    yield port, line["name"]

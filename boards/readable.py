"""Verilog for people, from what Yosys writes."""

import re
from collections.abc import Iterator
from itertools import groupby

from stillflow.boards.expressions import (
    DECLARED,
    NAME,
    NUMBERED,
    PLACE,
    WIDEST_LINE,
    move_expressions,
)

_ALWAYS = re.compile(r"  always @\([^*]*\)")
#: A branch of an always block: its condition, what happens then.
_BRANCH = re.compile(rf"    ((?:else )?(?:if \(.*\) )?)({NAME}(?:{PLACE})? <= .*;)")
_REPEATED = re.compile(rf"(?<=[{{,] )({NAME}(?:\[\d+\])?|\d+'\w+)((?:, \1(?=,| \}}))+)")


def readable(text: str) -> str:
    """Rewrite a module as Yosys writes it: expressions, ports in the header, registers together.

    Parameters
    ----------
    text : str
        From ``module`` to ``endmodule``, with plain names.

    Returns
    -------
    str
        The same circuit.
    """
    lines = move_expressions(text).splitlines()
    for rewrite in (_ports_in_header, _wires_together, _registers_together):
        lines = list(rewrite(lines))
    return "".join(f"{_REPEATED.sub(_repeat, line)}\n" for line in lines)


def _repeat(match: re.Match[str]) -> str:
    times = match[2].count(",") + 1
    return f"{{{times}{{{match[1]}}}}}" if times > 2 else match[0]


def _ports_in_header(lines: list[str]) -> Iterator[str]:
    """Declare each port once, where the header lists it."""
    end = next(number for number, line in enumerate(lines) if line.endswith(");"))
    name, _, listed = "".join(lines[: end + 1]).removesuffix(");").partition("(")
    ports = dict.fromkeys(re.findall(NAME, listed), "")
    rest = []
    for line in lines[end + 1 :]:
        match = DECLARED.fullmatch(line)
        if match is None or match[4] not in ports:
            rest.append(line)
        elif match[1] == "reg":
            ports[match[4]] = line.replace("  reg", "  output reg", 1)[:-1]
        elif match[1] != "wire":
            ports[match[4]] = line[:-1]
    yield f"{name}(" if ports else f"{name};"
    yield from ",\n".join(ports.values()).splitlines()
    yield from ([");"] if ports else [])
    yield from rest


def _registers_together(lines: list[str]) -> Iterator[str]:
    """Write registers with the same clock, reset and enable in one block."""
    blocks: dict[tuple[str, ...], list[list[str]]] = {}
    places: list[str | tuple[str, ...]] = []
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        branches = []
        if _ALWAYS.fullmatch(line):
            while match := _BRANCH.fullmatch(lines[at]):
                branches.append(match)
                at += 1
        if not branches:
            places.append(line)
            continue
        kind = (line, *(match[1] for match in branches))
        if kind not in blocks:
            blocks[kind] = []
            places.append(kind)
        blocks[kind].append([match[2] for match in branches])
    for place in places:
        if isinstance(place, str):
            yield place
        else:
            yield from _block(place, blocks[place])


def _block(kind: tuple[str, ...], registers: list[list[str]]) -> Iterator[str]:
    """Write an always block: its head and, for each branch, a condition and what happens then."""
    always, *conditions = kind
    yield always
    if len(registers) == 1:
        yield from (f"    {c}{what}" for c, what in zip(conditions, registers[0], strict=True))
        return
    ends = ""
    for number, condition in enumerate(conditions):
        yield f"    {ends}{condition}begin"
        yield from (f"      {branches[number]}" for branches in registers)
        ends = "end "
    yield "    end"


def _wires_together(lines: list[str]) -> Iterator[str]:
    """Declare numbered wires of one width together."""

    def kind(line: str) -> str:
        match = DECLARED.fullmatch(line)
        numbered = match and match[1] == "wire" and NUMBERED.fullmatch(match[4])
        return line.rpartition(" ")[0] if numbered else ""

    numbered = {line for line in lines if kind(line)}
    first = True
    for line in lines:
        if line not in numbered:
            yield line
        elif first:
            first = False
            for ahead, same in groupby(sorted(numbered, key=kind), key=kind):
                row = ahead
                for name in sorted(one.rpartition(" ")[2][:-1] for one in same):
                    if len(row) + len(name) + 3 > WIDEST_LINE:
                        yield f"{row[:-1]};"
                        row = ahead
                    row += f" {name},"
                yield f"{row[:-1]};"

"""Verilog with expressions: Yosys writes an operator a line, and a wire for what it gives.

A wire that is read once goes where it is read. What an expression means depends on its place: in an
assignment, operands are extended to the widest of them and of the target before anything is done
(IEEE 1364-2005, clause 5.4), in a condition or a concatenation they are not. So an expression moves
where it has as many bits as the wire had and is not extended, or where zeros come above it
in any case. Signed arithmetic stays where it is.
"""

import re
from collections import Counter
from dataclasses import dataclass

WIDEST_LINE = 100
#: Names, those of wires that Yosys numbers, bits of one; a declaration.
NAME = r"[A-Za-z_]\w*"
NUMBERED = re.compile(r"\b_\d+_(?!\w)")
PLACE = r"\[\d+(?::\d+)?\]"
_ATOM = rf"(?:\d+'[bdh][0-9a-fx]+|{NAME}(?:{PLACE})?|\{{ [^{{}}]* \}})"
_OPERAND = rf"(?:\$signed\({_ATOM}\)|{_ATOM})"
DECLARED = re.compile(
    rf"  (input|output|wire|reg) (signed )?(?:\[(\d+):0\] )?({NAME})(?: = [^;]+)?;"
)
_SINGLE = re.compile(_OPERAND)
_UNARY = re.compile(rf"([~!&|^-]) ({_OPERAND})")
_BINARY = re.compile(rf"({_OPERAND}) (\S{{1,3}}) ({_OPERAND})")
_CHOICE = re.compile(rf"({_OPERAND}) \? ({_OPERAND}) : ({_OPERAND})")
#: Statements with operands: before them, the operand, behind it.
_ASSIGN = re.compile(rf"  assign ({_ATOM}) = (.*);")
_CONDITION = re.compile(rf"(    (?:else )?if \()({_ATOM})(\).*)")
_CLOCKED = re.compile(rf"(.* )({NAME}(?:{PLACE})?)( <= )({_ATOM})(;)")
_CONNECTED = re.compile(rf"(    \.{NAME}\()({_ATOM})(\),?)")
_COMPARISONS = {"==", "!=", "<", ">", "<=", ">="}
_SHIFTS = {"<<", ">>", "<<<", ">>>"}
#: Operators with zeros above where their operands have them.
_ZEROS_STAY = {"&", "|", "^", ">>", "?"}


@dataclass(frozen=True)
class _Expression:
    """An operand's text and bits.

    ``zeros``: if it is extended, there are zeros above. ``alone``: it needs no parentheses.
    ``chooses``: it is a choice, perhaps in parentheses.
    """

    text: str
    bits: int
    zeros: bool = True
    alone: bool = True
    chooses: bool = False


class _Module:
    """Lines of a module while expressions move; those that become None are gone."""

    def __init__(self, text: str) -> None:
        self.lines: list[str | None] = list(text.splitlines())
        self.bits: dict[str, int] = {}
        self.declared: dict[str, int] = {}
        given: dict[str, int] = {}
        for number, line in enumerate(text.splitlines()):
            if match := DECLARED.fullmatch(line):
                self.declared[match[4]] = number
                if not match[2]:  # what is signed stays, and what it is in
                    self.bits[match[4]] = int(match[3] or 0) + 1
            elif match := _ASSIGN.fullmatch(line):
                given[match[1]] = number
        uses = Counter(NUMBERED.findall(text))
        # Declared, given and read: the wires that may go.
        self.given = {
            name: line
            for name, line in given.items()
            if uses[name] == 3 and name in self.declared and NUMBERED.fullmatch(name)
        }
        self.made: dict[str, _Expression | None] = {}

    def run(self) -> str:
        """Move what can move."""
        for number, line in enumerate(self.lines):
            if line is None:
                continue
            if match := _ASSIGN.fullmatch(line):
                if match[1] not in self.given:
                    self.assign(number)
            elif match := _CONNECTED.fullmatch(line):
                self.replace(number, match[1], match[2], match[3], None)
            else:
                self.clocked(number, line)
        for name in list(self.given):
            self.define(name)
        return "".join(f"{line}\n" for line in self.lines if line is not None)

    def clocked(self, number: int, line: str) -> None:
        """Move expressions into a line of an always block: a condition, an assignment or both."""
        if match := _CLOCKED.fullmatch(line):
            ahead = f"{match[1]}{match[2]}{match[3]}"
            context = self.width(match[2])
            if context is not None:
                self.replace(number, ahead, match[4], match[5], context)
        if match := _CONDITION.fullmatch(self.lines[number] or ""):
            self.replace(number, match[1], match[2], match[3], None)

    def replace(
        self, number: int, ahead: str, operand: str, behind: str, context: int | None
    ) -> None:
        """Move expressions into an operand of a line."""
        room = WIDEST_LINE - len(ahead) - len(operand) - len(behind)
        if self.width(operand) is not None:
            new = self.operand(operand, context, room)
            self.lines[number] = f"{ahead}{_bare(new.text)}{behind}"

    def assign(self, number: int) -> _Expression | None:
        """Move expressions into what a line assigns; None if nothing may be known of it."""
        match = _ASSIGN.fullmatch(self.lines[number] or "")
        assert match is not None
        target = self.width(match[1])
        room = WIDEST_LINE - len(match[0])
        new = None if target is None else self.expression(match[2], target, room)
        if new is not None:
            self.lines[number] = f"  assign {match[1]} = {new.text};"
        return new

    def define(self, name: str) -> _Expression | None:
        """Move expressions into what a numbered wire is given, once."""
        if name not in self.made:
            self.made[name] = None  # while it is looked at: a loop stays
            self.made[name] = self.assign(self.given[name])
        return self.made[name]

    def operand(self, text: str, context: int | None, room: int) -> _Expression:
        """Replace an operand, if that means the same and there is room.

        Parameters
        ----------
        text : str
            The operand.
        context : int, optional
            Bits to which it is extended; without, it stands for itself.
        room : int
            Characters that may be added.
        """
        if text.startswith("$signed("):
            inner = self.operand(text[8:-1], None, room)
            return _Expression(f"$signed({_bare(inner.text)})", inner.bits, zeros=False)
        if text[0] == "{":
            return self.joined(text, room)
        kept = _Expression(text, self.width(text) or 0)
        made = self.define(text) if text in self.given else None
        if (
            made is None
            or made.bits != kept.bits
            or not (made.zeros or context in (None, made.bits))
        ):
            return kept
        new = made.text if made.alone else f"({made.text})"
        if len(new) - len(text) > room:
            return kept
        self.lines[self.given.pop(text)] = self.lines[self.declared[text]] = None
        return _Expression(new, made.bits, made.zeros, chooses=made.chooses)

    def joined(self, text: str, room: int) -> _Expression:
        """Replace the parts of a concatenation."""
        parts = []
        for part in text[2:-2].split(", "):
            parts.append(self.operand(part, None, room))
            room -= len(parts[-1].text) - len(part)
        bits = sum(part.bits for part in parts)
        return _Expression(f"{{ {', '.join(_bare(part.text) for part in parts)} }}", bits)

    def expression(self, text: str, target: int, room: int) -> _Expression | None:
        """Replace the operands of what is assigned to ``target`` bits."""
        if match := _SINGLE.fullmatch(text):
            operator, operands = "", match.group(0, 0)[:1]
        elif match := _UNARY.fullmatch(text):
            operator, operands = match[1], match.group(2, 2)[:1]
        elif match := _BINARY.fullmatch(text):
            operator, operands = match[2], match.group(1, 3)
        elif match := _CHOICE.fullmatch(text):
            operator, operands = "?", match.group(1, 2, 3)
        else:
            return None
        widths = [self.width(operand) for operand in operands]
        if None in widths:
            return None
        made = []
        for operand, context in zip(
            operands, _contexts(operator, [w or 0 for w in widths], target), strict=True
        ):
            made.append(self.operand(operand, context, room))
            room -= len(made[-1].text) - len(operand)
        return _result(operator, made)

    def width(self, text: str) -> int | None:
        """Bits of an operand as it stands; None if a name is not known."""
        if text.startswith("$signed("):
            return self.width(text[8:-1])
        if text[0] == "{":
            parts = [self.width(part) for part in text[2:-2].split(", ")]
            return None if None in parts else sum(part or 0 for part in parts)
        if "'" in text:
            return int(text.partition("'")[0])
        name, _, place = text.partition("[")
        if not place or name not in self.bits:
            return self.bits.get(name)
        high, _, low = place[:-1].partition(":")
        return int(high) - int(low or high) + 1


def _contexts(operator: str, widths: list[int], target: int) -> list[int | None]:
    """Bits to which each operand is extended."""
    if operator in _COMPARISONS:
        return [max(widths)] * 2
    if operator in _SHIFTS:
        return [max(target, widths[0]), None]
    if operator == "?":
        return [None, *[max(target, *widths[1:])] * 2]
    if len(widths) == 1 and operator in ("!", "&", "|", "^"):
        return [None]
    return [max(target, *widths)] * len(widths)


def _result(operator: str, operands: list[_Expression]) -> _Expression:
    """Describe an operator with its operands."""
    texts = [operand.text for operand in operands]
    alone, reduces = not operator, len(texts) == 1 and operator in ("!", "&", "|", "^")
    if operator == "?":
        last = _bare(texts[2]) if operands[2].chooses else texts[2]
        text = f"{texts[0]} ? {texts[1]} : {last}"
        operands = operands[1:]
    elif len(texts) == 2:
        text = f"{texts[0]} {operator} {texts[1]}"
    elif operator in ("~", "!"):
        alone = texts[0][0] not in "~!"
        text = operator + (texts[0] if alone else f"({texts[0]})")
    else:
        text = f"{operator} {texts[0]}".lstrip()
    if operator in _COMPARISONS or reduces:
        return _Expression(text, 1, alone=alone)
    if any(operand.text.startswith("$signed(") for operand in operands):
        return _Expression(text, 0)  # as wide as no wire: it stays
    if operator in _SHIFTS:
        operands = operands[:1]
    stay = not operator or operator in _ZEROS_STAY
    zeros = stay and all(operand.zeros for operand in operands)
    bits = max(operand.bits for operand in operands)
    return _Expression(text, bits, zeros, alone, operator == "?")


def _bare(text: str) -> str:
    """Leave out the parentheses around an operand that has nothing beside it."""
    return text[1:-1] if text[0] == "(" else text


def move_expressions(text: str) -> str:
    """Move expressions in a module.

    Parameters
    ----------
    text : str
        As Yosys writes it, with plain names.

    Returns
    -------
    str
        The same circuit; numbered wires that are read once are gone, where that is possible.
    """
    return _Module(text).run()

"""Several signals at once, each with its name; a signal some cycles later; a multiple of one."""

from typing import Any

from amaranth.hdl import Module, Signal, Value


def signals(names: str, shape: Any = 1) -> list[Any]:
    """Make signals of one shape, named as in ``first, second = signals("first second", 8)``.

    Amaranth finds out a signal's name from a plain assignment, but not when several are assigned
    in one statement. A shape with fields gives its own view of the signal.
    """
    return [Signal(shape, name=name) for name in names.split()]


def delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """Give a value some cycles later."""
    for stage in range(cycles):
        later = Signal(value.shape(), name=f"{name}_{stage + 1}")
        m.d.sync += later.eq(value)
        value = later
    return value


def times(value: Value, constant: int) -> Value:
    """Multiply an unsigned value by a positive constant, with shifts and a tree of adders.

    Yosys takes a multiplier for a product with a constant, and so does who reads its report.
    """
    terms: list[Value] = [
        value << bit for bit in range(constant.bit_length()) if constant >> bit & 1
    ]
    while len(terms) > 1:
        terms = [sum(terms[i + 1 : i + 2], terms[i]) for i in range(0, len(terms), 2)]
    return terms[0]

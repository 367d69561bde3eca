"""Standard cells: a product as the sum of its rows, without bits that only extend a sign.

Synthesis that takes ``a * b`` of signed words extends each row to the width of the product; here
the rows' signs are inverted and constants make up for it (Baugh and Wooley, "A Two's Complement
Parallel Array Multiplication Algorithm", IEEE Transactions on Computers C-22, 1973).
"""

from stillflow.boards.multipliers.text import Words, instance
from stillflow.boards.verilog import CLOCK_GATE, LEAST_GATED


def single(words: Words, *, gates_clocks: bool = False) -> str | None:
    """Write the module of one multiplier; None if a word is a sign alone.

    Parameters
    ----------
    words : Words
        Which.
    gates_clocks : bool
        An operand that is held has a clock of its own, if it is wide enough for a gate.
    """
    high_a, high_b = words.a_bits - 1, words.b_bits - 1
    if not high_a or not high_b:
        return None
    lines = [_operand("a", high_a, words.registered)]
    if not words.holds:
        lines.append(_operand("b", high_b, words.registered))
    elif gates_clocks and words.b_bits >= LEAST_GATED:
        ports = {"i_clk": "clk", "i_enable": "i_load", "o_clk": "b_clk"}
        lines += ["  wire b_clk;\n", instance(CLOCK_GATE, "b_gate", {}, ports)]
        lines.append(_operand("b", high_b, True, clock="b_clk"))
    else:
        lines.append(_operand("b", high_b, True, condition="if (i_load) "))
    for bit in range(words.b_bits):
        sign, rest = f"a[{high_a}] & b[{bit}]", f"a[{high_a - 1}:0] & {{{high_a}{{b[{bit}]}}}}"
        row = f"~({sign}), {rest}" if bit < high_b else f"{sign}, ~({rest})"
        lines.append(f"  wire [{high_a}:0] row_{bit} = {{ {row} }};\n")
    constant = (1 << high_a) + (1 << high_b) + (1 << words.bits - 1)
    terms = [f"{{ row_{bit}, {bit}'d0 }}" if bit else "row_0" for bit in range(words.b_bits)]
    lines += [
        f"  reg [{words.bits - 1}:0] product;\n",
        "  always @(posedge clk)\n    product <= ",
        " +\n      ".join([*terms, f"{words.bits}'d{constant}"]),
        ";\n  assign o_product = product;\n",
    ]
    return words.single("".join(lines))


def _operand(
    name: str, high: int, registered: bool, *, clock: str = "clk", condition: str = ""
) -> str:
    """Declare an operand, behind a register or not."""
    if not registered:
        return f"  wire [{high}:0] {name} = i_{name};\n"
    load = f"    {condition}{name} <= i_{name};\n"
    return f"  reg [{high}:0] {name};\n  always @(posedge {clock})\n{load}"

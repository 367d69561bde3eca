"""Gowin: one product in a ``MULT9X9``, or a ``MULT18X18`` where words are wider.

Gowin UG287. The registers of a primitive share their enable: an operand that stays has its register
outside, all others are inside.
"""

from stillflow.boards.multipliers.text import Words, extended, instance

_SIZES = (9, 18)


def single(words: Words) -> str | None:
    """Write the module of one multiplier; None if its words are too wide."""
    widest = max(words.a_bits, words.b_bits)
    size = next((size for size in _SIZES if widest <= size), None)
    if size is None:
        return None
    ports = {
        "CLK": "clk", "CE": "1'b1", "RESET": "1'b0", "ASEL": "1'b0", "BSEL": "1'b0",
        "ASIGN": "1'b1", "BSIGN": "1'b1", "SIA": f"{size}'d0", "SIB": f"{size}'d0",
        "A": extended("i_a", words.a_bits, size), "B": extended("b", words.b_bits, size),
        "DOUT": "product",
    }  # fmt: skip
    high = words.b_bits - 1
    held = f"  reg [{high}:0] b;\n  always @(posedge clk)\n    if (i_load) b <= i_b;\n"
    parameters = {
        "AREG": f"1'b{int(words.registered)}",
        "BREG": f"1'b{int(words.registered and not words.holds)}", "OUT_REG": "1'b1",
    }  # fmt: skip
    return words.single(
        (held if words.holds else f"  wire [{high}:0] b = i_b;\n")
        + f"  wire [{2 * size - 1}:0] product;\n"
        f"  assign o_product = product[{words.bits - 1}:0];\n"
        + instance(f"MULT{size}X{size}", "multiplier", parameters, ports)
    )

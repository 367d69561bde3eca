"""iCE40: two products of 8 bits in an ``SB_MAC16``, with the registers inside.

Lattice FPGA-TN-02007 (DSP function usage guide). The halves share clock and hold, nothing else;
the adders and their registers are passed by.
"""

from stillflow.boards.multipliers.text import Words, extended, instance

BITS = 8  # of an operand of a half
_UNUSED = ("AHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP",
           "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI",
           "SIGNEXTIN")  # fmt: skip
_PRODUCT = "2'd2"  # an output shows the product of its half, which TOP_ or BOT_8x8_MULT_REG keeps


def single(words: Words) -> str | None:
    """Write the module of one multiplier, in the lower half; None if its words are too wide."""
    return words.single(_body(words, ("i_a",), ("i_b",), ("o_product",))) if _fits(words) else None


def pair(words: Words) -> str | None:
    """Write the module of two multipliers; None if their words are too wide."""
    if not _fits(words):
        return None
    ports = ("i_a0", "i_a1"), ("i_b0", "i_b1"), ("o_product0", "o_product1")
    return words.pair(_body(words, *ports), shares=False)


def _fits(words: Words) -> bool:
    return max(words.a_bits, words.b_bits) <= BITS


def _body(
    words: Words, a_ports: tuple[str, ...], b_ports: tuple[str, ...], products: tuple[str, ...]
) -> str:
    parameters = {
        "MODE_8x8": "1'b1", "A_SIGNED": "1'b1", "B_SIGNED": "1'b1",
        "A_REG": f"1'b{int(words.registered)}",
        "B_REG": f"1'b{int(words.registered or words.holds)}",
        "TOP_8x8_MULT_REG": "1'b1", "BOT_8x8_MULT_REG": "1'b1",
        "TOPOUTPUT_SELECT": _PRODUCT, "BOTOUTPUT_SELECT": _PRODUCT,
    }  # fmt: skip
    ports = {
        "CLK": "clk", "CE": "1'b1",
        "A": _halves([extended(port, words.a_bits, BITS) for port in a_ports]),
        "B": _halves([extended(port, words.b_bits, BITS) for port in b_ports]),
        "C": "16'd0", "D": "16'd0", "BHOLD": "~i_load" if words.holds else "1'b0",
        **dict.fromkeys(_UNUSED, "1'b0"), "O": "products",
    }  # fmt: skip
    lines = [f"  wire [{4 * BITS - 1}:0] products;\n"]
    for half, product in enumerate(products):
        lowest = 2 * BITS * half
        lines.append(f"  assign {product} = products[{lowest + words.bits - 1}:{lowest}];\n")
    return "".join(lines) + instance("SB_MAC16", "multiplier", parameters, ports)


def _halves(low_first: list[str]) -> str:
    high = low_first[1] if len(low_first) > 1 else f"{BITS}'d0"
    return f"{{{high}, {low_first[0]}}}"

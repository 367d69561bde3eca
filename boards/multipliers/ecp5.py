"""ECP5: one product in a ``MULT18X18D``, with the registers inside.

Lattice FPGA-TN-02205 (sysDSP). Registers without a clock do not exist: ``NONE`` is the default.
``MULT9X9D`` would give two products, but open tools do not place it, and two do not fit 18 bits.
"""

from stillflow.boards.multipliers.text import Words, extended, instance

BITS = 18


def single(words: Words) -> str | None:
    """Write the module of one multiplier; None if its words are too wide."""
    if max(words.a_bits, words.b_bits) > BITS:
        return None
    parameters = {"REG_OUTPUT_CLK": '"CLK0"', "REG_OUTPUT_CE": '"CE0"'}
    if words.registered:
        parameters |= {"REG_INPUTA_CLK": '"CLK0"', "REG_INPUTA_CE": '"CE0"'}
    if words.registered or words.holds:
        parameters |= {"REG_INPUTB_CLK": '"CLK0"', "REG_INPUTB_CE": '"CE1"'}
    ports = {"CLK0": "clk", "CE0": "1'b1", "CE1": "i_load" if words.holds else "1'b1",
             "RST0": "1'b0", "SIGNEDA": "1'b1", "SIGNEDB": "1'b1",
             "SOURCEA": "1'b0", "SOURCEB": "1'b0"}  # fmt: skip
    for bit in range(BITS):
        ports |= {f"A{bit}": f"a[{bit}]", f"B{bit}": f"b[{bit}]", f"C{bit}": "1'b0"}
    ports |= {f"P{bit}": f"product[{bit}]" for bit in range(2 * BITS)}
    return words.single(
        f"  wire [{BITS - 1}:0] a = {extended('i_a', words.a_bits, BITS)};\n"
        f"  wire [{BITS - 1}:0] b = {extended('i_b', words.b_bits, BITS)};\n"
        f"  wire [{2 * BITS - 1}:0] product;\n"
        f"  assign o_product = product[{words.bits - 1}:0];\n"
        + instance("MULT18X18D", "multiplier", parameters, ports)
    )

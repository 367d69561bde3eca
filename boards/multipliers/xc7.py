"""7 series: two products that have an operand in common in a ``DSP48E1``.

AMD UG479. For two, the pre-adder puts the second operands into one word, ``b1 * 2**s + b0`` with
``s`` the width of a product, and the multiplier makes ``a*b1 * 2**s + a*b0`` of it. The adder then
adds ``2**(s - 1)``: so the lower part is never negative and takes nothing from the upper one, which
is ``a*b1`` as it stands; below, only the top bit is inverted. There is no other logic outside.

A product by itself is left to synthesis, which moves the first additions of the tree into slices.
"""

from stillflow.boards.multipliers.text import Words, extended, instance

A_BITS, B_BITS, C_BITS, D_BITS, P_BITS = 30, 18, 48, 25, 48  # ports
_A_PLUS_D, _C_PLUS_M = "5'b00100", "7'b0110101"  # INMODE, OPMODE
_NO_REGISTERS = ("ACASCREG", "ADREG", "ALUMODEREG", "AREG", "BCASCREG", "BREG", "CARRYINREG",
                 "CARRYINSELREG", "CREG", "DREG", "INMODEREG", "MREG", "OPMODEREG")  # fmt: skip
_ONES = ("CEA1", "CEALUMODE", "CEAD", "CEB1", "CEB2", "CEC", "CECARRYIN", "CECTRL", "CEINMODE",
         "CEM", "CEP")  # fmt: skip
_ZEROS = ("CARRYIN", "CARRYCASCIN", "MULTSIGNIN", "RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB",
          "RSTC", "RSTCTRL", "RSTD", "RSTINMODE", "RSTM", "RSTP")  # fmt: skip


def pair(words: Words) -> str | None:
    """Write the module of two multipliers; None if their words are too wide."""
    low, both = words.bits, 2 * words.bits
    if words.a_bits > B_BITS or low + words.b_bits >= D_BITS:
        return None
    load = "i_load" if words.holds else "1'b1"
    first, second = int(words.registered), int(words.registered or words.holds)
    parameters = dict.fromkeys(_NO_REGISTERS, "0") | {
        "AREG": f"{second}", "ACASCREG": f"{second}", "DREG": f"{second}",
        "BREG": f"{first}", "BCASCREG": f"{first}", "PREG": "1",
        "USE_MULT": '"MULTIPLY"', "USE_DPORT": '"TRUE"',
    }  # fmt: skip
    ports = dict.fromkeys(_ZEROS, "1'b0") | dict.fromkeys(_ONES, "1'b1") | {
        "CLK": "clk", "CEA2": load, "CED": load,
        "A": extended("i_b0", words.b_bits, A_BITS),
        "D": f"{{{extended('i_b1', words.b_bits, D_BITS - low)}, {low}'d0}}",
        "B": extended("i_a", words.a_bits, B_BITS), "C": f"{C_BITS}'d{1 << (low - 1)}",
        "ACIN": f"{A_BITS}'d0", "BCIN": f"{B_BITS}'d0", "PCIN": f"{P_BITS}'d0",
        "ALUMODE": "4'd0", "CARRYINSEL": "3'd0", "INMODE": _A_PLUS_D, "OPMODE": _C_PLUS_M,
        "P": "sum",
    }  # fmt: skip
    return words.pair(
        f"  wire [{P_BITS - 1}:0] sum;\n"
        f"  assign o_product0 = {{~sum[{low - 1}], sum[{low - 2}:0]}};\n"
        f"  assign o_product1 = sum[{both - 1}:{low}];\n"
        + instance("DSP48E1", "multiplier", parameters, ports),
        shares=True,
    )

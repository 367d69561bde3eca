"""7 series: a product in a ``DSP48E1``, or two that have an operand in common.

AMD UG479. For two, the pre-adder puts the second operands into one word, ``b1 * 2**s + b0`` with
``s`` the width of a product, and the multiplier makes ``a*b1 * 2**s + a*b0`` of it. The adder then
adds ``2**(s - 1)``: so the lower part is never negative and takes nothing from the upper one, which
is ``a*b1`` as it stands; below, only the top bit is inverted. There is no other logic outside.
"""

from stillflow.boards.multipliers.text import Words, extended, instance

A_BITS, B_BITS, C_BITS, D_BITS, P_BITS = 30, 18, 48, 25, 48  # ports
_WIDE = 25  # of A, what the multiplier takes
_MULTIPLY, _ADD_C = "7'b0000101", "7'b0110101"  # OPMODE: M, C + M
_USE_A, _USE_A_AND_D = "5'b00000", "5'b00100"  # INMODE
_NO_REGISTERS = ("ACASCREG", "ADREG", "ALUMODEREG", "AREG", "BCASCREG", "BREG", "CARRYINREG",
                 "CARRYINSELREG", "CREG", "DREG", "INMODEREG", "MREG", "OPMODEREG")  # fmt: skip
_ONES = ("CEA1", "CEALUMODE", "CEAD", "CEB1", "CEB2", "CEC", "CECARRYIN", "CECTRL", "CEINMODE",
         "CEM", "CEP")  # fmt: skip
_ZEROS = ("CARRYIN", "CARRYCASCIN", "MULTSIGNIN", "RSTA", "RSTALLCARRYIN", "RSTALUMODE", "RSTB",
          "RSTC", "RSTCTRL", "RSTD", "RSTINMODE", "RSTM", "RSTP")  # fmt: skip


def single(words: Words) -> str | None:
    """Write the module of one multiplier; None if its words are too wide."""
    if words.a_bits > B_BITS or words.b_bits > _WIDE:
        return None
    return words.single(
        f"  wire [{P_BITS - 1}:0] sum;\n  assign o_product = sum[{words.bits - 1}:0];\n"
        + _slice(words, "i_a", extended("i_b", words.b_bits, A_BITS), f"{D_BITS}'d0", None)
    )


def pair(words: Words) -> str | None:
    """Write the module of two multipliers of ``i_a``; None if their words are too wide."""
    low, both = words.bits, 2 * words.bits
    if words.a_bits > B_BITS or words.bits + words.b_bits >= _WIDE:
        return None
    upper = f"{{{extended('i_b1', words.b_bits, D_BITS - low)}, {low}'d0}}"
    return words.pair(
        f"  wire [{P_BITS - 1}:0] sum;\n"
        f"  assign o_product0 = {{~sum[{low - 1}], sum[{low - 2}:0]}};\n"
        f"  assign o_product1 = sum[{both - 1}:{low}];\n"
        + _slice(words, "i_a", extended("i_b0", words.b_bits, A_BITS), upper, low - 1),
        shares=True,
    )


def _slice(words: Words, shared: str, a: str, d: str, one: int | None) -> str:
    """Write ``(a + d) * shared``, plus a one at bit ``one`` of C if there is any."""
    holds = f"{int(words.holds)}"
    load = "i_load" if words.holds else "1'b1"
    parameters = dict.fromkeys(_NO_REGISTERS, "0") | {
        "AREG": holds, "ACASCREG": holds, "PREG": "1",
        "USE_MULT": '"MULTIPLY"', "USE_DPORT": '"FALSE"' if one is None else '"TRUE"',
    }  # fmt: skip
    if one is not None:
        parameters["DREG"] = holds
    ports = dict.fromkeys(_ZEROS, "1'b0") | dict.fromkeys(_ONES, "1'b1") | {
        "CLK": "clk", "CEA2": load, "CED": load,
        "A": a, "B": extended(shared, words.a_bits, B_BITS), "D": d,
        "C": f"{C_BITS}'d0" if one is None else f"{C_BITS}'d{1 << one}",
        "ACIN": f"{A_BITS}'d0", "BCIN": f"{B_BITS}'d0", "PCIN": f"{P_BITS}'d0",
        "ALUMODE": "4'd0", "CARRYINSEL": "3'd0",
        "INMODE": _USE_A if one is None else _USE_A_AND_D,
        "OPMODE": _MULTIPLY if one is None else _ADD_C, "P": "sum",
    }  # fmt: skip
    return instance("DSP48E1", "multiplier", parameters, ports)

"""Verilog of the memory macros: a behavioural model and a blackbox stub for each size."""

import re
from collections.abc import Iterator

from stillflow.hw.config import ceil_log2

_NAME = re.compile(r"sram_1r1w_([1-9]\d*)x([1-9]\d*)")


def is_sram(name: str) -> bool:
    """Whether a unit is a memory macro, ``sram_1r1w_<words>x<bits>``."""
    return _NAME.fullmatch(name) is not None


def behavioural(name: str, *, whole_blocks: bool = False) -> str:
    """Write the model that simulates, and that FPGA tools infer block RAM from.

    With ``STILLFLOW_SRAM_X`` defined, a read of the address that is written in the same cycle gives
    ``x``: a 4-state simulation finds who relies on it, and Yosys, for which it is always so, may
    take any RAM.

    Parameters
    ----------
    name : str
        Unit name, ``sram_1r1w_<words>x<bits>``.
    whole_blocks : bool
        Round the words up to a power of two, as block RAMs have: between two of these, Yosys takes
        several blocks and a multiplexer.

    Returns
    -------
    str
        Verilog-2005.
    """
    words, bits = size(name)
    if whole_blocks:
        words = 1 << ceil_log2(words)
    return f"""\
`ifdef YOSYS
`define STILLFLOW_SRAM_X
`endif

{header(name)}
  reg [{bits - 1}:0] words [0:{words - 1}];

  always @(posedge clk) begin
    if (i_write_en) words[i_write_addr] <= i_write_data;
    if (i_read_en) begin
      o_read_data <= words[i_read_addr];
`ifdef STILLFLOW_SRAM_X
      if (i_write_en && i_write_addr == i_read_addr) o_read_data <= {{{bits}{{1'bx}}}};
`endif
    end
  end
endmodule
"""


def blackbox(name: str) -> str:
    """Write the stub that stands for the macro in synthesis.

    Parameters
    ----------
    name : str
        Unit name, ``sram_1r1w_<words>x<bits>``.

    Returns
    -------
    str
        Verilog-2005.
    """
    return f"(* blackbox *)\n{header(name, storage='')}endmodule\n"


def ports(name: str) -> Iterator[tuple[str, int | None, bool]]:
    """Give the ports of a macro: name, bits of a bus (None for a pin), whether it is an input."""
    words, bits = size(name)
    address = max(1, (words - 1).bit_length())
    yield "clk", None, True
    yield "i_write_en", None, True
    yield "i_write_addr", address, True
    yield "i_write_data", bits, True
    yield "i_read_en", None, True
    yield "i_read_addr", address, True
    yield "o_read_data", bits, False


def bits(name: str) -> int:
    """Bits that a macro holds."""
    words, width = size(name)
    return words * width


def size(name: str) -> tuple[int, int]:
    """Words and bits of a macro."""
    match = _NAME.fullmatch(name)
    assert match is not None, name
    return int(match[1]), int(match[2])


def header(name: str, storage: str = "reg ") -> str:
    """Write the module's head, its output a register or a wire."""
    lines = []
    for port, bits, is_input in ports(name):
        way = "input " if is_input else f"output {storage}"
        lines.append(f"  {way}{'' if bits is None else f'[{bits - 1}:0] '}{port}")
    return f"module {name} (\n" + ",\n".join(lines) + "\n);\n"

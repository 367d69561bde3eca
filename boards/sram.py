"""Verilog of the memory macros: a behavioural model and a blackbox stub for each size."""

import re

_NAME = re.compile(r"sram_1r1w_([1-9]\d*)x([1-9]\d*)")


def is_sram(name: str) -> bool:
    """Whether a unit is a memory macro, ``sram_1r1w_<words>x<bits>``."""
    return _NAME.fullmatch(name) is not None


def behavioural(name: str) -> str:
    """Write the model that simulates, and that FPGA tools infer block RAM from.

    With ``STILLFLOW_SRAM_X`` defined, a read of the address that is written in the same cycle gives
    ``x``: a 4-state simulation finds who relies on it, and Yosys, for which it is always so, may
    take any RAM.

    Parameters
    ----------
    name : str
        Unit name, ``sram_1r1w_<words>x<bits>``.

    Returns
    -------
    str
        Verilog-2005.
    """
    words, bits = _size(name)
    return f"""\
`ifdef YOSYS
`define STILLFLOW_SRAM_X
`endif

{_header(name)}
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
    return f"(* blackbox *)\n{_header(name, storage='')}endmodule\n"


def _size(name: str) -> tuple[int, int]:
    match = _NAME.fullmatch(name)
    assert match is not None, name
    return int(match[1]), int(match[2])


def _header(name: str, storage: str = "reg ") -> str:
    words, bits = _size(name)
    addr = f"[{max(1, (words - 1).bit_length()) - 1}:0]"
    word = f"[{bits - 1}:0]"
    return f"""\
module {name} (
  input clk,
  input i_write_en,
  input {addr} i_write_addr,
  input {word} i_write_data,
  input i_read_en,
  input {addr} i_read_addr,
  output {storage}{word} o_read_data
);
"""

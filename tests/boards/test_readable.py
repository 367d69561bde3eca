import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.boards import verilog
from stillflow.boards.errors import ToolError
from stillflow.boards.readable import readable
from stillflow.boards.yosys import run_yosys
from stillflow.hw.presets import EYERISS, TINY
from stillflow.hw.top import Accelerator


def module(body, **wires):
    """Write a module with inputs of 4, 4, 8 and 1 bits, a signed one, and an output of ``y``."""
    y = wires.pop("y", 4)
    lines = [
        "module m(a, b, c, d, s, y);",
        *(f"  input [{n - 1}:0] {name};\n  wire [{n - 1}:0] {name};"
          for name, n in (("a", 4), ("b", 4), ("c", 8))),
        "  input d;\n  wire d;",
        "  input signed [3:0] s;\n  wire signed [3:0] s;",
        f"  output [{y - 1}:0] y;\n  wire [{y - 1}:0] y;",
        *(f"  wire [{n - 1}:0] {name};" if n > 1 else f"  wire {name};"
          for name, n in wires.items()),
        *(f"  assign {line};" for line in body),
        "endmodule\n",
    ]  # fmt: skip
    return "\n".join(lines)


def assigned(text):
    """Give the expression of y."""
    (match,) = re.finditer(r"assign y = (.*);", readable(text))
    return match[1]


def prove_equal(modules, folder):
    """Let Yosys prove that each pair of modules of one name is one circuit twice."""
    steps = []
    for name, sides in modules.items():
        for side, text in zip(("gold", "gate"), sides, strict=True):
            (folder / f"{name}_{side}.v").write_text(text)
            steps += [f"read_verilog {name}_{side}.v", f"rename {name} {side}"]
        steps += [
            "proc", "memory", "opt_clean", "equiv_make gold gate both", "cd both",
            "equiv_struct", "equiv_simple", "equiv_status -assert", "design -reset",
        ]  # fmt: skip
    run_yosys(steps, folder)


@pytest.mark.parametrize(
    ("body", "wires", "expression"),
    [
        (["_0_ = a & b", "y = _0_ | c[3:0]"], {"_0_": 4}, "(a & b) | c[3:0]"),
        (["_0_ = a == b", "y = _0_ ? a : b"], {"_0_": 1}, "(a == b) ? a : b"),
        (["_0_ = d ? a : b", "y = d ? b : _0_"], {"_0_": 4}, "d ? b : d ? a : b"),
        (["_0_ = d ? a : b", "y = d ? _0_ : b"], {"_0_": 4}, "d ? (d ? a : b) : b"),
        (["_0_ = ~ a", "y = _0_ & b"], {"_0_": 4}, "~a & b"),
        (
            ["_0_ = & a", "_1_ = ! _0_", "y = { 3'h0, _1_ }"],
            {"_0_": 1, "_1_": 1},
            "{ 3'h0, !(& a) }",
        ),
        (["y = { a[3], a[3], a[3], a[0] }"], {}, "{ {3{a[3]}}, a[0] }"),
        # An extended operand has other bits above: it stays.
        (["_0_ = ~ a", "y = _0_ & c"], {"y": 8, "_0_": 4}, "_0_ & c"),
        (["_0_ = a + b", "y = _0_ + c"], {"y": 8, "_0_": 4}, "_0_ + c"),
        (["_0_ = a & b", "y = _0_ + c"], {"y": 8, "_0_": 4}, "(a & b) + c"),
        # The carry is in the wire, and would not be in the expression.
        (["_0_ = a + b", "y = { _0_, 3'h0 }"], {"y": 8, "_0_": 5}, "{ _0_, 3'h0 }"),
        # So is a carry that the wire has not.
        (["_0_ = c + c", "y = _0_ >> d"], {"_0_": 4}, "_0_ >> d"),
        (["_0_ = $signed(a) + $signed(b)", "y = _0_ & c[3:0]"], {"_0_": 4}, "_0_ & c[3:0]"),
        (["_0_ = s & a", "y = _0_ | b"], {"_0_": 4}, "_0_ | b"),
        # Read twice, in part, or given in parts.
        (["_0_ = a & b", "y = _0_ + _0_"], {"_0_": 4}, "_0_ + _0_"),
        (["_0_ = a & b", "y = _0_[1:0] + a"], {"_0_": 4}, "_0_[1:0] + a"),
        (["_0_[1:0] = a[1:0]", "_0_[3:2] = 2'h0", "y = _0_ + a"], {"_0_": 4}, "_0_ + a"),
    ],
)
def test_expressions_move_where_they_mean_the_same(body, wires, expression, tmp_path):
    text = module(body, **wires)
    assert assigned(text) == expression
    prove_equal({"m": (text, readable(text))}, tmp_path)


def test_a_difference_would_be_found(tmp_path):
    text = module(["_0_ = a + b", "y = { _0_, 3'h0 }"], y=8, _0_=5)
    wrong = module(["y = { a + b, 3'h0 }"], y=8)
    with pytest.raises(ToolError):
        prove_equal({"m": (text, wrong)}, tmp_path)


def test_ports_are_declared_once_and_wires_together():
    text = readable(module(["_0_ = ~ a", "_1_ = ~ b", "y = _0_ + _1_[1:0]"], _0_=4, _1_=4))
    assert text.startswith("module m(\n  input [3:0] a,\n  input [3:0] b,\n  input [7:0] c,\n")
    assert "  input signed [3:0] s,\n  output [3:0] y\n);\n" in text
    assert "  wire [3:0] _1_;\n" in text
    assert "_0_" not in text


def test_registers_with_one_condition_are_one_block(tmp_path):
    text = """\
module m(clk, rst, on, a, y, z);
  input clk;
  wire clk;
  input rst;
  wire rst;
  input on;
  wire on;
  input a;
  wire a;
  output y;
  reg y = 1'h0;
  output z;
  reg z = 1'h1;
  reg w;
  always @(posedge clk)
    if (rst) y <= 1'h0;
    else if (on) y <= w;
  always @(posedge clk)
    w <= a;
  always @(posedge clk)
    if (rst) z <= 1'h1;
    else if (on) z <= y;
endmodule
"""
    together = """\
  always @(posedge clk)
    if (rst) begin
      y <= 1'h0;
      z <= 1'h1;
    end else if (on) begin
      y <= w;
      z <= y;
    end
  always @(posedge clk)
    w <= a;
"""
    assert together in readable(text)
    assert "  output reg z = 1'h1\n);\n" in readable(text)
    prove_equal({"m": (text, readable(text))}, tmp_path)


OPERATORS = [*"~!&|^+-*<?", "==", ">=", ">>", "unary&", "-unary"]
WIDTHS = {"a": 4, "b": 4, "c": 8, "d": 1, "s": 4}


@st.composite
def modules(draw):
    """Random operators on random widths, most results read once."""
    widths, body = dict(WIDTHS), []
    last = ""
    for number in range(draw(st.integers(2, 9))):

        def operand():
            name = draw(st.sampled_from(list(widths)[-6:]))
            kind = draw(st.integers(0, 5))
            if kind == 0:
                return f"{draw(st.integers(1, 5))}'h1"
            if kind == 1 and widths[name] > 1:
                return f"{name}[{draw(st.integers(1, widths[name] - 1))}:0]"
            if kind == 2:
                return f"{{ {name}, {draw(st.sampled_from(list(widths)))} }}"
            return f"$signed({name})" if kind == 3 else name

        operator = draw(st.sampled_from(OPERATORS))
        if operator in ("~", "!"):
            text = f"{operator} {operand()}"
        elif operator in ("unary&", "-unary"):
            text = f"{operator.replace('unary', '')} {operand()}"
        elif operator == "?":
            text = f"{operand()} ? {operand()} : {operand()}"
        else:
            text = f"{operand()} {operator} {operand()}"
        last = f"_{number}_"
        widths[last] = draw(st.sampled_from([1, 3, 4, 5, 8, 9]))
        body.append(f"{last} = {text}")
    body.append(f"y = {last} & {list(widths)[-2]}")
    return module(
        body, y=draw(st.integers(1, 10)), **{n: w for n, w in widths.items() if n not in WIDTHS}
    )


@given(text=modules())
@settings(max_examples=40, deadline=None)
def test_random_modules_stay_the_same_circuit(text, tmp_path_factory):
    prove_equal({"m": (text, readable(text))}, tmp_path_factory.mktemp("modules"))


@pytest.mark.parametrize(
    "config", [TINY, pytest.param(EYERISS, marks=pytest.mark.nightly)], ids=lambda c: c.name
)
def test_designs_stay_the_same_circuit(config, tmp_path, monkeypatch):
    files = verilog.emit(Accelerator(config))
    monkeypatch.setattr(verilog, "readable", lambda text: text)
    plain = verilog.emit(Accelerator(config))
    assert sum(map(len, files.values())) < 0.85 * sum(map(len, plain.values()))
    changed = {
        name.removesuffix(".v"): (plain[name], files[name])
        for name in files
        if files[name] != plain[name]
    }
    assert len(changed) > 20
    prove_equal(changed, tmp_path)

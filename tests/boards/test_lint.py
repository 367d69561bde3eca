"""Verilog of every preset in every dataflow, as lint tools see it."""

from dataclasses import replace

import pytest

from stillflow.boards.engines import verilog_files
from stillflow.boards.errors import CheckFailed
from stillflow.boards.lint import WAIVERS, lint, verilator_warnings, yosys_problems
from stillflow.hw.config import Dataflow
from stillflow.hw.presets import PRESETS, TINY

#: Each preset as it is, and tiny in each dataflow; at night, the others in each.
CASES = [
    pytest.param(
        name, flow,
        marks=() if name == TINY.name or flow == preset.dataflow else pytest.mark.nightly,
    )
    for name, preset in PRESETS.items()
    for flow in Dataflow
]  # fmt: skip


@pytest.mark.parametrize(("name", "flow"), CASES)
def test_presets_are_clean(name, flow):
    lint(verilog_files(replace(PRESETS[name], dataflow=flow)))


@pytest.mark.parametrize("name", ["tiny", pytest.param("edge16", marks=pytest.mark.nightly)])
def test_an_activation_memory_is_clean(name):
    lint(verilog_files(replace(PRESETS[name], activation_kib=16)))


def changed(tmp_path, old, new):
    """Files of `TINY` with one replacement."""
    files = []
    for path in verilog_files(TINY):
        text = path.read_text()
        files.append(tmp_path / path.name)
        files[-1].write_text(text.replace(old, new, 1) if path.name == "stillflow.v" else text)
    assert old in (verilog_files(TINY)[0].parent / "stillflow.v").read_text()
    return files


def test_a_latch_is_found(tmp_path):
    latch = "reg latch;\n  always @* if (rst) latch = irq;\nendmodule"
    warnings = verilator_warnings(changed(tmp_path, "endmodule", latch))
    assert any("%Warning-LATCH" in line for line in warnings)
    with pytest.raises(CheckFailed, match=r"^verilator -Wall: \d+ warnings, the first: %Warning"):
        lint(changed(tmp_path, "endmodule", latch))


def test_a_combinational_loop_is_found(tmp_path):
    loop = "wire a, b;\n  assign a = b & clk;\n  assign b = a | rst;\nendmodule"
    with pytest.raises(CheckFailed, match=r"^yosys check: Yosys stopped with status 1: ERROR: "):
        yosys_problems(changed(tmp_path, "endmodule", loop))


def test_waivers_are_few_and_have_reasons():
    assert len(WAIVERS) <= 5
    assert all(len(reason) > 20 for reason in WAIVERS.values())

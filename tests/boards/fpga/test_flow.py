"""The tools from pads to bitstream, and `stillflow build`, with a system of a few registers.

Two multipliers are in it, so that the tools see each family's primitive.
"""

import json

import pytest
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from stillflow.boards.cli import main
from stillflow.boards.errors import ToolError
from stillflow.boards.fpga import estimate, flow
from stillflow.boards.fpga.board import BOARDS
from stillflow.boards.fpga.estimate import Estimate
from stillflow.boards.fpga.flow import Flow
from stillflow.boards.multipliers.text import Words
from tests.boards.multipliers.check import generic

BUILDABLE = [name for name, board in BOARDS.items() if board.device.place_and_route]
FITS = Estimate(tool="none", rows={"LUT4": (1, 2)}, levels=1, mhz=1.0)


MULTIPLIERS = """
module small_array(input clk, input rx, output parity);
  reg [23:0] words;
  always @(posedge clk) words <= {words[22:0], rx};
  wire [15:0] low, high;
  multiplier_8x8_held m0(.clk(clk), .i_a(words[7:0]), .i_b(words[15:8]), .i_load(words[23]),
    .o_product(low));
  multiplier_8x8_held m1(.clk(clk), .i_a(words[7:0]), .i_b(words[23:16]), .i_load(words[23]),
    .o_product(high));
  assign parity = ^{low, high};
endmodule
"""
PRIMITIVES = {"ice40": ("ICESTORM_DSP", 1), "ecp5": ("MULT18X18D", 2), "gowin": ("MULT9X9", 2)}


def small_system(component, name):
    """Verilog with a system's ports: every output counts what comes in, and products of it."""
    ports, body = ["input clk", "input rst"], []
    for port, member in component.signature.members.items():
        width = Shape.cast(member.shape).width
        if member.flow == In:
            ports.append(f"input [{width - 1}:0] {port}")
            continue
        ports.append(f"output reg [{width - 1}:0] {port}")
        body.append(f"always @(posedge clk) {port} <= rst ? 0 : {port} + i_rx + parity;")
    inside = ["wire parity;", "small_array small(.clk(clk), .rx(i_rx), .parity(parity));", *body]
    lines = [f"module {name}({', '.join(ports)});", *inside, "endmodule", ""]
    files = {f"{name}.v": "\n".join(lines), "small_array.v": MULTIPLIERS}
    return files | generic(Words(8, 8, holds=True))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(flow, "emit", small_system)
    monkeypatch.setattr(estimate, "estimate", lambda board, config: FITS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDABLE)
def test_every_boards_tools_make_a_bitstream(name, small, tmp_path, capsys):
    folder = tmp_path / "made"
    assert main(["build", name, "-o", str(folder), "--seed", "1", "--seed", "2"]) == 0
    board = BOARDS[name]
    report = json.loads((folder / "report.json").read_text())
    assert [run["seed"] for run in report["runs"]] == [1, 2]
    assert report["worst_mhz"] == min(run["mhz"] for run in report["runs"])
    assert report["worst_mhz"] * 1e6 > board.clock
    cell, number = PRIMITIVES[board.device.target]
    assert [run["used"][cell] for run in report["runs"]] == [number, number]
    assert report["bitstream"] == board.bitstream
    assert report["tools"]["nextpnr"].startswith("nextpnr-")
    assert (folder / board.bitstream).stat().st_size > 10_000
    assert {"yosys.log", "nextpnr-1.log", "nextpnr-2.log"} <= {p.name for p in folder.iterdir()}
    assert "it was not tried on a board" in capsys.readouterr().out


@pytest.mark.slow
def test_missed_timing_is_status_1_and_leaves_no_bitstream(small, tmp_path, capsys):
    old = tmp_path / BOARDS["ulx3s"].bitstream
    old.write_text("of an earlier build")
    (tmp_path / "report.json").write_text("{}")
    assert main(["build", "ulx3s", "-o", str(tmp_path), "--clock", "130"]) == 1
    assert "ulx3s must run at 130 MHz, the best seed reaches" in capsys.readouterr().err
    assert not old.exists()
    report = json.loads((tmp_path / "report.json").read_text())
    assert "bitstream" not in report
    assert report["worst_mhz"] < 130


def test_logs_stay_when_the_router_fails(small, tmp_path, monkeypatch, capsys):
    def fail(self, seed, tell):
        raise ToolError("nextpnr-ecp5 stopped with status 1: no room")

    monkeypatch.setattr(Flow, "place_and_route", fail)
    assert main(["build", "orangecrab", "-o", str(tmp_path)]) == 2
    assert "no room" in capsys.readouterr().err
    assert (tmp_path / "yosys.log").exists()
    assert not (tmp_path / "report.json").exists()

import json
import re
import sys

import pytest

from stillflow.boards.cli import main
from stillflow.boards.errors import ToolError
from stillflow.boards.fpga.board import BOARDS
from stillflow.boards.fpga.estimate import Estimate
from stillflow.boards.fpga.flow import Flow, make_platform, run_tool, tool
from stillflow.boards.fpga.vendor import write_project
from stillflow.boards.lint import lint
from stillflow.boards.yosys import run_yosys
from stillflow.compiler.models import DIGITS
from stillflow.hw.presets import PRESETS

BUILDABLE = [board for board in BOARDS.values() if board.device.place_and_route]


def test_boards_are_listed(tmp_path, capsys):
    report = tmp_path / "boards.json"
    assert main(["boards", "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert all(board.title in printed for board in BOARDS.values())
    listed = json.loads(report.read_text())["boards"]
    assert [entry["name"] for entry in listed] == list(BOARDS)


@pytest.mark.slow
def test_what_does_not_fit_is_said_before_place_and_route(tmp_path, capsys):
    folder = tmp_path / "made"
    status = main(["build", "icebreaker", "-o", str(folder), "--set", "count_bits=16"])
    printed = capsys.readouterr()
    assert status == 1
    assert re.search(r"icebreaker must have room: \d+ LUT4 of 5280", printed.err)
    assert "after synthesis: about" in printed.out
    report = json.loads((folder / "report.json").read_text())
    assert report["estimate"]["fits"] is False
    assert report["estimate"]["cells"]["SPRAM"] == {"taken": 4, "there": 4}
    assert not list(folder.glob("*.bin"))


@pytest.mark.slow
def test_an_estimate_of_a_board(tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["synth", "orangecrab", "--json", str(report)]) == 0
    made = json.loads(report.read_text())
    assert made["fits"] is True
    assert made["cells"]["DP16KD"]["taken"] == 52  # 40 of them are the memory
    assert 10 < made["estimated_mhz"] < 200
    assert "about" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "nothing", "-o", "x"], "BOARD must be one of"),
        (["build", "ulx3s"], "Missing option '-o'"),
        (["build", "ulx3s", "-o", "x", "--clock", "3.1"], "clock must make 1000000 baud"),
        (["build", "ulx3s", "-o", "x", "--clock", "500"], "clock must be one that the SDRAM can"),
        (["build", "ulx3s", "-o", "x", "--set", "rows=0"], "rows must be in 1..128, not 0"),
        (["build", "ulx3s", "-o", "x", "--set", "axi_data_bits=256"], "32, 64, 128 for an SDRAM"),
        (["build", "icebreaker", "-o", "x", "--clock", "24"], "clock must be the oscillator's 12"),
        (["build", "arty_a7_100", "-o", "x", "--clock", "2000"], "PLL can make of 100 MHz"),
        (["build", "ulx3s", "-o", "x", "--json", "no/where.json"], "there must be a folder no"),
        (["synth", "ulx3s", "--block", "pe"], "--block must go with --target"),
        (["synth", "ulx3s", "--whole"], "--whole must go with --target"),
        (["synth", "tiny"], "Missing option '--target'"),
        (["synth", "nothing"], "BOARD must be one of"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("board", BUILDABLE, ids=lambda board: board.name)
def test_pads_have_places(board, tmp_path):
    Flow(board, board.system(), tmp_path).prepare()
    text = (tmp_path / f"top.{board.device.constraints}").read_text()
    names = set(re.findall(r"\w+__io(?:\[\d+\])?", text))
    assert {"uart_0__rx__io", "uart_0__tx__io"} <= names
    if board.name == "ulx3s":
        pins = {name for name in names if name.startswith("sdram_0__dq__")}
        assert len(pins) == 16
        assert {"sdram_0__clk__io", "sdram_0__cs__io", "sdram_0__a__io[12]"} <= names
    instances = (tmp_path / "top.il").read_text()
    assert "\\stillflow_system" in instances
    assert ("EHXPLLL" in instances) == (board.clock != board.oscillator or board.name == "ulx3s")


@pytest.mark.slow
def test_arty_a7_is_a_whole(tmp_path):
    board = BOARDS["arty_a7_100"]
    assert write_project(board, PRESETS[board.name], tmp_path) == ["top.tcl"]
    script, pins = (tmp_path / "top.tcl").read_text(), (tmp_path / "top.xdc").read_text()
    assert "xc7a100ticsg324-1L" in script
    sources = re.findall(r'add_files "?([\w.]+)"?', script)
    assert sorted(sources) == sorted(path.name for path in tmp_path.glob("*.v"))
    assert {"E3", "A9", "D10"} <= set(re.findall(r"LOC (\w+)", pins))
    library = "read_verilog -lib -specify +/xilinx/cells_sim.v +/xilinx/cells_xtra.v"
    run_yosys(
        (library, f"read_verilog {' '.join(sources)}", "hierarchy -check -top top", "proc",
         "check -assert"),
        tmp_path,
    )  # fmt: skip


@pytest.mark.slow
def test_arty_z7_packages_the_core_with_axi_ports(tmp_path):
    board = BOARDS["arty_z7"]
    assert write_project(board, PRESETS[board.name], tmp_path) == ["package.tcl", "design.tcl"]
    top = (tmp_path / "stillflow.v").read_text()
    for port in ("clk", "rst", "irq", "s_axil_awaddr", "m_axi_araddr", "m_axi_wdata"):
        assert re.search(rf"\b(?:input|output) .*\b{port}\b", top), port
    for name in ("package.tcl", "design.tcl"):
        script = (tmp_path / name).read_text()
        for opening, closing in ("[]", "{}"):
            assert script.count(opening) == script.count(closing)
    assert "xc7z020clg400-1" in (tmp_path / "design.tcl").read_text()
    listed = re.search(r"read_verilog \{(.*)\}", (tmp_path / "package.tcl").read_text())
    assert listed
    assert sorted(listed[1].split()) == sorted(path.name for path in tmp_path.glob("*.v"))
    lint(sorted(tmp_path.glob("*.v")))


def test_an_estimate_says_what_is_lacking():
    made = Estimate(tool="t", rows={"LUT": (5, 4), "FF": (1, 2)}, levels=3, mhz=10.0)
    assert not made.fits
    assert made.lacking() == "5 LUT of 4"
    assert made.cells() == "5 of 4 LUT, 1 of 2 FF"


def test_tools_that_fail_or_are_not_there_are_named(tmp_path):
    with pytest.raises(ToolError, match="nextpnr-nothing was not found"):
        tool("nextpnr-nothing")
    said = []
    with pytest.raises(ToolError, match=r"icepack stopped with status \d+"):
        run_tool(["icepack", "nothing.asc", "nothing.bin"], tmp_path, said.append)
    assert said


def test_packages_that_are_not_installed_are_named(monkeypatch, capsys):
    for name in ("amaranth_boards.resources", "serial"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "stillflow.boards.fpga.serial_line", raising=False)
    with pytest.raises(ToolError, match="amaranth-boards was not found: pip install 'stillflow"):
        make_platform(BOARDS["ulx3s"])
    assert main(["run", str(DIGITS), "--board", "orangecrab", "--port", "/dev/null"]) == 2
    assert "pyserial was not found: pip install" in capsys.readouterr().err

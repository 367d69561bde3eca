"""The benches of blocks and bus on several configurations, simulators and netlists."""

import json

import pytest

from stillflow.boards import verify
from stillflow.boards.cli import main
from stillflow.boards.verilog import emit

ODD = ["--set", "rows=5", "--set", "cols=3", "--set", "requant_lanes=1", "--set", "glb_kib=4",
       "--set", "axi_data_bits=64", "--set", "pool_windows=6"]  # fmt: skip


@pytest.mark.parametrize("flow", ["ws", "os"])
@pytest.mark.parametrize("changes", [[], ODD], ids=["tiny", "odd"])
def test_every_block_passes_on_icarus(need_simulator, flow, changes, tmp_path, capsys):
    need_simulator("icarus")
    report = tmp_path / "report.json"
    options = ["--set", f"dataflow={flow}", "--simulator", "icarus", "--json", str(report)]
    assert main(["verify", "tiny", *changes, *options]) == 0
    benches = json.loads(report.read_text())["benches"]
    assert len(benches) == 17 + ("pool_windows=6" in changes)
    assert all(bench["failure"] == "" for bench in benches)
    assert "pass" in capsys.readouterr().out


@pytest.mark.parametrize("bench", ["array", "requantiser", "reader"])
def test_blocks_pass_on_verilator_and_as_netlists(need_simulator, bench, capsys):
    need_simulator("verilator")
    need_simulator("icarus")
    assert main(["verify", "tiny", "--bench", bench, "--netlist", "--seed", "3"]) == 0
    assert capsys.readouterr().out.count("pass") == 4


def test_a_bug_in_a_block_is_caught(need_simulator, monkeypatch, capsys):
    need_simulator("icarus")

    def broken(component, name):
        files = emit(component, name)
        ((file, changed),) = ((file, text) for file, text in files.items() if " * " in text)
        return files | {file: changed.replace(" * ", " + ", 1)}

    monkeypatch.setattr(verify, "emit", broken)
    assert main(["verify", "tiny", "--bench", "pe", "--simulator", "icarus"]) == 1
    error = capsys.readouterr().err
    assert "1 of 1 benches fail, the first: pe with icarus: pe_keeps_its_weight" in error


def test_an_unknown_bench_is_bad_input(capsys):
    assert main(["verify", "tiny", "--bench", "turbo"]) == 2
    assert "bench must be one of pe, array, " in capsys.readouterr().err

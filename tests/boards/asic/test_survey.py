"""Standard cells, end to end: the digits network on the netlist of `tiny`."""

import json

import pytest

from stillflow.boards.asic.areas import Part
from stillflow.boards.cli import main
from stillflow.compiler.models import DIGITS


@pytest.fixture(scope="module")
def report(need_cells, tmp_path_factory):
    path = tmp_path_factory.mktemp("asic") / "report.json"
    options = ["--target", "osu018", "--run", str(DIGITS), "--json", str(path)]
    assert main(["synth", "tiny", *options]) == 0
    return json.loads(path.read_text())


def test_the_netlist_classifies_digits_bit_for_bit(report):
    assert report["run"]["mismatches"] == 0
    assert report["run"]["words"] > 8000
    assert report["run"]["cycles"] > 50_000


def test_parts_add_up_to_the_whole(report):
    top = report["blocks"][0]
    assert top["module"] == "stillflow"
    assert report["parts"].keys() == {part.value for part in Part}
    assert sum(report["parts"].values()) == pytest.approx(top["gates"])
    assert all(gates > 0 for gates in report["parts"].values())
    (pe,) = (block for block in report["blocks"] if block["module"].startswith("pe_"))
    assert 16 * pe["gates"] == pytest.approx(report["parts"][Part.PE.value])


def test_timing_is_that_of_real_paths(report):
    timing = report["timing"]
    assert 60 < timing["fmax_mhz"] < 200
    assert timing["setup"]["gates"] > 10
    assert 0 <= timing["setup"]["slack"] < timing["period_ns"]
    assert timing["hold"]["slack"] >= 0


def test_a_clock_that_is_too_fast_fails(need_cells, capsys):
    options = ["--target", "osu018", "--block", "pe", "--period", "1"]
    assert main(["synth", "tiny", *options]) == 1
    assert "setup is missed by " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--target", "ecp5", "--period", "5"], "--period must go with --target osu018, not ecp5"),
        (["--target", "ecp5", "--power"], "--power must go with --target osu018, not ecp5"),
        (["--target", "osu018", "--whole"], "--whole must go with --target ecp5, "),
        (
            ["--target", "osu018", "--block", "sram_1r1w_64x32"],
            "--block must have standard cells, ",
        ),
        (["--target", "osu018", "--power"], "--power must go with --run MODEL.onnx"),
        (
            ["--target", "osu018", "--run", "x.onnx", "--block", "pe"],
            "--run must go without --block",
        ),
        (["--target", "osu018", "--liberty", "no.lib"], "no.lib: No such file or directory"),
    ],
)
def test_bad_options_are_refused(options, message, capsys):
    assert main(["synth", "tiny", *options]) == 2
    assert f"stillflow: error: {message}" in capsys.readouterr().err

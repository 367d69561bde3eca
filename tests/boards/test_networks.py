"""`stillflow model`, the table of networks, and the ONNX package's cases."""

import json

import pytest

from stillflow.boards.cli import main, report_errors
from stillflow.boards.digits import digits
from stillflow.boards.networks import networks
from stillflow.boards.suite import node_cases, run_case, suite
from stillflow.hw.presets import TINY


def command(tool, *arguments):
    return report_errors(lambda: tool.main(list(arguments), standalone_mode=False))


def test_a_network_is_written_and_runs(tmp_path, capsys):
    path = tmp_path / "lenet5.onnx"
    assert main(["model", "lenet5", "-o", str(path), "--seed", "2"]) == 0
    assert "LeNet-5 (LeCun et al. 1998)" in capsys.readouterr().out
    assert main(["run", str(path), "--config", "tiny"]) == 0
    assert "0 words differ from the golden model, 0 from ONNX Runtime" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "-o", "x.onnx"], "'nothing' is not one of 'lenet5'"),
        (["lenet5", "-o", "nowhere/x.onnx"], "nowhere/x.onnx: No such file or directory"),
        (["lenet5", "-o", "x.onnx", "--seed", "-1"], "--seed must not be negative, not -1"),
    ],
)
def test_bad_input_of_model_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["model", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_layers_in_parallel_cost_what_one_doorbell_does(tmp_path, capsys):
    reports = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        options = ["--config", "tiny", "--jobs", jobs, "--json", str(path)]
        assert command(networks, "lenet5", *options) == 0
        reports.append(json.loads(path.read_text())["lenet5"])
    one, several = reports
    assert one["total"]["mismatches"] == 0
    assert one["layers"] == several["layers"]
    assert "veril" in capsys.readouterr().out


def test_trained_networks_classify_digits_on_the_rtl(capsys):
    assert command(digits, "--config", "tiny", "--digits", "12") == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| LeNet-5", "| residual", "| depthwise separable"]
    for row in rows:
        assert float(row[1].rstrip("%")) > 80
        assert row[2] == "12"
        assert row[4:] == ["0", "0 |"]


def test_cases_of_every_verdict(capsys):
    words = ["gemm_transposeB", "test_relu", "concat_2d_axis_0", "averagepool_2d_pads"]
    assert command(suite, *words, "--no-topologies") == 0
    lines = capsys.readouterr().out.splitlines()
    verdicts = {line.split()[1]: line.split()[0] for line in lines if line.startswith(("p", "u"))}
    assert verdicts["test_gemm_transposeB"] == "pass"
    assert verdicts["test_concat_2d_axis_0"] == "unsupported"
    assert "| all | 4 | 1 | 0 |" in lines


def test_a_wrong_word_is_a_failure(monkeypatch):
    from rich.console import Console

    from stillflow.sim import oracle

    case = next(case for case in node_cases() if case.name == "test_relu")
    monkeypatch.setattr(
        oracle.Oracle, "differences", lambda *_: oracle.Differences(wrong=3, rounded=0)
    )
    result = run_case(case, TINY, Console(quiet=True), "model")
    assert (result.verdict, result.reason[:1]) == ("fail", "0")

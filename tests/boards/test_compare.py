"""Dataflows side by side: the figures of their reports, energies that add up, files."""

import builtins
import json
from xml.etree import ElementTree

import pytest

from stillflow.boards.cli import main

PLAIN = ["compare", "lenet5", "--config", "tiny", "--layers", "C1,F6"]


def compared(tmp_path, *arguments):
    path = tmp_path / "comparison.json"
    assert main([*PLAIN, *arguments, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_every_dataflow_has_its_report_and_energies_that_add_up(tmp_path, capsys):
    found = compared(tmp_path)
    assert list(found["reports"]) == ["ws", "os", "nlr", "rs"]
    out = capsys.readouterr().out
    for flow, report in found["reports"].items():
        assert report["config"]["dataflow"] == flow
        assert report["config"]["glb_kib"] == 8
        bench = tmp_path / f"{flow}.json"
        same = ["--engine", "model", "--set", f"dataflow={flow}", "--json", str(bench)]
        assert main(["bench", *PLAIN[1:], *same]) == 0
        assert json.loads(bench.read_text())["total"] == report["total"]
        energy = sum(found["energy"][flow].values())
        # A report counts whole DRAM words.
        assert energy == pytest.approx(report["total"]["energy"], abs=200 * 4)
        assert f"{report['total']['cycles']:,}" in out


def test_the_rtl_gives_what_the_model_gives(tmp_path):
    model = compared(tmp_path, "--dataflows", "os")
    rtl = compared(tmp_path, "--dataflows", "os", "--engine", "verilator")
    assert rtl["energy"] == model["energy"]
    assert rtl["reports"]["os"]["bit_exact"] is True


def test_figures_are_written_and_the_same_again(tmp_path):
    for folder in ("one", "two"):
        compared(tmp_path, "-o", str(tmp_path / folder))
    names = {path.name for path in (tmp_path / "one").iterdir()}
    figures = ("energy", "utilization", "roofline")
    assert names == {f"{name}.{kind}" for name in figures for kind in ("png", "svg")}
    for name in names:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert len(content) > 2000
    drawn = ElementTree.parse(tmp_path / "one" / "energy.svg").getroot()
    words = {"".join(text.itertext()).strip() for text in drawn.iter() if text.tag.endswith("text")}
    assert {"ws", "os", "alu", "dram", "ifmap", "filter", "psum"} <= words


def test_without_matplotlib_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    imported = builtins.__import__

    def lacking(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", lacking)
    assert main([*PLAIN, "-o", str(tmp_path / "out")]) == 2
    assert "pip install stillflow[plot]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("dataflows", "message"),
    [
        ("ws,xs", "--dataflows must be among ws, os, nlr, rs, not 'xs'"),
        ("os,os", "--dataflows must name each once, not 'os,os'"),
        ("", "--dataflows must be among ws, os, nlr, rs, not ''"),
    ],
)
def test_unknown_dataflows_are_bad_input(capsys, dataflows, message):
    assert main([*PLAIN, "--dataflows", dataflows]) == 2
    assert message in capsys.readouterr().err

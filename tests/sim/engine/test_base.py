"""Behaviour that all engines share, on both of them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import (
    RESET_CYCLES,
    Engine,
    SimulationError,
    Traffic,
)

Launch = Callable[..., Engine]
RunCopy = Callable[..., int]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine

both = pytest.mark.parametrize("kind", ["verilator", "pysim"])


@both
def test_reset_forgets_what_is_in_flight(launch: Launch, run_copy: RunCopy, kind: str) -> None:
    engine = launch(kind, BITS)
    engine.inject("slverr", "r", 3)
    engine.inject("silent", "r", 20)
    with pytest.raises(TimeoutError):
        run_copy(engine, 64)
    cycles = engine.cycles
    engine.reset()
    assert engine.cycles == cycles
    assert engine.traffic == Traffic(0, 0, 0, 0, 0)
    assert run_copy(engine, 8) == 2 * 40 + 15
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE


@both
def test_interrupt_line_stays_high_until_software_clears_it(
    launch: Launch, run_copy: RunCopy, kind: str
) -> None:
    engine = launch(kind, BITS)
    assert not engine.irq
    run_copy(engine, 1)
    assert engine.irq
    assert engine.wait_irq(5) == 1
    engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
    assert not engine.irq
    with pytest.raises(TimeoutError, match=r"^no interrupt within 5 cycles$"):
        engine.wait_irq(5)


@both
def test_time_stands_still_between_calls(launch: Launch, kind: str) -> None:
    engine = launch(kind, BITS)
    assert engine.cycles == 0
    engine.step(17)
    engine.step()
    assert engine.cycles == 18
    engine.write_csr(OFFSETS["PROGRAM_ADDRESS"], 0xFFFF_FFFF)
    assert engine.cycles == 20
    assert engine.read_csr(OFFSETS["PROGRAM_ADDRESS"]) == 0xFFFF_FFFF
    assert engine.cycles == 22


@both
def test_a_register_that_answers_an_error_raises(launch: Launch, kind: str) -> None:
    engine = launch(kind, BITS)
    with pytest.raises(SimulationError, match=r"^register read at 0x080 answered SLVERR$"):
        engine.read_csr(0x80)
    with pytest.raises(SimulationError, match=r"^register write at 0x080 answered SLVERR$"):
        engine.write_csr(0x80, 1)


@both
def test_bad_arguments_are_refused(launch: Launch, kind: str) -> None:
    engine = launch(kind, BITS)
    calls: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
        (engine.read_csr, (2,), r"offset must be a multiple of 4 below 0x200, not 2"),
        (engine.read_csr, (512,), r"offset must be a multiple of 4 below 0x200, not 512"),
        (engine.write_csr, (0, -1), r"value must be an unsigned 32-bit number, not -1"),
        (
            engine.write_csr,
            (0, 1 << 32),
            r"value must be an unsigned 32-bit number, not 4294967296",
        ),
        (engine.wait_irq, (0,), r"max_cycles must be at least 1, not 0"),
        (engine.step, (-1,), r"cycles must be at least 0, not -1"),
        (engine.inject, ("x", "r", 0), r"kind must be one of slverr, decerr, silent, not 'x'"),
        (engine.inject, ("slverr", "ar", 0), r"channel must be one of r, w, not 'ar'"),
        (engine.inject, ("slverr", "r", -1), r"index must be at least 0, not -1"),
    ]
    for call, arguments, message in calls:
        with pytest.raises(ValueError, match=rf"^{message}$"):
            call(*arguments)
    assert engine.cycles == 0


@both
def test_memory_can_be_copied_in_and_out(launch: Launch, kind: str) -> None:
    engine = launch(kind, BITS, memory_bytes=4096)
    engine.write_memory(4090, b"\x01\x02\x03\x04\x05\x06")
    assert engine.read_memory(4088, 8) == b"\x00\x00\x01\x02\x03\x04\x05\x06"
    assert list(engine.memory[4090:]) == [1, 2, 3, 4, 5, 6]
    message = r"^address must leave room for 7 bytes in the DRAM's 4096, not 4090$"
    with pytest.raises(ValueError, match=message):
        engine.write_memory(4090, bytes(7))
    with pytest.raises(ValueError, match=message):
        engine.read_memory(4090, 7)


@both
@pytest.mark.parametrize("size", [0, 4095, (1 << 32) + 4096])
def test_memory_is_whole_pages(launch: Launch, kind: str, size: int) -> None:
    message = rf"^memory_bytes must be whole 4 KiB pages up to 4 GiB, not {size}$"
    with pytest.raises(ValueError, match=message):
        launch(kind, BITS, memory_bytes=size)


@both
def test_a_closed_engine_says_so(launch: Launch, kind: str) -> None:
    with launch(kind, BITS) as engine:
        engine.step(1)
    engine.close()
    with pytest.raises(ValueError, match=r"^the engine is closed$"):
        engine.step(1)


@both
def test_progress_is_reported_while_waiting(
    launch: Launch, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillflow.sim.engine.base._CHUNK_CYCLES", 100)
    seen: list[int] = []
    with pytest.raises(TimeoutError, match=r"^no interrupt within 250 cycles$"):
        launch(kind, BITS).wait_irq(250, progress=seen.append)
    assert seen == [100, 200, 250]


@both
def test_waveform_holds_the_run(
    launch: Launch, run_copy: RunCopy, kind: str, tmp_path: Path
) -> None:
    wave = tmp_path / "run.vcd"
    engine = launch(kind, BITS, wave=wave)
    run_copy(engine, 3)
    engine.close()
    text = wave.read_text()
    assert "m_axi_araddr" in text
    assert "irq" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    unit = {"1ps": 1e12, "1 ps": 1e12, "1fs": 1e15, "1 fs": 1e15}[
        text.split("$timescale")[1].split("$end")[0].strip()
    ]
    cycles = 4 * 2 + 2 * 40 + 2 * 3 - 1  # four register writes, then the wait
    assert times[-1] / unit == pytest.approx((RESET_CYCLES + cycles) * 10e-9, abs=10e-9)


def test_saif_counts_the_edges_of_the_clock(launch: Launch, tmp_path: Path) -> None:
    file = tmp_path / "run.saif"
    engine = launch("verilator", BITS, wave=file)
    engine.step(25)
    engine.close()
    counts = re.findall(r"\(clk \(T0 \d+\) \(T1 \d+\).*\(TC (\d+)\)\)", file.read_text())
    assert counts
    assert {int(count) for count in counts} == {2 * (RESET_CYCLES + 25) - 1}


def test_saif_on_a_full_disk_is_an_oserror(launch: Launch, tmp_path: Path) -> None:
    file = tmp_path / "run.saif"
    file.symlink_to("/dev/full")
    engine = launch("verilator", BITS, wave=file)
    engine.step(5)
    with pytest.raises(OSError, match="No space left on device"):
        engine.close()


@both
@pytest.mark.parametrize("name", ["run.txt", "run"])
def test_unknown_waveform_formats_are_refused(launch: Launch, kind: str, name: str) -> None:
    rule = "in .fst, .vcd or .saif" if kind == "verilator" else "in .vcd with this engine"
    with pytest.raises(ValueError, match=rf"^wave must end {rule}, not '{name}'$"):
        launch(kind, BITS, wave=name)


@both
def test_a_waveform_that_cannot_be_written_is_an_oserror(
    launch: Launch, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        launch(kind, BITS, wave=tmp_path / "nowhere" / "run.vcd")

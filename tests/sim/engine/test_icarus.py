"""The 4-state engine: as the others to the cycle."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import (
    DramTiming,
    SimulationError,
    Stalls,
    Traffic,
)
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.engine.pysim import PysimEngine

RunCopy = Callable[..., int]
LaunchIcarus = Callable[..., IcarusEngine]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine


@pytest.mark.parametrize("bits", [32, 64, 512])
@pytest.mark.parametrize("rate", [3, 8, 200])
@pytest.mark.parametrize("seed", [None, 0, 2**63 + 5])
def test_agrees_with_pysim_to_the_cycle(
    launch_icarus: LaunchIcarus,
    run_copy: RunCopy,
    copy_engine: Callable[..., wiring.Component],
    bits: int,
    rate: int,
    seed: int | None,
) -> None:
    options: dict[str, Any] = {
        "timing": DramTiming(latency=9, bytes_per_cycle=rate * bits // 64),
        "stalls": None if seed is None else Stalls(seed=seed, ar=0.5, aw=0.7, w=0.4, r=0.3, b=0.6),
        "memory_bytes": 1 << 16,
    }
    outcomes = []
    for engine in (launch_icarus(bits, **options), PysimEngine(copy_engine(bits), **options)):
        waited = run_copy(engine, 75)
        engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
        waited_again = run_copy(engine, 18, source=0x800, target=0x2000)
        status = engine.read_csr(OFFSETS["STATUS"])
        memory = engine.memory.tobytes()
        outcomes.append((waited, waited_again, engine.cycles, engine.traffic, status, memory))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][4] == DONE


def test_only_bytes_with_strobe_change(launch_icarus: LaunchIcarus, run_copy: RunCopy) -> None:
    engine = launch_icarus()
    engine.memory[:] = 0xA5
    engine.write_csr(OFFSETS["IRQ_ENABLE"], 0b0110_0001)
    run_copy(engine, 5)
    expected = engine.memory[:0x28].reshape(5, 8).copy()
    expected[:, [0, 5, 6]] = 0xA5
    assert np.array_equal(engine.memory[0x4000:0x4028].reshape(5, 8), expected)
    assert np.all(engine.memory[0x4028:] == 0xA5)


def test_memory_changed_between_jobs_is_what_the_core_reads(
    launch_icarus: LaunchIcarus, run_copy: RunCopy
) -> None:
    engine = launch_icarus(memory_bytes=1 << 15)
    for beats in (16, 15, 16):  # other data each time, but for the last
        run_copy(engine, beats)
        engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
        assert np.array_equal(engine.memory[0x4000:][: beats * 8], engine.memory[: beats * 8])
        engine.memory[:] = 0


def test_memory_reaches_to_4_gib(launch_icarus: LaunchIcarus, run_copy: RunCopy) -> None:
    engine = launch_icarus(memory_bytes=1 << 32)
    run_copy(engine, 4, source=0x7FFF_FFE0, target=0xFFFF_FFE0)
    copied = engine.read_memory(0xFFFF_FFE0, 32)
    assert copied == engine.read_memory(0x7FFF_FFE0, 32)
    assert any(copied)


@pytest.mark.parametrize("where", ["source", "target"])
def test_addresses_beyond_the_memory_answer_decerr(
    launch_icarus: LaunchIcarus, run_copy: RunCopy, where: str
) -> None:
    engine = launch_icarus(memory_bytes=0x8000)
    engine.memory[:] = 0x11
    names = {"source": "PROGRAM_ADDRESS", "target": "RECORD_ADDRESS"}
    for name in names.values():
        engine.write_csr(OFFSETS[name], 0x8000 if name == names[where] else 0x2000)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 4)
    engine.write_csr(OFFSETS["CONTROL"], 1)
    engine.wait_irq(1000)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED
    expected = np.full(0x8000, 0x11, np.uint8)
    if where == "source":
        expected[0x2000:0x2020] = 0
    assert np.array_equal(engine.memory, expected)


@pytest.mark.parametrize("fault", ["slverr", "decerr"])
@pytest.mark.parametrize(("channel", "index"), [("r", 20), ("w", 1)])
def test_an_injected_error_reaches_the_design(
    launch_icarus: LaunchIcarus, run_copy: RunCopy, fault: str, channel: str, index: int
) -> None:
    engine = launch_icarus()
    engine.inject(fault, channel, index)
    run_copy(engine, 32)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED


@pytest.mark.parametrize(("channel", "index"), [("r", 5), ("w", 0)])
def test_a_silent_channel_goes_on_when_faults_are_cleared(
    launch_icarus: LaunchIcarus, run_copy: RunCopy, channel: str, index: int
) -> None:
    engine = launch_icarus()
    engine.inject("silent", channel, index)
    with pytest.raises(TimeoutError, match=r"^no interrupt within 2000 cycles$"):
        run_copy(engine, 32)
    assert (engine.traffic.read_beats if channel == "r" else engine.traffic.acknowledged) == index
    engine.clear_faults()
    engine.wait_irq(200)
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE
    assert engine.read_memory(0x4000, 256) == engine.read_memory(0, 256)


def test_reset_forgets_what_is_in_flight(launch_icarus: LaunchIcarus, run_copy: RunCopy) -> None:
    engine = launch_icarus()
    engine.inject("slverr", "r", 3)
    engine.inject("silent", "r", 20)
    with pytest.raises(TimeoutError):
        run_copy(engine, 64)
    cycles = engine.cycles
    engine.reset()
    assert engine.cycles == cycles
    assert engine.traffic == Traffic(0, 0, 0, 0, 0)
    assert run_copy(engine, 8) == 2 * 40 + 15
    assert engine.irq
    engine.reset()
    assert not engine.irq


def test_a_burst_across_4_kib_is_reported_until_reset(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus()
    engine.write_csr(OFFSETS["PROGRAM_ADDRESS"], 0xFC0)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 9)
    message = r"^cycle 6: read burst at 0x00000fc0 crosses 4 KiB with 9 beats$"
    with pytest.raises(SimulationError, match=message):
        engine.write_csr(OFFSETS["CONTROL"], 1)
    with pytest.raises(SimulationError, match=message):
        engine.wait_irq(100)
    engine.reset()
    engine.step(100)


def test_an_offer_that_changes_before_it_is_taken_is_reported(
    launch_icarus: LaunchIcarus, run_copy: RunCopy
) -> None:
    engine = launch_icarus(spoil=("m_axi_araddr", "{count[26:0], 5'd0}"), stalls=Stalls(ar=0.9))
    message = r"^cycle \d+: arvalid or its payload changed before arready$"
    with pytest.raises(SimulationError, match=message):
        run_copy(engine, 64)


def test_a_register_that_answers_an_error_raises(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus()
    with pytest.raises(SimulationError, match=r"^register read at 0x080 answered SLVERR$"):
        engine.read_csr(0x80)
    with pytest.raises(SimulationError, match=r"^register write at 0x080 answered SLVERR$"):
        engine.write_csr(0x80, 1)


def test_no_answer_is_noticed(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus(spoil=("s_axil_rvalid", "1'b0"))
    message = r"^no answer to a register read at 0x000 in 1000 cycles$"
    with pytest.raises(SimulationError, match=message):
        engine.read_csr(0)

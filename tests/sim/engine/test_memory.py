"""The DRAM that all engines have beside them: timing, stalls, faults; on both of them."""

from collections.abc import Callable

import numpy as np
import pytest

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import (
    DramTiming,
    Engine,
    SimulationError,
    Stalls,
    Traffic,
)

Launch = Callable[..., Engine]
RunCopy = Callable[..., int]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine

both = pytest.mark.parametrize("kind", ["verilator", "pysim"])


@both
@pytest.mark.parametrize("bits", [32, 64, 128])
@pytest.mark.parametrize("beats", [1, 16, 37])
def test_copy_is_exact_at_every_width(
    launch: Launch, run_copy: RunCopy, kind: str, bits: int, beats: int
) -> None:
    engine = launch(kind, bits)
    engine.memory[:] = 0xA5
    run_copy(engine, beats)
    size = beats * bits // 8
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE
    assert engine.read_memory(0x4000, size) == engine.read_memory(0, size)
    assert not np.any(engine.memory[0x4000 + size :] != 0xA5)
    assert np.unique(engine.memory[:size]).size > 1
    bursts = -(-beats // 16)
    assert engine.traffic == Traffic(bursts, beats, bursts, beats, bursts)


@both
def test_bytes_without_strobe_stay(launch: Launch, run_copy: RunCopy, kind: str) -> None:
    engine = launch(kind, BITS)
    engine.memory[:] = 0xA5
    engine.write_csr(OFFSETS["IRQ_ENABLE"], 0b0110_0001)
    run_copy(engine, 5)
    masked = [0, 5, 6]
    copied, original = engine.memory[0x4000:0x4028], engine.memory[:0x28]
    expected = original.reshape(5, 8).copy()
    expected[:, masked] = 0xA5
    assert np.array_equal(copied.reshape(5, 8), expected)


# The job's first addresses are taken in the cycle after the one that takes the start. That cycle is
# the last of write_csr (its answer), so it is cycle 0 of wait_irq. Counted from there, with latency
# L, the first read beat is in cycle L; a write beat is offered together with its read beat, and
# the interrupt is in the cycle after the last acknowledgement.
@both
@pytest.mark.parametrize("latency", [1, 7, 40])
@pytest.mark.parametrize(
    ("beats", "rate", "cycles"),
    [
        # The last read beat in L; its write moves in L + 1, is acknowledged L later less one.
        (1, 8, lambda latency: 2 * latency + 1),
        # Reads in L..L+7, writes move in L+8..L+15: acknowledged in 2L+14.
        (8, 8, lambda latency: 2 * latency + 15),
        # Room for both: each write moves in the cycle after its read, the last in L+8.
        (8, 16, lambda latency: 2 * latency + 8),
        # More than both can use.
        (8, 1000, lambda latency: 2 * latency + 8),
        # Half a beat per cycle: reads in L, L+2, ..., L+14, writes in L+16, ..., L+30.
        (8, 4, lambda latency: 2 * latency + 30),
        # Three quarters, with 13 bytes saved: the reads take 1, 1, 2, 1, 1, ... cycles.
        # Saved and gained by cycle L + n: 13 + 6n. So beat k (from 0) moves in
        # L + ceil((8k - 5) / 6), the last of all sixteen in L + ceil(115 / 6) = L + 20.
        (8, 6, lambda latency: 2 * latency + 20),
        # Two bursts: reads, then writes (they go first) of the first; the same of the second.
        (32, 8, lambda latency: 2 * latency + 63),
    ],
)
def test_cycles_are_as_calculated_by_hand(
    launch: Launch,
    run_copy: RunCopy,
    kind: str,
    latency: int,
    beats: int,
    rate: int,
    cycles: Callable[[int], int],
) -> None:
    timing = DramTiming(latency=latency, bytes_per_cycle=rate)
    engine = launch(kind, BITS, timing=timing)
    assert run_copy(engine, beats) == cycles(latency)
    assert engine.read_csr(OFFSETS["LAYER"]) == cycles(latency)  # the design's own clock


@both
def test_a_beat_per_cycle_is_the_default(launch: Launch, run_copy: RunCopy, kind: str) -> None:
    assert run_copy(launch(kind, BITS), 8) == 2 * 40 + 15


@pytest.mark.parametrize("rate", [3, 8, 13, 16])
@pytest.mark.parametrize("seed", [None, 0, 1, 2**63 + 5])
def test_engines_agree_to_the_cycle(
    launch: Launch, run_copy: RunCopy, rate: int, seed: int | None
) -> None:
    outcomes = []
    for kind in ("verilator", "pysim"):
        stalls = None if seed is None else Stalls(seed=seed, ar=0.5, aw=0.7, w=0.4, r=0.3, b=0.6)
        timing = DramTiming(latency=9, bytes_per_cycle=rate)
        engine = launch(kind, BITS, timing=timing, stalls=stalls)
        waited = run_copy(engine, 75)
        engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
        waited_again = run_copy(engine, 18, source=0x800, target=0x2000)
        status = engine.read_csr(OFFSETS["STATUS"])
        memory = engine.memory.tobytes()
        outcomes.append((waited, waited_again, engine.cycles, engine.traffic, status, memory))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][4] == DONE


@both
@pytest.mark.parametrize("channel", ["ar", "aw", "w", "r", "b"])
def test_each_channel_can_stall_without_harm_to_the_data(
    launch: Launch, run_copy: RunCopy, kind: str, channel: str
) -> None:
    options = dict.fromkeys(("ar", "aw", "w", "r", "b"), 0.0) | {channel: 0.97}
    timing = DramTiming(latency=1)  # a long one would hide the stalls of addresses
    stalled = launch(kind, BITS, timing=timing, stalls=Stalls(seed=4, **options))
    assert run_copy(stalled, 40) > run_copy(launch(kind, BITS, timing=timing), 40)
    assert stalled.read_memory(0x4000, 320) == stalled.read_memory(0, 320)
    assert stalled.read_csr(OFFSETS["STATUS"]) == DONE


@both
@pytest.mark.parametrize("fault", ["slverr", "decerr"])
@pytest.mark.parametrize(("channel", "index"), [("r", 0), ("r", 20), ("w", 1)])
def test_an_injected_error_reaches_the_design(
    launch: Launch, run_copy: RunCopy, kind: str, fault: str, channel: str, index: int
) -> None:
    engine = launch(kind, BITS)
    engine.inject(fault, channel, index)
    run_copy(engine, 32)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED


@both
@pytest.mark.parametrize(("channel", "index"), [("r", 32), ("w", 2)])
def test_a_fault_that_is_never_reached_does_nothing(
    launch: Launch, run_copy: RunCopy, kind: str, channel: str, index: int
) -> None:
    engine = launch(kind, BITS)
    engine.inject("slverr", channel, index)
    run_copy(engine, 32)
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE


@both
@pytest.mark.parametrize(("channel", "index"), [("r", 5), ("w", 0)])
def test_a_silent_channel_goes_on_when_faults_are_cleared(
    launch: Launch, run_copy: RunCopy, kind: str, channel: str, index: int
) -> None:
    engine = launch(kind, BITS)
    engine.inject("silent", channel, index)
    with pytest.raises(TimeoutError, match=r"^no interrupt within 2000 cycles$"):
        run_copy(engine, 32)
    assert (engine.traffic.read_beats if channel == "r" else engine.traffic.acknowledged) == index
    engine.clear_faults()
    engine.wait_irq(200)
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE
    assert engine.read_memory(0x4000, 256) == engine.read_memory(0, 256)


@both
@pytest.mark.parametrize("where", ["source", "target"])
def test_addresses_beyond_the_memory_answer_decerr(
    launch: Launch, run_copy: RunCopy, kind: str, where: str
) -> None:
    engine = launch(kind, BITS, memory_bytes=0x8000)
    engine.memory[:] = 0x11
    for name in ("PROGRAM_ADDRESS", "RECORD_ADDRESS"):
        engine.write_csr(OFFSETS[name], 0x2000)
    address = {"source": "PROGRAM_ADDRESS", "target": "RECORD_ADDRESS"}[where]
    engine.write_csr(OFFSETS[address], 0x8000)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 4)
    engine.write_csr(OFFSETS["CONTROL"], 1)
    engine.wait_irq(1000)
    assert engine.read_csr(OFFSETS["STATUS"]) == FAILED
    expected = np.full(0x8000, 0x11, np.uint8)
    if where == "source":
        expected[0x2000:0x2020] = 0
    assert np.array_equal(engine.memory, expected)
    engine.write_csr(OFFSETS["IRQ_STATUS"], 1)
    run_copy(engine, 4)
    assert engine.read_csr(OFFSETS["STATUS"]) == DONE


@both
@pytest.mark.parametrize("where", ["PROGRAM_ADDRESS", "RECORD_ADDRESS"])
def test_a_burst_across_4_kib_is_reported(launch: Launch, kind: str, where: str) -> None:
    engine = launch(kind, BITS)
    engine.write_csr(OFFSETS[where], 0xFC0)
    engine.write_csr(OFFSETS["PROGRAM_LENGTH"], 9)
    name = {"PROGRAM_ADDRESS": "read", "RECORD_ADDRESS": "write"}[where]
    message = rf"^cycle 6: {name} burst at 0x00000fc0 crosses 4 KiB with 9 beats$"
    with pytest.raises(SimulationError, match=message):
        engine.write_csr(OFFSETS["CONTROL"], 1)
    with pytest.raises(SimulationError, match=message):
        engine.wait_irq(100)
    engine.reset()
    engine.step(100)

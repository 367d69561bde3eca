"""The Python twin by itself; test_base.py holds both twins to each other."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.sim.engine.base import Stalls
from stillflow.sim.engine.dram import Dram

BEAT = 4
NAMES = """arvalid araddr arlen arsize arburst arid rready awvalid awaddr awlen awsize awburst awid
wvalid wdata wstrb wlast bready"""
IDLE = dict.fromkeys(NAMES.split(), 0) | {"rready": 1, "bready": 1}


def read(address: int, beats: int, **other: int) -> dict[str, int]:
    """Pins that ask for a read."""
    request = {"arvalid": 1, "araddr": address, "arlen": beats - 1, "arsize": 2, "arburst": 1}
    return IDLE | request | other


def write(address: int, beats: int) -> dict[str, int]:
    """Pins that ask for a write."""
    return {"awvalid": 1, "awaddr": address, "awlen": beats - 1, "awsize": 2, "awburst": 1}


def data(value: int, *, last: bool = False, strobe: int = 15) -> dict[str, int]:
    """Pins that give a beat."""
    return {"wvalid": 1, "wdata": value, "wstrb": strobe, "wlast": int(last)}


class Bench:
    """A DRAM of 4 KiB whose word ``i`` holds ``i``."""

    def __init__(self, *, latency: int = 5, rate: int = BEAT, stalls: Stalls | None = None) -> None:
        self.memory = np.arange(1024, dtype="<u4").view(np.uint8)
        self.dram = Dram(self.memory, BEAT, latency, rate, stalls)

    def run(self, cycles: int, script: dict[int, Any]) -> tuple[dict[int, int], list[int]]:
        """Drive pins by cycle: read data by cycle, and the cycles of the acknowledgements."""
        values, acks = {}, []
        for cycle in range(cycles):
            pins = self.dram.begin()
            core = IDLE | script.get(cycle, {})
            if pins["rvalid"] and core["rready"]:
                values[cycle] = pins["rdata"]
            if pins["bvalid"] and core["bready"]:
                acks.append(cycle)
            self.dram.end(core)
        assert self.dram.failure.message == ""
        return values, acks

    def words(self, start: int, count: int) -> list[int]:
        """Words of the memory."""
        return self.memory.view("<u4")[start : start + count].tolist()


def test_reads_in_flight_follow_each_other_without_a_gap() -> None:
    values, _ = Bench().run(20, {2: read(0x10, 2), 3: read(0x40, 3)})
    assert values == {7: 4, 8: 5, 9: 16, 10: 17, 11: 18}


def test_a_write_is_acknowledged_latency_after_its_last_beat() -> None:
    bench = Bench()
    _, acks = bench.run(20, {1: write(0x20, 2) | data(70), 4: data(71, last=True)})
    assert acks == [9]
    assert bench.words(7, 4) == [7, 70, 71, 10]


def test_data_may_precede_their_address() -> None:
    bench = Bench()
    _, acks = bench.run(20, {0: data(70), 1: data(71, last=True), 6: write(0x20, 2)})
    assert acks == [6 + 1 + 5]  # moved in 7 and 8: as if the last beat were taken in 7
    assert bench.words(8, 2) == [70, 71]


def test_strobes_choose_bytes() -> None:
    bench = Bench()
    bench.memory[0:4] = 0xEE
    bench.run(9, {0: write(0, 1) | data(0x44332211, last=True, strobe=0b0101)})
    assert bench.memory[:4].tolist() == [0x11, 0xEE, 0x33, 0xEE]


def test_a_waiting_write_goes_before_a_read_that_is_due() -> None:
    script = {0: read(0, 2), 4: write(0x80, 2) | data(1), 5: data(2, last=True)}
    values, acks = Bench().run(20, script)
    assert values == {7: 0, 8: 1}
    assert acks == [10]


def test_a_read_that_has_begun_goes_before_a_write() -> None:
    script = {0: read(0, 3), 5: write(0x80, 1) | data(1, last=True)}
    values, acks = Bench().run(20, script)
    assert values == {5: 0, 6: 1, 7: 2}
    assert acks == [8 - 1 + 5]


def test_between_two_read_bursts_a_write_goes_first() -> None:
    script = {0: read(0, 2), 1: read(0x40, 2), 5: write(0x80, 1) | data(1, last=True)}
    values, acks = Bench().run(20, script)
    assert values == {5: 0, 6: 1, 8: 16, 9: 17}
    assert acks == [7 - 1 + 5]


def test_a_write_that_waits_for_data_does_not_hold_up_reads() -> None:
    script = {0: read(0, 2), 4: write(0x80, 2) | data(1), 12: data(2, last=True)}
    values, acks = Bench().run(24, script)
    assert values == {6: 0, 7: 1}
    assert acks == [12 + 5]


def test_a_core_that_does_not_take_data_does_not_hold_up_writes() -> None:
    busy = {cycle: {"rready": 0} for cycle in range(5, 15)}
    script = busy | {0: read(0, 4), 6: busy[6] | write(0x80, 1) | data(9, last=True)}
    values, acks = Bench().run(24, script)
    assert values == {15: 0, 16: 1, 17: 2, 18: 3}
    assert acks == [9 - 1 + 5]


def test_a_read_shows_memory_as_it_is_when_it_is_presented() -> None:
    values, _ = Bench().run(12, {0: read(0, 1), 3: write(0, 1) | data(55, last=True)})
    assert values == {5: 55}


@settings(max_examples=50, deadline=None)
@given(
    rate=st.integers(1, 12),
    bursts=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 16)), min_size=1, max_size=12),
)
def test_no_window_moves_more_than_its_share(rate: int, bursts: list[tuple[int, int]]) -> None:
    script = {cycle: read(0, beats) for cycle, beats in bursts}
    values, _ = Bench(rate=rate).run(1100, script)
    moved = sorted(values)
    assert len(moved) == sum(len(range(pins["arlen"] + 1)) for pins in script.values())
    for first, start in enumerate(moved):
        for last in range(first, len(moved)):
            window = moved[last] - start + 1
            assert (last - first + 1) * BEAT <= window * rate + BEAT - 1


@settings(max_examples=30, deadline=None)
@given(rate=st.integers(1, 3), beats=st.integers(2, 16))
def test_a_slow_memory_loses_no_bandwidth(rate: int, beats: int) -> None:
    values, _ = Bench(rate=rate).run(5 + beats * BEAT + 8, {0: read(0, beats)})
    first, last = min(values), max(values)
    assert first == 5
    assert last - first <= -(-(beats - 1) * BEAT // rate)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            [write(0x20, 2) | data(1, last=True)],
            "wlast is 1 in beat 1 of 2 of the write burst at 0x00000020",
        ),
        ([write(0x20, 1) | data(1)], "wlast is 0 in beat 1 of 1 of the write burst at 0x00000020"),
        ([read(0, 1, arburst=0)], "read burst at 0x00000000 is of type 0, not INCR"),
        ([read(4, 1, arsize=1)], "read burst at 0x00000004 has beats of 2 bytes, not 4"),
        (
            [write(0xFFC, 2) | data(1)],
            "write burst at 0x00000ffc crosses 4 KiB with 2 beats",
        ),
    ],
)
def test_what_the_protocol_forbids_is_reported(script: list[dict[str, int]], message: str) -> None:
    bench = Bench()
    with pytest.raises(AssertionError):
        bench.run(4, dict(enumerate(script)))
    assert bench.dram.failure.message == message


@pytest.mark.parametrize(
    ("first", "then", "channel"),
    [
        (read(0, 1), {}, "ar"),
        (read(0, 1), read(4, 1), "ar"),
        (write(0, 1), write(0, 2), "aw"),
        (data(1), data(2), "w"),
        (data(1), {}, "w"),
    ],
)
def test_an_offer_must_stay_until_it_is_taken(
    first: dict[str, int], then: dict[str, int], channel: str
) -> None:
    never = 1 - 2**-31
    bench = Bench(stalls=Stalls(ar=never, aw=never, w=never, r=0, b=0))
    with pytest.raises(AssertionError):
        bench.run(2, {0: first, 1: then})
    message = f"{channel}valid or its payload changed before {channel}ready"
    assert bench.dram.failure.message == message


def test_reads_before_a_whole_beat_use_its_lanes() -> None:
    values, _ = Bench().run(10, {0: read(0x11, 2)})
    assert list(values.values()) == [4, 5]

import pytest

from stillflow.hw.system.sdram_timing import SdramTiming


def test_cycles_are_enough():
    timing = SdramTiming(clock=50e6)
    assert [timing.cycles(ns) for ns in (1, 20, 20.1, 200_000)] == [1, 1, 2, 10_000]
    assert timing.size == 32 << 20


@pytest.mark.parametrize("clock", [20e6, 25e6, 40e6, 50e6, 64e6, 80e6, 100e6, 133e6])
@pytest.mark.parametrize("latency", [2, 3])
def test_the_edge_that_takes_a_word_finds_it_there(clock, latency):
    timing = SdramTiming(clock=20e6, lag=0.5, cas_latency=latency).at(clock)
    assert timing.margin_ns > 1
    assert 0 < timing.lag < 1
    # The device sends the word behind the edge before its latency's end.
    sent = (timing.lag + latency - 1) * timing.period_ns + timing.round_trip_ns
    assert sent + timing.access_ns < timing.capture * timing.period_ns
    assert timing.capture * timing.period_ns < sent + timing.period_ns + timing.hold_ns


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cas_latency": 4}, "cas_latency must be 2 or 3, not 4"),
        ({"clock": 1e5}, "clock must leave time between refreshes, not 100000.0"),
        ({"lag": 0.0}, "lag must let words come between edges, not 0.0"),
    ],
)
def test_what_cannot_be_is_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        SdramTiming(**({"clock": 50e6} | keys))


def test_no_lag_serves_a_clock_that_is_too_fast():
    with pytest.raises(ValueError, match="clock must be one that the SDRAM can have, not 400 MHz"):
        SdramTiming(clock=50e6).at(400e6)

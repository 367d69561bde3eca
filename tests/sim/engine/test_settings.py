from typing import Any

import pytest

from stillflow.sim.engine.settings import DramTiming, Stalls


def test_defaults_are_those_of_the_command_line() -> None:
    assert DramTiming() == DramTiming(latency=40, bytes_per_cycle=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latency": 0}, r"^latency must be at least 1, not 0$"),
        ({"bytes_per_cycle": 0}, r"^bytes_per_cycle must be at least 1, not 0$"),
    ],
)
def test_timing_out_of_range_is_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DramTiming(**options)


@pytest.mark.parametrize(("name", "value"), [("latency", 1.5), ("bytes_per_cycle", True)])
def test_timing_takes_integers_only(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be an integer, not {value!r}$"):
        DramTiming(**{name: value})


def test_stall_thresholds_are_in_the_order_of_the_draws() -> None:
    stalls = Stalls(ar=0, aw=0.5, w=0.25, r=0.125, b=0.75)
    assert stalls.thresholds() == (0, 1 << 31, 1 << 30, 1 << 29, 3 << 30)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5])
def test_a_memory_that_never_moves_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=rf"^r must be at least 0 and below 1, not {value!r}$"):
        Stalls(r=value)


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^seed must be at least 0, not -1$"):
        Stalls(seed=-1)

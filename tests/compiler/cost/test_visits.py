"""Cutting transfers into bursts."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.cost.visits import PAGE_BYTES, Bursts, runs_of
from stillflow.hw.presets import EDGE16


@given(st.integers(0, 1 << 16), st.integers(1, 2000))
def test_bursts_are_legal_and_counted(address, beats):
    bursts = Bursts(EDGE16)
    place = bursts.place(address)
    sizes = bursts.sizes(place, beats)
    assert sum(sizes) == beats
    assert len(sizes) == bursts.count(place, beats)
    assert sizes[0] == bursts.first(place, beats)
    at = address // EDGE16.axi_bytes * EDGE16.axi_bytes
    for size in sizes:
        end = at + size * EDGE16.axi_bytes
        assert 1 <= size <= EDGE16.max_burst_beats
        assert at // PAGE_BYTES == (end - 1) // PAGE_BYTES
        at = end


@given(st.lists(st.integers(1, 3), max_size=12))
def test_runs_join_equal_neighbours(lengths):
    runs = runs_of(lengths)
    assert [lines for lines, times in runs for _ in range(times)] == lengths
    assert all(a[0] != b[0] for a, b in pairwise(runs))

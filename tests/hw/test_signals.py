"""Signals that are made together."""

from amaranth.lib import data

from stillflow.hw.signals import signals


def test_each_has_its_name_and_the_shape() -> None:
    first, second = signals("first second", 8)
    assert (first.name, second.name) == ("first", "second")
    assert first.shape() == second.shape()
    assert len(first) == 8


def test_a_shape_with_fields_gives_its_view() -> None:
    (pair,) = signals("pair", data.StructLayout({"low": 3, "high": 5}))
    assert (len(pair.low), len(pair.high)) == (3, 5)

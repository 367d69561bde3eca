"""Signals that are made together."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.sim import Simulator

from stillflow.hw.signals import signals, times


def test_each_has_its_name_and_the_shape() -> None:
    first, second = signals("first second", 8)
    assert (first.name, second.name) == ("first", "second")
    assert first.shape() == second.shape()
    assert len(first) == 8


def test_a_shape_with_fields_gives_its_view() -> None:
    (pair,) = signals("pair", data.StructLayout({"low": 3, "high": 5}))
    assert (len(pair.low), len(pair.high)) == (3, 5)


@pytest.mark.parametrize("constant", [1, 2, 3, 7, 12, 13, 15, 127])
def test_times_is_the_product(constant):
    value, product = Signal(5), Signal(12)
    m = Module()
    m.d.comb += product.eq(times(value, constant))

    async def check(ctx):
        for number in range(32):
            ctx.set(value, number)
            assert ctx.get(product) == number * constant

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()

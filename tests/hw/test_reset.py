"""Names of resets; test_styles runs them."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from stillflow.hw.reset import ResetStyle
from stillflow.hw.unit import VerilogPlatform, convert


class Count(wiring.Component):
    o_count: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o_count.eq(self.o_count + 1)
        return m


@pytest.mark.parametrize("active_low", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_port_says_its_level(active_low, asynchronous):
    style = ResetStyle(active_low=active_low, asynchronous=asynchronous)
    made = convert(Count(), "count", VerilogPlatform(reset=style), top=True)
    assert made.ports == ("clk", "rst_n" if active_low else "rst", "o_count")


@pytest.mark.parametrize("active_low", [False, True])
def test_a_unit_inside_keeps_rst(active_low):
    style = ResetStyle(active_low=active_low, asynchronous=True)
    assert convert(Count(), "count", VerilogPlatform(reset=style)).ports[:2] == ("clk", "rst")

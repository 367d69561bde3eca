import re

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.unit import VerilogPlatform, convert, unit


class Register(wiring.Component):
    """A register of some width, after some gates."""

    i: Signal
    o: Signal

    def __init__(self, width, *, domain="sync", name=None, key=None):
        self.width = width
        self.domain = domain
        self.unit_name = name or f"register_{width}"
        self.unit_key = key or width
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.d[self.domain] += self.o.eq(self.i + 1)
        return m


class Pair(wiring.Component):
    """Two registers in a row: a unit made of units."""

    unit_name = "pair"
    unit_key = ()

    i: In(4)
    o: Out(4)

    def elaborate(self, platform):
        m = Module()
        first, second = Register(4), Register(4)
        m.submodules.first = unit(platform, first)
        m.submodules.second = unit(platform, second)
        m.d.comb += [first.i.eq(self.i), second.i.eq(first.o), self.o.eq(second.o)]
        return m


class Gate(wiring.Component):
    """Nothing clocked, structured ports."""

    i_bus: wiring.PureInterface
    o_bus: wiring.PureInterface

    unit_name = "gate"
    unit_key = ()

    def __init__(self):
        bus = wiring.Signature({"valid": Out(1), "words": Out(data.ArrayLayout(3, 2))})
        super().__init__({"i_bus": In(bus), "o_bus": Out(bus), "o_none": Out(0)})

    def elaborate(self, platform):
        m = Module()
        wiring.connect(m, wiring.flipped(self.i_bus), wiring.flipped(self.o_bus))
        return m


def cells(rtlil):
    return re.findall(r"cell \\(\w+) \\(\w+)", rtlil)


def test_elsewhere_the_component_itself_is_the_submodule():
    component = Register(4)
    assert unit(None, component) is component


def test_units_within_units_are_converted_once():
    class Top(wiring.Component):
        i: In(4)
        o: Out(4)

        def elaborate(self, platform):
            m = Module()
            word = self.i
            for n in range(3):
                m.submodules[f"pair_{n}"] = unit(platform, pair := Pair())
                m.d.comb += pair.i.eq(word)
                word = pair.o
            m.d.comb += self.o.eq(word)
            return m

    platform = VerilogPlatform()
    top = convert(Top(), "top", platform, top=True)
    assert list(platform.units) == ["register_4", "pair"]
    assert sorted(cells(top.rtlil)) == [("pair", f"pair_{n}") for n in range(3)]
    assert cells(platform.units["pair"].rtlil) == [
        ("register_4", "first"),
        ("register_4", "second"),
    ]
    assert r"wire width 4 \pair_1_o" in top.rtlil
    assert top.ports == platform.units["pair"].ports == ("clk", "rst", "i", "o")


def test_ports_are_flat_and_unused_clocks_left_out():
    platform = VerilogPlatform()
    made = platform.add(Gate())
    assert made.ports == ("i_bus_valid", "i_bus_words", "o_bus_valid", "o_bus_words")
    assert re.findall(r"(?:input|output) (\d+) .*?\\(\w+)", made.rtlil) == [
        ("1", "i_bus_valid"),
        ("2", "i_bus_words"),
        ("3", "o_bus_valid"),
        ("4", "o_bus_words"),
    ]


def test_top_keeps_clock_and_reset():
    assert convert(Gate(), "top", VerilogPlatform(), top=True).ports[:2] == ("clk", "rst")


def test_a_macro_is_not_elaborated_and_has_no_reset():
    class Macro(Register):
        def elaborate(self, platform):
            raise AssertionError

    platform = VerilogPlatform(is_macro=lambda name: name == "register_4")
    made = platform.add(macro := Macro(4))
    unit(platform, macro)
    assert made.ports == ("clk", "i", "o")
    assert made.rtlil == ""


def test_a_renamed_domain_clocks_the_instance():
    class Top(wiring.Component):
        i_clk: In(1)
        i: In(4)
        o: Out(4)

        def elaborate(self, platform):
            m = Module()
            m.domains.fast = ClockDomain(reset_less=True)
            register = Register(4)
            m.submodules.register = DomainRenamer("fast")(unit(platform, register))
            m.d.comb += [
                ClockSignal("fast").eq(self.i_clk),
                register.i.eq(self.i),
                self.o.eq(register.o),
            ]
            return m

    text = convert(Top(), "top", VerilogPlatform(), top=True).rtlil
    assert r"connect \clk \i_clk [0]" in text
    assert r"connect \rst 1'0" in text


def test_one_name_for_different_parameters_is_refused():
    platform = VerilogPlatform()
    platform.add(Register(4, name="register"))
    for other in (Register(5, name="register"), Register(4, name="register", key="other")):
        message = r"^unit_name must name one unit; 'register' has different parameters$"
        with pytest.raises(ValueError, match=message):
            platform.add(other)


def test_a_name_must_be_an_identifier():
    component = Register(4, name="4-bit")
    with pytest.raises(ValueError, match=r"^unit_name must be a Verilog identifier, not '4-bit'$"):
        VerilogPlatform().add(component)


def test_other_clock_domains_are_refused():
    message = r"^clock domains of register_4 must be 'sync' alone, not 'fast'$"
    with pytest.raises(ValueError, match=message):
        VerilogPlatform().add(Register(4, domain="fast"))


def test_ports_that_flatten_to_one_name_are_refused():
    class Clash(wiring.Component):
        unit_name = "clash"
        unit_key = ()

        def __init__(self):
            super().__init__(
                {"i_bus": In(wiring.Signature({"valid": Out(1)})), "i_bus_valid": In(1)}
            )

        def elaborate(self, platform):
            return Module()

    component = Clash()
    message = r"^ports of clash must have distinct names, not 'i_bus_valid' twice$"
    with pytest.raises(ValueError, match=message):
        VerilogPlatform().add(component)

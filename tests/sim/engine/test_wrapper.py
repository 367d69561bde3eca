from collections.abc import Callable

import pytest
from amaranth.hdl import Value
from amaranth.lib import wiring

from stillflow.sim.engine.wrapper import ports, wrapper


@pytest.mark.parametrize("bits", [32, 512])
def test_ports_are_those_of_the_accelerator(
    copy_engine: Callable[..., wiring.Component], bits: int
) -> None:
    flows = {
        name: (member.flow == wiring.In, Value.cast(port).shape().width)
        for (name,), member, port in _members(copy_engine(bits))
    }
    assert {name: kind for name, *kind in _listed(bits)} == {
        name: list(kind) for name, kind in flows.items()
    }


def _listed(bits: int) -> list[tuple[str, bool, int]]:
    return [port for port in ports(bits) if port[0] != "rst"]


def _members(component: wiring.Component) -> list[tuple[tuple[str], wiring.Member, Value]]:
    component._MustUse__used = True  # type: ignore[attr-defined]
    return list(component.signature.flatten(component))


def test_inputs_go_through_registers_and_outputs_do_not() -> None:
    text = wrapper(32)
    assert "    m_axi_rdata_q <= m_axi_rdata;" in text
    assert ".m_axi_rdata(m_axi_rdata_q)" in text
    assert ".m_axi_wdata(m_axi_wdata)" in text
    assert "m_axi_wdata_q" not in text

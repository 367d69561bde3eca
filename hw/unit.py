"""Distinct design units: a repeated component is converted once and instantiated.

Amaranth emits one module per submodule object. A component that occurs often (a PE, an adder tree,
an SRAM bank) therefore says what it is called, and its parent adds it through `unit`::

    pe = PE(config)
    m.submodules[f"pe_{row}"] = unit(platform, pe)

In simulation that is the component itself. On a `VerilogPlatform` it is an instance of the unit,
with the component's own port signals as wires, and only the first component of a name is
elaborated. Units may contain units.
"""

import re
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Fragment,
    Instance,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring
from amaranth.lib.fifo import FIFOInterface

from stillflow.hw.reset import ResetStyle, add_reset
from stillflow.hw.unit_names import name_ports, name_wires

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PORT = re.compile(r"^  wire width \d+ (?:input|output) (\d+) .*?\\(\w+)$", re.MULTILINE)


class UnitComponent(Protocol):
    """A component that occurs more than once in a design.

    Its clocked logic is in the domain ``sync``, which a parent may rename. `ResetInserter` and
    `EnableInserter` do not reach into a unit: give it a port for that. Components that are never
    elaborated should cost little: make subcomponents in ``elaborate``.

    Attributes
    ----------
    unit_name : str
        Verilog module name, made of the class and its parameters.
    unit_key : Hashable
        The parameters. Components with equal names must have equal keys.
    """

    @property
    def unit_name(self) -> str:
        """Module name."""
        ...

    @property
    def unit_key(self) -> Hashable:
        """Parameters."""
        ...

    @property
    def signature(self) -> wiring.Signature:
        """Ports."""
        ...

    def elaborate(self, platform: object) -> Any:
        """Build the unit."""
        ...


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A component that has been converted.

    Parameters
    ----------
    name : str
        Module name.
    key : Hashable
        Class, parameters and signature of the component.
    ports : tuple[str, ...]
        Port names in the order of the module's header: clock and reset (where used), then the
        members of the signature.
    rtlil : str
        The module and those inside it that are no units; empty for a macro.
    sources : dict[str, type]
        For each of these modules, by its name, the class of which it is made.
    """

    name: str
    key: Hashable
    ports: tuple[str, ...]
    rtlil: str
    sources: dict[str, type] = field(default_factory=dict)


@dataclass
class VerilogPlatform:
    """Collects the units of a design while it is elaborated.

    Parameters
    ----------
    is_macro : Callable[[str], bool]
        Whether the target has a macro of this unit name. A macro is instantiated and not
        converted; it has a clock and no reset.
    reset : ResetStyle
        How the design is reset.
    units : dict[str, Unit]
        What was collected, inner units first.
    """

    is_macro: Callable[[str], bool] = lambda name: False
    reset: ResetStyle = field(default_factory=ResetStyle)
    units: dict[str, Unit] = field(default_factory=dict)

    def add(self, component: UnitComponent) -> Unit:
        """Convert a component, unless an equal one is there.

        Raises
        ------
        ValueError
            If the name is no identifier or belongs to a different component, or the component
            cannot be converted (see `convert`).
        """
        name = component.unit_name
        key = (type(component), component.unit_key, tuple(_shapes(component)))
        if name not in self.units:
            if not _NAME.fullmatch(name):
                raise ValueError(f"unit_name must be a Verilog identifier, not {name!r}")
            if self.is_macro(name):
                ports = ("clk", *(port for port, _, _ in port_signals(component)))
                made = Unit(name=name, key=key, ports=ports, rtlil="")
            else:
                made = convert(component, name, self, key=key)
            self.units[name] = made
        if self.units[name].key != key:
            raise ValueError(f"unit_name must name one unit; {name!r} has different parameters")
        return self.units[name]


def unit(platform: object, component: UnitComponent) -> UnitComponent:
    """Make a submodule of a component that occurs more than once.

    Parameters
    ----------
    platform : object
        As given to the parent's ``elaborate``.
    component : UnitComponent
        The component, whose ports the parent connects.

    Returns
    -------
    UnitComponent
        For ``m.submodules``: the component, or on a `VerilogPlatform` an instance of its unit.

    Raises
    ------
    ValueError
        See `VerilogPlatform.add`.
    """
    if not isinstance(platform, VerilogPlatform):
        return component
    made = platform.add(component)
    # What Amaranth itself sets on elaboration; else it warns of a component that is not used.
    setattr(component, "_MustUse__used", True)  # noqa: B010
    clocks = {"clk": ClockSignal("sync"), "rst": ResetSignal("sync", allow_reset_less=True)}
    wires = [("i", port, clocks[port]) for port in made.ports if port in clocks]
    for port, is_input, value in port_signals(component):
        wires.append(("i" if is_input else "o", port, value))
    return cast(UnitComponent, Instance(made.name, *wires))


def convert(
    component: UnitComponent | wiring.Component,
    name: str,
    platform: VerilogPlatform,
    *,
    key: Hashable = None,
    top: bool = False,
) -> Unit:
    """Convert a component to RTLIL and add the units inside it to the platform.

    Parameters
    ----------
    component : UnitComponent | wiring.Component
        What to convert.
    name : str
        Module name.
    platform : VerilogPlatform
        Given to ``elaborate``.
    key : Hashable
        Kept in the result.
    top : bool
        Keep clock and reset even if nothing uses them.

    Raises
    ------
    ValueError
        If the component uses another domain than ``sync``, or two of its ports flatten to one name.
    """
    style = platform.reset
    # Any: the type stubs know no part of these
    sync: Any = ClockDomain("sync", async_reset=style.asynchronous)
    pin = Signal(name=style.port) if top and style != ResetStyle() else sync.rst
    ports: dict[str, Any] = {
        "clk": (sync.clk, PortDirection.Input),
        style.port if top else "rst": (pin, PortDirection.Input),
    }
    for port, is_input, value in port_signals(component):
        if port in ports:
            raise ValueError(f"ports of {name} must have distinct names, not {port!r} twice")
        ports[port] = (value, PortDirection.Input if is_input else PortDirection.Output)

    def missing(domain: str) -> ClockDomain:
        raise ValueError(f"clock domains of {name} must be 'sync' alone, not {domain!r}")

    fragment: Any = Fragment.get(cast(Elaboratable, component), platform)
    fragment.add_domains(sync)
    if pin is not sync.rst:
        add_reset(fragment, sync, pin, style)
    name_wires(fragment, platform.units)
    text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False, missing_domain=missing)
    head, mark, rest = text.partition("\nend\n")
    names = [port for port in ports if top or port not in ("clk", "rst") or _is_used(head, port)]
    order = {port: index for index, port in enumerate(names, 1)}

    def number(match: re.Match[str]) -> str:
        if (port := match[2]) not in order:
            return ""
        start, end = (place - match.start() for place in match.span(1))
        return f"{match[0][:start]}{order[port]}{match[0][end:]}"

    text = _PORT.sub(number, head) + mark + rest
    sources = dict(_sources(fragment, name))
    return Unit(name=name, key=key, ports=tuple(names), rtlil=name_ports(text), sources=sources)


def port_signals(component: UnitComponent | wiring.Component) -> Iterator[tuple[str, bool, Value]]:
    """Flatten the ports of a component, those of no width left out.

    Yields
    ------
    name : str
        Path of the member, joined by ``_``: ``s_axil.awaddr`` is ``s_axil_awaddr``.
    is_input : bool
        As seen by the component.
    value : Value
        The port's signal.
    """
    members: Any = component.signature.flatten(component)
    for path, member, port in members:
        if len(value := Value.cast(port)):
            yield "_".join(map(str, path)), member.flow == wiring.In, value


def _shapes(component: UnitComponent) -> Iterator[tuple[str, bool, int, bool]]:
    for name, is_input, value in port_signals(component):
        shape = value.shape()
        yield name, is_input, shape.width, shape.signed


def _sources(fragment: Any, name: str) -> Iterator[tuple[str, type]]:
    """Find the class of each module; an instance has none."""
    for origin in fragment.origins or ():
        if isinstance(origin, wiring.Component | FIFOInterface):
            yield name, type(origin)
            break
    for inner, inner_name, _ in fragment.subfragments:
        yield from _sources(inner, f"{name}.{inner_name}")


def _is_used(module: str, wire: str) -> bool:
    return len(re.findall(rf"\\{wire}(?![^\s])", module)) > 1

"""Resets of a design that becomes Verilog: level, and whether they wait for the clock."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, Signal


@dataclass(frozen=True, kw_only=True)
class ResetStyle:
    """How a design is reset.

    Parameters
    ----------
    active_low : bool
        The top's port is ``rst_n`` and resets at zero; else ``rst``, at one.
    asynchronous : bool
        Registers are reset without a clock edge, and released two clock edges after the port is.
    """

    active_low: bool = False
    asynchronous: bool = False

    @property
    def port(self) -> str:
        """Name of the top's port."""
        return "rst_n" if self.active_low else "rst"


def add_reset(fragment: Any, sync: Any, pin: Signal, style: ResetStyle) -> None:
    """Drive the reset of a domain from the top's port.

    Parameters
    ----------
    fragment : Fragment
        The top, elaborated.
    sync : ClockDomain
        Its domain.
    pin : Signal
        The port.
    style : ResetStyle
        What the port means.
    """
    active = ~pin if style.active_low else pin
    if not style.asynchronous:
        fragment.add_statements("comb", sync.rst.eq(active))
        return
    # Asserted at once, released behind two flip-flops: no register leaves its reset near an edge.
    release: Any = ClockDomain("release", async_reset=True)
    release.clk = sync.clk
    fragment.add_domains(release)
    first, second = (Signal(init=1, name=f"reset_{n}") for n in range(2))
    fragment.add_statements("comb", release.rst.eq(active), sync.rst.eq(second))
    fragment.add_statements("release", first.eq(0), second.eq(first))

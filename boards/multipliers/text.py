"""Verilog of modules that multiply: their names, ports, and instances of primitives in them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"multiplier_([1-9]\d*)x([1-9]\d*)(_held)?(_registered)?")


@dataclass(frozen=True)
class Words:
    """Which multiplier: its words, as of `stillflow.hw.array.multiplier.Multiplier`.

    Parameters
    ----------
    a_bits, b_bits : int
        Word widths.
    holds : bool
        Whether the second operand stays until ``i_load``.
    registered : bool
        Whether there is a register before every operand.
    """

    a_bits: int
    b_bits: int
    holds: bool
    registered: bool = False

    @classmethod
    def read(cls, name: str) -> "Words | None":
        """Read the name of a module; None if it is no multiplier."""
        match = _NAME.fullmatch(name)
        return match and cls(
            int(match[1]), int(match[2]), match[3] is not None, match[4] is not None
        )

    @property
    def name(self) -> str:
        """Name of the module of one multiplier."""
        name = f"multiplier_{self.a_bits}x{self.b_bits}"
        return name + "_held" * self.holds + "_registered" * self.registered

    @property
    def pair_name(self) -> str:
        """Name of the module of two."""
        return f"{self.name}_pair"

    @property
    def bits(self) -> int:
        """Width of a product."""
        return self.a_bits + self.b_bits

    def single(self, body: str) -> str:
        """Write the module of one multiplier."""
        return self._module(self.name, ("i_a",), ("i_b",), ("o_product",), body)

    def pair(self, body: str, *, shares: bool) -> str:
        """Write the module of two that load at the same time.

        Parameters
        ----------
        body : str
            What is inside.
        shares : bool
            Whether the first operand is the same for both: ``i_a`` instead of ``i_a0``, ``i_a1``.
        """
        a = ("i_a",) if shares else ("i_a0", "i_a1")
        return self._module(self.pair_name, a, ("i_b0", "i_b1"), ("o_product0", "o_product1"), body)

    def both(self, *, shares: bool) -> str:
        """Write a pair as two multipliers: what a primitive may take the place of."""
        lines = []
        for n in range(2):
            ports = {
                "clk": "clk", "i_a": "i_a" if shares else f"i_a{n}", "i_b": f"i_b{n}",
                **({"i_load": "i_load"} if self.holds else {}), "o_product": f"o_product{n}",
            }  # fmt: skip
            lines.append(instance(self.name, f"multiplier_{n}", {}, ports))
        return self.pair("".join(lines), shares=shares)

    def _module(
        self,
        name: str,
        a_ports: Iterable[str],
        b_ports: Iterable[str],
        products: Iterable[str],
        body: str,
    ) -> str:
        ports = ["input clk"]
        ports += [f"input [{self.a_bits - 1}:0] {port}" for port in a_ports]
        ports += [f"input [{self.b_bits - 1}:0] {port}" for port in b_ports]
        ports += ["input i_load"] * self.holds
        ports += [f"output [{self.bits - 1}:0] {port}" for port in products]
        return f"module {name} (\n  " + ",\n  ".join(ports) + f"\n);\n{body}endmodule\n"


def extended(name: str, bits: int, wide: int) -> str:
    """Write a signed word that is made wider."""
    return f"{{{{{wide - bits}{{{name}[{bits - 1}]}}}}, {name}}}" if wide > bits else name


def instance(kind: str, name: str, parameters: Mapping[str, str], ports: Mapping[str, str]) -> str:
    """Write an instance of a module or primitive."""

    def inside(values: Mapping[str, str]) -> str:
        return ",\n".join(f"    .{key}({value})" for key, value in values.items())

    set_to = f" #(\n{inside(parameters)}\n  )" if parameters else ""
    return f"  {kind}{set_to} {name} (\n{inside(ports)}\n  );\n"

"""Netlists that Yosys writes as JSON: modules, and all cells of a design with one set of nets."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

Net = int | str  # a number; constants are strings


@dataclass(frozen=True, slots=True)
class Leaf:
    """A cell that is no module of the design.

    Parameters
    ----------
    path : tuple[str, ...]
        Instance names from the top to the cell.
    modules : tuple[str, ...]
        Modules that it lies in, the top first.
    type : str
        Cell type.
    parameters : Mapping[str, str]
        As Yosys writes them.
    inputs, outputs : Mapping[str, list[Net]]
        Port to nets, lowest bit first.
    """

    path: tuple[str, ...]
    modules: tuple[str, ...]
    type: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, list[Net]]
    outputs: Mapping[str, list[Net]]

    @property
    def name(self) -> str:
        """Path, joined by dots."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Row:
    """A module within its parent.

    Parameters
    ----------
    module : str
        Module name.
    names : tuple[str, ...]
        Its instances in one instance of the parent.
    depth : int
        0 for the top.
    label : str
        Instance name of a block, module name of a unit.
    """

    module: str
    names: tuple[str, ...]
    depth: int
    label: str


class Netlist:
    """A design read from Yosys' JSON.

    Parameters
    ----------
    text : str
        What ``write_json`` wrote.
    top : str
        Module at the top.
    """

    def __init__(self, text: str, top: str) -> None:
        read = json.loads(text)
        self.creator: str = read["creator"]
        self.top = top
        self.modules: dict[str, dict[str, Any]] = {
            name: module
            for name, module in read["modules"].items()
            if not {"blackbox", "whitebox"} & module["attributes"].keys()
        }
        self._cells: dict[str, Counter[str]] = {}

    @classmethod
    def read(cls, path: Path, top: str) -> "Netlist":
        """Read a file of ``write_json``."""
        return cls(path.read_text(encoding="utf-8"), top)

    def cells(self, module: str) -> Counter[str]:
        """Count the cells of a module by type, with everything inside."""
        if module not in self._cells:
            counts: Counter[str] = Counter()
            for cell in self.modules[module]["cells"].values():
                kind = cell["type"]
                counts.update(self.cells(kind) if kind in self.modules else (kind,))
            self._cells[module] = counts
        return self._cells[module]

    def rows(self) -> list[Row]:
        """List the modules in the order of the hierarchy, each once in each parent module."""
        return list(self._rows(self.top, (self.top,), 0, self.top))

    def _rows(self, module: str, names: tuple[str, ...], depth: int, label: str) -> Iterator[Row]:
        yield Row(module, names, depth, label)
        inside: dict[str, list[str]] = {}
        for name, cell in self.modules[module]["cells"].items():
            if cell["type"] in self.modules:
                inside.setdefault(cell["type"], []).append(name)
        for kind, instances in sorted(inside.items()):
            is_block = instances == [kind.removeprefix(f"{module}_")]
            label = instances[0] if is_block else kind
            yield from self._rows(kind, tuple(instances), depth + 1, label)

    def leaves(self) -> Iterator[Leaf]:
        """Walk over all cells below the top, with nets that are common to the whole design.

        What joins an output to an input of the same module comes as a ``$buf``, an output of the
        top as a ``$port``.
        """
        bits: dict[int, int] = {}
        nets = count(1)
        yield from self._leaves(self.top, (), (self.top,), bits, nets)
        for name, port in self.modules[self.top]["ports"].items():
            if port["direction"] != "input":
                ends: list[Net] = [_net(bits, bit, nets) for bit in port["bits"]]
                yield Leaf((name,), (self.top,), "$port", {}, {"A": ends}, {})

    def _leaves(
        self,
        module: str,
        path: tuple[str, ...],
        modules: tuple[str, ...],
        bits: dict[int, int],
        nets: Iterator[int],
    ) -> Iterator[Leaf]:
        for name, cell in self.modules[module]["cells"].items():
            kind, inner = cell["type"], (*path, name)
            wires: dict[str, list[Net]] = {
                port: [_net(bits, bit, nets) for bit in ends]
                for port, ends in cell["connections"].items()
            }
            if kind in self.modules:
                within, inner_bits = (*modules, kind), {}
                for port, source, sink in self._joints(kind, wires, inner_bits, nets):
                    yield Leaf((*inner, port), within, "$buf", {}, {"A": [source]}, {"Y": [sink]})
                yield from self._leaves(kind, inner, within, inner_bits, nets)
                continue
            ways = cell["port_directions"]
            yield Leaf(
                path=inner,
                modules=modules,
                type=kind,
                parameters=cell["parameters"],
                inputs={port: ends for port, ends in wires.items() if ways[port] == "input"},
                outputs={port: ends for port, ends in wires.items() if ways[port] != "input"},
            )

    def _joints(
        self,
        module: str,
        wires: Mapping[str, list[Net]],
        bits: dict[int, int],
        nets: Iterator[int],
    ) -> Iterator[tuple[str, Net, int]]:
        """Give a module's ports the nets of its parent; yield those that have a net already."""
        ports = self.modules[module]["ports"].items()
        for name, port in sorted(ports, key=lambda item: item[1]["direction"] != "input"):
            for inner, outer in zip(port["bits"], wires.get(name, []), strict=False):
                if not isinstance(outer, int):
                    continue  # a constant input starts no path
                if isinstance(inner, int) and inner not in bits:
                    bits[inner] = outer
                elif port["direction"] != "input":
                    yield name, _net(bits, inner, nets), outer


def _net(bits: dict[int, int], bit: Net, nets: Iterator[int]) -> Net:
    if not isinstance(bit, int):
        return bit
    if bit not in bits:
        bits[bit] = next(nets)
    return bits[bit]

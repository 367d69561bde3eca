"""Longest paths of a netlist between registers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stillflow.boards.errors import CheckFailed
from stillflow.boards.synthesis.netlist import Leaf, Net


@dataclass(frozen=True, slots=True)
class Arc:
    """Combinational way through a cell: every input reaches every output.

    Parameters
    ----------
    inputs : tuple[tuple[Net, int], ...]
        Nets and the cost from each.
    outputs : tuple[Net, ...]
        Nets.
    """

    inputs: tuple[tuple[Net, int], ...]
    outputs: tuple[Net, ...]


#: The arcs of a cell and the nets that end in it.
Ways = Callable[[Leaf], tuple[Iterable[Arc], Iterable[Net]]]


@dataclass(frozen=True)
class Path:
    """The costliest path into a block.

    Parameters
    ----------
    cost : int
        Sum over the path.
    cells : tuple[str, ...]
        Names of the cells that it goes through and of the one that it ends in.
    """

    cost: int
    cells: tuple[str, ...]


def longest_paths(leaves: Iterable[Leaf], ways: Ways) -> dict[str, Path]:
    """Find the costliest path that ends in each module.

    Parameters
    ----------
    leaves : Iterable[Leaf]
        The cells of a design.
    ways : Ways
        Tells the arcs and ends of a cell.

    Returns
    -------
    dict[str, Path]
        Module name to the costliest path that ends in it or inside it, wherever the path begins.
        Modules where no path ends are missing.

    Raises
    ------
    CheckFailed
        If there is a combinational loop.
    """
    arcs: list[tuple[Leaf, Arc]] = []
    ends: list[tuple[Leaf, tuple[Net, ...]]] = []
    for leaf in leaves:
        through, stops = ways(leaf)
        arcs.extend((leaf, arc) for arc in through)
        ends.append((leaf, tuple(net for net in stops if isinstance(net, int))))
    cost, came_by = _arrivals(arcs)

    worst: dict[str, tuple[int, Leaf, Net | None]] = {}
    for leaf, nets in ends:
        for net in nets:
            for module in leaf.modules:
                if module not in worst or cost.get(net, 0) > worst[module][0]:
                    worst[module] = cost.get(net, 0), leaf, net
    paths = {}
    for module, (most, leaf, net) in worst.items():
        cells = [leaf.name]
        while net in came_by:
            through, net = came_by[net]
            cells.append(through.name)
        paths[module] = Path(most, tuple(reversed(cells)))
    return paths


def _arrivals(
    arcs: list[tuple[Leaf, Arc]],
) -> tuple[dict[Net, int], dict[Net, tuple[Leaf, Net | None]]]:
    """Cost of each net, and by which cell and net it came; in topological order."""
    driven = {net for _, arc in arcs for net in arc.outputs}
    readers: dict[Net, list[int]] = {}
    waits = []
    for index, (_, arc) in enumerate(arcs):
        pending = {net for net, _ in arc.inputs if net in driven}
        waits.append(len(pending))
        for net in pending:
            readers.setdefault(net, []).append(index)

    cost: dict[Net, int] = {}
    came_by: dict[Net, tuple[Leaf, Net | None]] = {}
    ready = [index for index, wait in enumerate(waits) if not wait]
    done = 0
    while ready:
        leaf, arc = arcs[ready.pop()]
        done += 1
        most, source = 0, None
        for net, price in arc.inputs:
            if (total := cost.get(net, 0) + price) > most or source is None:
                most, source = total, net
        for out in arc.outputs:
            cost[out], came_by[out] = most, (leaf, source)
            for index in readers.get(out, ()):
                waits[index] -= 1
                if not waits[index]:
                    ready.append(index)
    if done < len(arcs):
        looped = next(leaf for (leaf, _), wait in zip(arcs, waits, strict=True) if wait)
        raise CheckFailed(f"there is a combinational loop at {looped.name} ({looped.type})")
    return cost, came_by

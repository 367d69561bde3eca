"""The rule on how much arithmetic a cycle may hold, checked on the design before it is mapped."""

from collections.abc import Iterable

from stillflow.boards.synthesis.netlist import Leaf, Net, Netlist
from stillflow.boards.synthesis.paths import Arc, Path, longest_paths

#: Yosys commands that lead to the netlist for `arithmetic`.
PASSES = ("proc", "opt_expr", "opt_clean", "wreduce", "opt_clean")
#: What a path between registers may hold: four additions, or a multiplication and one addition.
#: Two multiplications, or an adder tree of more than 16 terms, are too much.
MOST = 4

ADDITION, MULTIPLICATION = 1, 3
NARROW_BITS = 8  # narrower sums are a LUT or two, as other logic is

_ADDERS = frozenset(("$add", "$sub", "$neg", "$alu"))
_MULTIPLIERS = frozenset(("$mul", "$macc", "$macc_v2", "$div", "$mod"))
_BITWISE = frozenset(("$not", "$and", "$or", "$xor", "$xnor", "$buf", "$pos", "$mux", "$pmux"))
_REGISTERS = ("$dff", "$sdff", "$adff", "$aldff", "$memwr", "$meminit", "$mem_v2", "$port")


def arithmetic(netlist: Netlist) -> dict[str, Path]:
    """Find the paths with most arithmetic.

    Parameters
    ----------
    netlist : Netlist
        After `PASSES`.

    Returns
    -------
    dict[str, Path]
        For each module the costliest path that ends in it, as in `longest_paths`; an addition or
        subtraction of `NARROW_BITS` or more costs 1, a multiplication 3.

    Raises
    ------
    CheckFailed
        If there is a combinational loop.
    """
    return longest_paths(netlist.leaves(), _ways)


def _ways(leaf: Leaf) -> tuple[Iterable[Arc], Iterable[Net]]:
    if leaf.type.startswith(_REGISTERS):
        return (), [net for nets in leaf.inputs.values() for net in nets]
    if leaf.type in _BITWISE:
        return _bit_arcs(leaf), ()
    outputs = tuple(net for nets in leaf.outputs.values() for net in nets)
    price = 0
    if leaf.type in _MULTIPLIERS:
        price = MULTIPLICATION
    elif leaf.type in _ADDERS and len(outputs) >= NARROW_BITS:
        price = ADDITION
    starts = tuple((net, price) for nets in leaf.inputs.values() for net in nets)
    return (Arc(starts, outputs),), ()


def _bit_arcs(leaf: Leaf) -> Iterable[Arc]:
    """Ways bit by bit; the select of a multiplexer reaches every bit."""
    outputs, select = leaf.outputs["Y"], leaf.inputs.get("S", [])
    for index, out in enumerate(outputs):
        nets = [*select]
        for port, word in leaf.inputs.items():
            if port == "B" and leaf.type == "$pmux":
                nets += word[index :: len(outputs)]
            elif port != "S":
                nets.append(word[min(index, len(word) - 1)])  # a shorter word is extended
        yield Arc(tuple((net, 0) for net in nets), (out,))

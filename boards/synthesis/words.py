"""The rule on what a cycle may hold, proved on the design's words before mapping."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stillflow.boards.synthesis.netlist import Leaf, Net, Netlist
from stillflow.boards.synthesis.paths import Arc, Path, Ways, longest_paths

#: Yosys commands that lead to the netlist for `check_words`.
PASSES = ("proc", "opt_expr", "opt_clean")
#: Additions, subtractions and comparisons that may follow each other in a cycle.
MOST_ADDERS = 3
#: ... and multiplications.
MOST_MULTIPLIERS = 1

_ADDERS = frozenset(f"${name}" for name in ("add", "sub", "neg", "alu"))
_MULTIPLIERS = frozenset(("$mul", "$macc", "$macc_v2", "$div", "$mod"))
_BITWISE = frozenset(f"${name}" for name in ("not", "and", "or", "xor", "xnor", "buf", "pos"))
_CHOICES = frozenset(("$mux", "$pmux"))
_REGISTERS = ("$dff", "$sdff", "$adff", "$aldff", "$memwr", "$memini", "$mem_v2", "$port")


@dataclass(frozen=True)
class Chain:
    """Arithmetic between registers in a block, at worst.

    Parameters
    ----------
    adders, multipliers : Path
        Costs are numbers of adders (subtractors and comparators of order included) and
        multipliers that follow each other.
    """

    adders: Path
    multipliers: Path

    @property
    def holds(self) -> bool:
        """Whether the rule holds."""
        return self.adders.cost <= MOST_ADDERS and self.multipliers.cost <= MOST_MULTIPLIERS


def check_words(netlist: Netlist) -> dict[str, Chain]:
    """Find the longest chains of arithmetic that end in each module.

    Parameters
    ----------
    netlist : Netlist
        After `PASSES`.

    Raises
    ------
    CheckFailed
        If there is a combinational loop.
    """
    leaves = list(netlist.leaves())
    adders = longest_paths(leaves, word_ways(_ADDERS))
    multipliers = longest_paths(leaves, word_ways(_MULTIPLIERS))
    return {module: Chain(adders[module], multipliers[module]) for module in adders}


def word_ways(priced: frozenset[str]) -> Ways:
    """Count cells of the given types; other cells cost nothing."""

    def ways(leaf: Leaf) -> tuple[Iterable[Arc], Iterable[Net]]:
        if leaf.type.startswith(_REGISTERS):
            return (), [net for nets in leaf.inputs.values() for net in nets]
        if leaf.type in _BITWISE | _CHOICES:
            return _bit_arcs(leaf), ()
        price = int(leaf.type in priced)
        starts = tuple((net, price) for nets in leaf.inputs.values() for net in nets)
        return (Arc(starts, tuple(net for nets in leaf.outputs.values() for net in nets)),), ()

    return ways


def _bit_arcs(leaf: Leaf) -> Iterable[Arc]:
    """Ways bit by bit; of a multiplexer, the select reaches every bit."""
    outputs, choose = leaf.outputs["Y"], leaf.inputs.get("S", [])
    for index, out in enumerate(outputs):
        nets = [*choose]
        for port, word in leaf.inputs.items():
            if port == "B" and leaf.type == "$pmux":
                nets += word[index :: len(outputs)]
            elif port != "S":
                nets.append(word[min(index, len(word) - 1)])  # a shorter word is extended
        yield Arc(tuple((net, 0) for net in nets), (out,))


def broken(chains: Mapping[str, Chain]) -> list[str]:
    """Name the modules in which the rule is broken."""
    return [module for module, chain in chains.items() if not chain.holds]

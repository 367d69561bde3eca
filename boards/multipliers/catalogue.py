"""Which family multiplies how."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from stillflow.boards.multipliers import cells, ecp5, gowin, ice40, xc7
from stillflow.boards.multipliers.text import Words

#: Verilog of a module; None if the words do not fit the primitive.
Write = Callable[[Words], str | None]


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """How a target multiplies.

    Parameters
    ----------
    single : Write, optional
        One multiplier, where that is better than what synthesis makes of it.
    pair : Write, optional
        Two in one primitive, where it can hold two.
    shares : bool
        Whether the two of a pair must have the first operand in common.
    """

    single: Write = lambda words: None
    pair: Write = lambda words: None
    shares: bool = False


#: By the name of the target. Without one a multiplier is what synthesis makes of it.
PRIMITIVES = {
    "ecp5": Primitive(single=ecp5.single),
    "ice40": Primitive(single=ice40.single, pair=ice40.pair),
    "xc7": Primitive(pair=xc7.pair, shares=True),
    "gowin": Primitive(single=gowin.single),
    "asic": Primitive(single=cells.single),
    "asic_gated": Primitive(single=partial(cells.single, gates_clocks=True)),
}

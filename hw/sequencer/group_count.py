"""Whether the plane groups that a step reads are on chip."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.timing import GROUP_BITS


class GroupCount(wiring.Component):
    """Counts plane groups as they are loaded, modulo ``2**GROUP_BITS``.

    Parameters
    ----------
    config : AcceleratorConfig
        With more than one row, what waits takes two cycles to set up at least: then ``o_loaded``
        comes from a register and is right from the cycle after ``i_needed`` changed.

    Members
    -------
    i_begin : ``In(1)``
        Start of a layer.
    i_group : ``In(1)``
        A plane group was loaded.
    i_needed : ``In(GROUP_BITS)``
        Plane groups that must be loaded, counted from the start of the layer.
    o_loaded : ``Out(1)``
        They are.
    """

    i_begin: Signal
    i_group: Signal
    i_needed: Signal
    o_loaded: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.is_late = config.rows > 1
        super().__init__(
            {
                "i_begin": In(1),
                "i_group": In(1),
                "i_needed": In(GROUP_BITS),
                "o_loaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counter and the comparison."""
        m = Module()

        groups, after, ahead = (Signal(GROUP_BITS, name=n) for n in ("groups", "after", "ahead"))
        m.d.comb += after.eq(groups + self.i_group)
        m.d.sync += groups.eq(after)
        if self.is_late:
            m.d.comb += ahead.eq(after - self.i_needed)
            m.d.sync += self.o_loaded.eq(~ahead[-1])
        else:
            m.d.comb += [ahead.eq(groups - self.i_needed), self.o_loaded.eq(~ahead[-1])]
        with m.If(self.i_begin):
            m.d.sync += groups.eq(0)

        return m

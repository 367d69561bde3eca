"""Lets the psums of a pixel group leave an output-stationary array."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.words import Drain


class DrainSequencer(wiring.Component):
    """One row after the other, a row a cycle, or ``pace`` cycles each where psums are complete.

    The first row leaves ``delay`` cycles after ``i_drain``; the next drain may come when ``rows``
    rows have left. ``o_row``, the control for the accumulator, belongs to the row in ``o_leaves``.

    Parameters
    ----------
    config : AcceleratorConfig
        Rows and pace.
    delay : int
        At least 1.

    Members
    -------
    i_clear : ``In(1)``
        Start of a layer.
    i_drain : ``In(Drain)``
    i_active : ``In(rows)``
        Rows that hold a psum.
    o_leaves : ``Out(rows)``
        Row whose psum leaves.
    o_row : ``Out(Drain)``
        With ``valid`` where the row holds a psum; swaps come with the first row only.
    """

    i_clear: Signal
    i_drain: data.View
    i_active: Signal
    o_leaves: Signal
    o_row: data.View

    def __init__(self, config: AcceleratorConfig, *, delay: int) -> None:
        self.config = config
        self.delay = delay
        super().__init__(
            {
                "i_clear": In(1),
                "i_drain": In(Drain(config)),
                "i_active": In(config.rows),
                "o_leaves": Out(config.rows),
                "o_row": Out(Drain(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the delay and the walk over the rows."""
        m = Module()
        rows, pace = self.config.rows, self.config.pace

        coming = self.i_drain
        for stage in range(1, self.delay):
            later = Signal(Drain(self.config), name=f"coming_{stage}")
            m.d.sync += later.eq(coming)
            coming = later

        row = Signal(Drain(self.config))
        leaves = Signal(rows)
        wait = Signal(ceil_log2(pace + 1))
        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Elif(leaves.any()):
            m.d.sync += [
                leaves.eq(leaves << 1),
                row.psum.eq(row.psum + 1),
                row.swap_bias.eq(0),
                row.swap_scale.eq(0),
                wait.eq(Mux(row.final, pace - 1, 0)),
            ]
        with m.If(coming.valid):
            m.d.sync += [row.eq(coming), leaves.eq(1), wait.eq(0)]
        with m.If(self.i_clear):
            m.d.sync += leaves.eq(0)

        m.d.comb += [
            self.o_leaves.eq(Mux(wait == 0, leaves, 0)),
            self.o_row.eq(row),
            self.o_row.valid.eq((self.o_leaves & self.i_active).any()),
        ]

        return m

"""Watchdog: a job in which nothing moves must end."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Watchdog(wiring.Component):
    """Counts cycles without progress.

    Members
    -------
    i_limit : ``In(32)``
        Cycles; 0 is never.
    i_progress : ``In(1)``
        Something moved, or nothing has to.
    o_barks : ``Out(1)``
        Nothing moved for so many cycles; two cycles late.
    """

    i_limit: Signal
    i_progress: Signal
    o_barks: Signal

    def __init__(self) -> None:
        super().__init__({"i_limit": In(32), "i_progress": In(1), "o_barks": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the counter."""
        m = Module()

        quiet = Signal(32)
        moved = Signal()
        m.d.sync += [
            moved.eq(self.i_progress),
            quiet.eq(quiet + 1),
            self.o_barks.eq((self.i_limit != 0) & (quiet >= self.i_limit)),
        ]
        with m.If(moved):
            m.d.sync += quiet.eq(0)

        return m

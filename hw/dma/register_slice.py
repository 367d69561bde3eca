"""Register slice: cuts every path of a handshake."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class RegisterSlice(wiring.Component):
    """Hands a stream on a cycle later, one payload a cycle, all outputs from registers.

    A second payload waits beside the first while that is not taken: ``i.ready`` is a cycle late.
    What is valid stays until it is taken.

    Parameters
    ----------
    payload : ShapeLike
        Of the stream.

    Members
    -------
    i : ``In(stream.Signature(payload))``
    o : ``Out(stream.Signature(payload))``
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, payload: Any) -> None:
        self.payload = payload
        super().__init__({"i": In(stream.Signature(payload)), "o": Out(stream.Signature(payload))})

    def elaborate(self, platform: object) -> Module:
        """Build both registers."""
        m = Module()

        came, shown = Value.cast(self.i.payload), Value.cast(self.o.payload)
        waiting = Signal(len(came), reset_less=True)
        waits = Signal()
        m.d.comb += self.i.ready.eq(~waits)
        with m.If(~waits):
            m.d.sync += waiting.eq(came)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(waits | self.i.valid), waits.eq(0)]
            with m.If(waits):
                m.d.sync += shown.eq(waiting)
            with m.Else():
                m.d.sync += shown.eq(came)
        with m.Else():
            m.d.sync += waits.eq(waits | self.i.valid)

        return m

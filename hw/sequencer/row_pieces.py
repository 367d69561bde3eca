"""Where the padding of an ifmap row begins and ends."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.signals import signals


class RowPieces(wiring.Component):
    """Splits a tile's row into padding on the left, ifmap elements and padding on the right.

    The pieces are registered: they belong to the members of the last cycle with ``i_take``.

    Parameters
    ----------
    bits : int
        Width of a number of elements.

    Members
    -------
    i_take : ``In(1)``
    i_element0 : ``In(signed(bits + 2))``
        First element of the tile's row, counted from the ifmap's; negative in the left padding.
    i_width : ``In(bits)``
        Elements of the tile's row.
    i_size : ``In(bits)``
        Elements of the ifmap's row.
    o_left, o_filled, o_right : ``Out(bits)``
        Elements of each piece. With ``o_filled`` zero the whole row is padding.
    o_covered : ``Out(bits)``
        Elements of the first two.
    o_has_left, o_has_filled, o_has_right : ``Out(1)``
        There are any.
    """

    i_take: Signal
    i_element0: Signal
    i_width: Signal
    i_size: Signal
    o_left: Signal
    o_filled: Signal
    o_right: Signal
    o_covered: Signal
    o_has_left: Signal
    o_has_filled: Signal
    o_has_right: Signal

    def __init__(self, bits: int) -> None:
        self.bits = bits
        super().__init__(
            {
                "i_take": In(1),
                "i_element0": In(signed(bits + 2)),
                "i_width": In(bits),
                "i_size": In(bits),
                "o_left": Out(bits),
                "o_filled": Out(bits),
                "o_right": Out(bits),
                "o_covered": Out(bits),
                "o_has_left": Out(1),
                "o_has_filled": Out(1),
                "o_has_right": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the comparisons."""
        m = Module()

        begin, end, limit = signals("begin end limit", signed(self.bits + 3))
        m.d.comb += [
            begin.eq(Mux(self.i_element0 < 0, 0, self.i_element0)),
            limit.eq(self.i_element0 + self.i_width),
            end.eq(Mux(limit > self.i_size, self.i_size, limit)),
        ]
        with m.If(self.i_take):
            m.d.sync += [
                self.o_left.eq(begin - self.i_element0),
                self.o_filled.eq(Mux(end > begin, end - begin, 0)),
                self.o_right.eq(limit - end),
                self.o_covered.eq(end - self.i_element0),
                self.o_has_left.eq(self.i_element0 < 0),
                self.o_has_filled.eq(end > begin),
                self.o_has_right.eq(limit > self.i_size),
            ]

        return m

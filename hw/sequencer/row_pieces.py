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
        Elements of each piece, with ``o_has_filled``. Without, the whole row is padding.
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

        # Each piece is one of few differences; the row's ends choose.
        element0, width, size = self.i_element0, self.i_width, self.i_size
        limit, inside = signals("limit inside", signed(self.bits + 3))
        has_left, has_right = signals("has_left has_right")
        m.d.comb += [
            limit.eq(element0 + width),
            inside.eq(size - element0),  # elements from the tile's first to the ifmap's last
            has_left.eq(element0 < 0),
            has_right.eq(inside < width),
        ]
        with m.If(self.i_take):
            m.d.sync += [
                self.o_left.eq(Mux(has_left, -element0, 0)),
                self.o_covered.eq(Mux(has_right, inside, width)),
                self.o_filled.eq(
                    Mux(has_left, Mux(has_right, size, limit), Mux(has_right, inside, width))
                ),
                self.o_right.eq(Mux(has_right, width - inside, 0)),
                self.o_has_left.eq(has_left),
                self.o_has_filled.eq(Mux(has_left, limit > 0, inside > 0)),
                self.o_has_right.eq(has_right),
            ]

        return m

"""Pooling of the words of a column."""

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.mean import sum_bits


class Place(data.StructLayout):
    """A vector's place in its windows.

    Parameters
    ----------
    config : AcceleratorConfig
        Windows side by side.

    Members
    -------
    valid : there is a vector
    counts : its pixel is one of the layer's
    column_opens, column_closes, row_opens, row_closes : as `PoolWalk` says
    window : number of its window along the row
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        flags = ["valid", "counts", "column_opens", "column_closes", "row_opens", "row_closes"]
        super().__init__(dict.fromkeys(flags, 1) | {"window": range(config.pool_windows)})


class PoolColumn(wiring.Component):
    """Keeps what became of a window along its row, and adds to it what the rows before gave.

    A word a cycle, and never a stall. No register holds control, so none is reset.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_mean : ``In(1)``
        Words are added up; else the largest counts.
    i_place, i_word
        A word, and where it stands.
    i_row_opens, i_row_closes : ``In(1)``
        Of the place of the cycle before.
    i_before
        What the window's rows before gave, where that place closed a window's columns.
    o_after
        The same with this row; where the row closes the window, what begins the next one: this row.
    o_pooled : the window's, a cycle later
    """

    i_mean: Signal
    i_place: data.View
    i_row_opens: Signal
    i_row_closes: Signal
    i_word: Signal
    i_before: Signal
    o_after: Signal
    o_pooled: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_name = f"pool_column_{config.act_bits}_{config.pool_windows}"
        self.unit_key = (config.act_bits, config.pool_windows)
        total = signed(sum_bits(config))
        super().__init__(
            {
                "i_mean": In(1),
                "i_place": In(Place(config)),
                "i_row_opens": In(1),
                "i_row_closes": In(1),
                "i_word": In(signed(config.act_bits)),
                "i_before": In(total),
                "o_after": Out(total),
                "o_pooled": Out(total),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build what is kept along the row, and what meets the rows before."""
        m = Module()
        place, total = self.i_place, signed(sum_bits(self.config))

        # Along the row. What does not count adds nothing, and is never the largest.
        smallest = Const(-1 << (self.config.act_bits - 1), total)
        here, along, across = (Signal(total, name=name) for name in ("here", "along", "across"))
        kept, closed = (Signal(total, name=name, reset_less=True) for name in ("kept", "closed"))
        m.d.comb += [
            here.eq(Mux(place.counts, self.i_word, Mux(self.i_mean, 0, smallest))),
            along.eq(Mux(place.column_opens, here, self._both(here, kept))),
        ]
        with m.If(place.valid):
            m.d.sync += [kept.eq(Mux(place.column_closes, here, along)), closed.eq(along)]

        # Across rows, a cycle later.
        pooled = Signal(total, reset_less=True)
        m.d.comb += [
            across.eq(Mux(self.i_row_opens, closed, self._both(closed, self.i_before))),
            self.o_after.eq(Mux(self.i_row_closes, closed, across)),
            self.o_pooled.eq(pooled),
        ]
        m.d.sync += pooled.eq(across)

        return m

    def _both(self, one: Value, other: Value) -> Value:
        """Take the larger of two, or add them."""
        return Mux(self.i_mean, one + other, Mux(one > other, one, other))

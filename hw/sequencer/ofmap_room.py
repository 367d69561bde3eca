"""Whether the words that a step completes find what they need: room, and their residuals."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.residual import Join, join_depth
from stillflow.hw.sequencer.pool_walk import PoolWalk
from stillflow.hw.signals import signals


class OfmapRoom(wiring.Component):
    """Counts entries of the ofmap buffer that are spoken for, and filter blocks with residuals.

    Where a layer pools its words, only the last pixel of a window takes an entry.

    Parameters
    ----------
    config : AcceleratorConfig
        Entries.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_completes, i_entry_freed : ``In(1)``
        A pixel completes; an entry is free again.
    i_completes_within : ``In(1)``
        A pixel completes in the midst of a step: nobody looks at ``o_fits``.
    i_column_last, i_row_last : ``In(1)``
        That pixel is in its tile's last column, last row; only where layers pool.
    i_residual : ``In(1)``
        The residuals of a filter block in a tile are there.
    i_take : ``In(1)``
        The first step starts that completes words of a filter block in a tile.
    i_need : vectors that a step or strip completes; stays for the layer, from the cycle before
        ``i_begin`` on
    o_room, o_fits : ``Out(1)``
        There is room for them, if no vector takes an entry in this cycle; in any case.
    o_present : ``Out(1)``
        Residuals wait for the next filter block, or the layer has none.
    """

    i_begin: Signal
    i_layer: Layer
    i_completes: Signal
    i_completes_within: Signal
    i_entry_freed: Signal
    i_column_last: Signal
    i_row_last: Signal
    i_residual: Signal
    i_take: Signal
    i_need: Signal
    o_room: Signal
    o_fits: Signal
    o_present: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_completes": In(1),
                "i_completes_within": In(1),
                "i_entry_freed": In(1),
                "i_column_last": In(1),
                "i_row_last": In(1),
                "i_residual": In(1),
                "i_take": In(1),
                "i_need": In(config.count_bits),
                "o_room": Out(1),
                "o_fits": Out(1),
                "o_present": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the two counters, and the walk that follows windows."""
        m = Module()

        takes, closes, ample = signals("takes closes ample")
        m.d.comb += [
            closes.eq(1),
            takes.eq((self.i_completes | self.i_completes_within) & closes),
        ]
        if self.config.pools:
            m.submodules.windows = windows = PoolWalk(self.config)
            windows.i_layer = self.i_layer
            m.d.comb += [
                windows.i_begin.eq(self.i_begin),
                windows.i_step.eq(self.i_completes | self.i_completes_within),
                windows.i_column_last.eq(self.i_column_last),
                windows.i_row_last.eq(self.i_row_last),
                closes.eq(windows.o_closes),
            ]
        depth = self.config.ofmap_depth

        joins = self.i_layer.join != Join.NONE
        occupied, after, spare = signals("occupied after spare", range(depth + 1))
        # Filter blocks whose residuals wait; one is an entry at least.
        blocks, blocks_after = signals("blocks blocks_after", range(join_depth(self.config) + 1))
        m.d.comb += [
            after.eq(Mux(self.i_begin, 0, occupied + takes - self.i_entry_freed)),
            blocks_after.eq(Mux(self.i_begin, 0, blocks + self.i_residual - (self.i_take & joins))),
        ]
        m.d.comb += self.o_fits.eq(ample | (self.o_room & ~(self.i_completes & closes)))
        m.d.sync += [
            spare.eq(Mux(joins, join_depth(self.config), depth) - self.i_need),
            occupied.eq(after),
            self.o_room.eq(after <= spare),
            ample.eq(after < spare),
            blocks.eq(blocks_after),
            self.o_present.eq(~joins | (blocks_after != 0)),
        ]

        return m

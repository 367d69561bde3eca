"""Where a tile lies on chip, and where its psums are."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.timing import GROUP_BITS


class TilePlace(wiring.Component):
    """Slot of the ifmap buffer, psum entries and plane groups, followed from tile to tile.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_next_block : ``In(1)``
        The next filter block of the tile comes.
    i_next_tile, i_groups
        The next ifmap tile comes; plane groups of the one that ends.
    o_element : ifmap buffer element of the tile's first one
    o_psum : psum entry of the filter block's first pixel
    o_groups : plane groups of earlier tiles, counted modulo 2^GROUP_BITS
    """

    i_begin: Signal
    i_layer: Layer
    i_next_block: Signal
    i_next_tile: Signal
    i_groups: Signal
    o_element: Signal
    o_psum: Signal
    o_groups: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_next_block": In(1),
                "i_next_tile": In(1),
                "i_groups": In(GROUP_BITS),
                "o_element": Out(ceil_log2(config.ifmap_elements)),
                "o_psum": Out(max(1, ceil_log2(config.psum_depth))),
                "o_groups": Out(GROUP_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the counters."""
        m = Module()
        layer = self.i_layer

        slot = Signal(8)
        wraps = Signal()
        m.d.comb += wraps.eq(slot == layer.slots - 1)
        with m.If(self.i_next_block):
            m.d.sync += self.o_psum.eq(self.o_psum + layer.psum_stride)
        with m.If(self.i_next_tile):
            m.d.sync += [
                self.o_psum.eq(0),
                self.o_groups.eq(self.o_groups + self.i_groups),
                slot.eq(Mux(wraps, 0, slot + 1)),
                self.o_element.eq(Mux(wraps, 0, self.o_element + layer.slot_size)),
            ]
        with m.If(self.i_begin):
            m.d.sync += [slot.eq(0), self.o_element.eq(0), self.o_psum.eq(0), self.o_groups.eq(0)]

        return m

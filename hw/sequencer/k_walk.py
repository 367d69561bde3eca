"""Walk over the elements of a reduction tile, chunk by chunk."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.nest import Choice, Count, LoopNest, drive_counts
from stillflow.hw.sequencer.nest_address import NestAddress


class KLevel(enum.IntEnum):
    """Loops of the K walk, innermost first."""

    ELEMENT = 0
    PLANE = 1
    S = 2
    R = 3
    GROUP = 4


class KWalk(wiring.Component):
    """Counters and address of the reduction loops.

    After the last element of a tile the walk begins anew.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.

    Members
    -------
    i_rests : ``In(1)``
        No layer runs, in the cycle before ``i_begin`` at the latest.
    i_begin, i_layer
        Start of a layer.
    i_last_tile : ``In(1)``
        The reduction tile is the last one along the channels: its bounds differ.
    i_coming_last_tile : ``In(1)``
        The same of the tile that comes, when this one is done or a layer begins.
    i_step : ``In(1)``
        Go to the next element.
    o_offset : ifmap buffer elements from the tile's first one to the current one
    o_group : plane group of the current element
    o_first, o_done : ``Out(1)``
        The tile's first element, its last.
    o_breaks : ``Out(1)``
        The chunk must end with this element.
    o_groups : plane groups of the tile
    """

    i_rests: Signal
    i_begin: Signal
    i_layer: Layer
    i_last_tile: Signal
    i_coming_last_tile: Signal
    i_step: Signal
    o_offset: Signal
    o_group: Signal
    o_first: Signal
    o_done: Signal
    o_breaks: Signal
    o_groups: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.element_bits = ceil_log2(config.ifmap_elements)
        super().__init__(
            {
                "i_rests": In(1),
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_last_tile": In(1),
                "i_coming_last_tile": In(1),
                "i_step": In(1),
                "o_offset": Out(self.element_bits),
                "o_group": Out(config.count_bits),
                "o_first": Out(1),
                "o_done": Out(1),
                "o_breaks": Out(1),
                "o_groups": Out(config.count_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the nest and its address."""
        m = Module()
        layer = self.i_layer

        m.submodules.nest = nest = LoopNest(len(KLevel), self.config.count_bits)
        m.submodules.place = address = NestAddress((True,) * len(KLevel), self.element_bits)
        coming_tile = Mux(nest.o_done, self.i_coming_last_tile, self.i_last_tile)
        last_group = coming_tile & nest.o_coming[KLevel.GROUP]
        counts: dict[int, Count] = {
            KLevel.ELEMENT: layer.k_elements,
            KLevel.PLANE: Choice(last_group, layer.k_planes_last, layer.k_planes),
            KLevel.S: layer.k_s,
            KLevel.R: layer.k_r,
            KLevel.GROUP: Choice(self.i_coming_last_tile, layer.k_groups_last, layer.k_groups),
        }
        strides = {
            KLevel.ELEMENT: 1,
            KLevel.PLANE: layer.k_stride_plane,
            KLevel.S: layer.k_stride_s,
            KLevel.R: layer.k_stride_r,
            KLevel.GROUP: layer.k_stride_group,
        }
        drive_counts(m, nest, counts, settled=True)
        m.d.comb += [address.i_strides[level].eq(stride) for level, stride in strides.items()]
        m.d.comb += [
            self.o_groups.eq(Mux(self.i_last_tile, layer.k_groups_last, layer.k_groups)),
            nest.i_restart.eq(self.i_rests),
            nest.i_step.eq(self.i_begin | self.i_step),
            address.i_ends.eq(nest.o_ends),
            address.i_level.eq(nest.o_level),
            address.i_step.eq(self.i_step),
            address.i_restart.eq(self.i_begin | (self.i_step & nest.o_done)),
            self.o_offset.eq(address.o_address),
            self.o_first.eq(nest.o_first.all()),
            self.o_done.eq(nest.o_done),
            self.o_breaks.eq((nest.o_level[KLevel.PLANE :] >> layer.k_break) != 0),
        ]
        with m.If(self.i_step & nest.o_level[KLevel.GROUP]):
            m.d.sync += self.o_group.eq(self.o_group + 1)
        with m.If(address.i_restart):
            m.d.sync += self.o_group.eq(0)

        return m

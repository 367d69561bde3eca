"""Residuals: what a filter block's words are joined with, read in the order they are computed."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.residual import Join, join_depth, runs_of_own
from stillflow.hw.sequencer.ofmap_chunks import OfmapChunks
from stillflow.hw.words import Segment, SegmentKind, residual_unit_bit


class ResidualWalker(wiring.Component):
    """Emits the read segments of one filter block's residuals in a tile, when it is told to.

    A segment for every channel block of every burst's worth of pixels. The residual tensor lies as
    the ofmap does, so its runs are those that the store walker will write, and a vector's residuals
    get the ring entry that its words will get: they are read when that entry was stored. Where an
    accelerator may pool what it joined, runs are the residuals' own (`runs_of_own`), and a layer
    that does so takes their entries in turn.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths and burst length.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_block : ``In(1)``
        Emit the next filter block's; only with ``o_done``.
    i_entry_freed : ``In(1)``
        An entry may be filled again.
    o_segment : ``Out(stream.Signature(Segment))``
    o_done : ``Out(1)``
        The block's segments are emitted.
    """

    i_begin: Signal
    i_layer: Layer
    i_block: Signal
    i_entry_freed: Signal
    o_segment: stream.Interface
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.depth = join_depth(config)
        self.chunk_pixels = min(config.store_pixels, self.depth)
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_block": In(1),
                "i_entry_freed": In(1),
                "o_segment": Out(stream.Signature(Segment(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Turn chunks into segments."""
        m = Module()

        m.submodules.chunks = chunks = OfmapChunks(
            self.config, pixels=self.chunk_pixels, entries=self.depth, waits=True,
            of="residual" if runs_of_own(self.config) else "ofmap",
        )  # fmt: skip
        chunks.i_layer = self.i_layer
        m.d.comb += [
            chunks.i_begin.eq(self.i_begin & (self.i_layer.join != Join.NONE)),
            chunks.i_base.eq(self.i_layer.residual_address),
            chunks.i_ring.eq(self.depth),
            chunks.i_block.eq(self.i_block),
            chunks.i_entries.eq(self.i_entry_freed),
            self.o_segment.valid.eq(chunks.o_chunk.valid),
            chunks.o_chunk.ready.eq(self.o_segment.ready),
            self.o_done.eq(chunks.o_done),
        ]
        self._segment(m, chunks.o_chunk.p)

        return m

    def _segment(self, m: Module, chunk: data.View) -> None:
        """Give the beats of a chunk, and where they go."""
        config, segment = self.config, self.o_segment.p
        block, size = config.channel_block, ceil_log2(config.act_bytes)
        lane_bits = ceil_log2(config.axi_elements)
        skip = chunk.address[size : size + lane_bits]
        elements, ring = self.depth * block, residual_unit_bit(config)
        end = Signal(range(config.axi_elements + self.chunk_pixels * block + 1))
        place = Signal(range(elements))  # of the first valid element
        first = Signal(range(elements))  # of lane 0
        m.d.comb += [
            end.eq(skip + chunk.pixels * block),
            place.eq(chunk.entry * block),
            first.eq(Mux(place < skip, place + elements - skip, place - skip)),
            segment.kind.eq(SegmentKind.RESIDUAL),
            segment.address.eq(chunk.address),
            segment.beats.eq((end + (config.axi_elements - 1)) >> lane_bits),
            segment.skip.eq(skip),
            segment.tail.eq(end - 1),
            segment.group_last.eq(chunk.block_last),
        ]
        padded = Signal(ring)
        m.d.comb += [padded.eq(first), segment.element.eq(Cat(padded, chunk.unit))]

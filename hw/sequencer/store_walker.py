"""Store side of the nest: where the ofmap words go, in the order they are computed."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.ofmap_chunks import OfmapChunks
from stillflow.hw.words import StoreRun


class StoreWalker(wiring.Component):
    """Emits a run for every channel block of every burst's worth of pixels, once they are there.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths and burst length.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_ring : entries of the ofmap buffer's ring
    i_ready : vectors of the ofmap buffer that may be read now
    o_run : ``Out(stream.Signature(StoreRun))``
    o_done : ``Out(1)``
        Nothing is left to emit.
    """

    i_begin: Signal
    i_layer: Layer
    i_ring: Signal
    i_ready: Signal
    o_run: stream.Interface
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_ring": In(range(config.ofmap_depth + 1)),
                "i_ready": In(range(config.ofmap_depth + 1)),
                "o_run": Out(stream.Signature(StoreRun(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Turn chunks into runs."""
        m = Module()
        config = self.config

        m.submodules.chunks = chunks = OfmapChunks(
            config, pixels=config.store_pixels, entries=0, waits=False
        )
        chunk, run = chunks.o_chunk, self.o_run
        chunks.i_layer = self.i_layer
        m.d.comb += [
            chunks.i_begin.eq(self.i_begin),
            chunks.i_base.eq(self.i_layer.ofmap_address),
            chunks.i_ring.eq(self.i_ring),
            chunks.i_entries.eq(self.i_ready),
            run.valid.eq(chunk.valid),
            chunk.ready.eq(run.ready),
            run.p.address.eq(chunk.p.address),
            run.p.pixels.eq(chunk.p.pixels),
            run.p.entry.eq(chunk.p.entry),
            run.p.unit.eq(chunk.p.unit),
            run.p.release.eq(chunk.p.unit_last),
            self.o_done.eq(chunks.o_done),
        ]

        return m

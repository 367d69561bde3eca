"""Runs of the ofmap in bursts' worth of pixels, for each channel block, as entries come free."""

from typing import Literal

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.ofmap_runs import OfmapRuns
from stillflow.hw.signals import signals


class OfmapChunk(data.StructLayout):
    """Adjacent pixels of a channel block.

    Parameters
    ----------
    config : AcceleratorConfig
        Depth of the ofmap buffer.

    Members
    -------
    address : DRAM byte address of the first pixel
    pixels : pixels
    entry, unit : first ofmap buffer entry, channel block within it
    unit_last : the entries' last channel block
    block_last : the last chunk of its filter block in the tile
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "address": config.address_bits,
                "pixels": config.count_bits,
                "entry": range(config.ofmap_depth),
                "unit": range(config.block_units + 1),
                "unit_last": 1,
                "block_last": 1,
            }
        )


class State(enum.Enum):
    """What the walker does next."""

    IDLE = 0
    RUN = 1
    CHUNK = 2
    UNIT = 3


class OfmapChunks(wiring.Component):
    """Emits a chunk for every channel block of every burst's worth of pixels.

    The pixels of a run take entries of the ofmap buffer in a ring, the same for every channel
    block. Entries are claimed, as many as a chunk has pixels, before its first channel block.

    Parameters
    ----------
    config : AcceleratorConfig
        Widths.
    pixels : int
        Of a chunk, at most.
    entries : int
        That may be claimed when a layer begins.
    of : str
        ``ofmap`` or ``residual``: see `OfmapRuns`.
    waits : bool
        Whether it waits for ``i_block`` at the start of a layer and behind every filter block of
        a tile.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_base : ``In(address_bits)``
        DRAM byte address of the tensor's first element, taken with ``i_begin``.
    i_ring : entries of the ring
    i_block : ``In(1)``
        Go on with the next filter block; only with ``o_done``, ignored without ``waits``.
    i_entries : entries that may be claimed from the next cycle on
    o_chunk : ``Out(stream.Signature(OfmapChunk))``
    o_done : ``Out(1)``
        It waits, or nothing is left to emit.
    """

    i_begin: Signal
    i_layer: Layer
    i_base: Signal
    i_ring: Signal
    i_block: Signal
    i_entries: Signal
    o_chunk: stream.Interface
    o_done: Signal

    def __init__(
        self, config: AcceleratorConfig, *, pixels: int, entries: int, waits: bool,
        of: Literal["ofmap", "residual"] = "ofmap",
    ) -> None:  # fmt: skip
        self.config = config
        self.pixels = pixels
        self.entries = entries
        self.waits = waits
        self.of: Literal["ofmap", "residual"] = of
        entries_shape = range(config.ofmap_depth + 1)
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_base": In(config.address_bits),
                "i_ring": In(entries_shape),
                "i_block": In(1),
                "i_entries": In(entries_shape),
                "o_chunk": Out(stream.Signature(OfmapChunk(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the runs and what cuts them."""
        m = Module()
        config, chunk = self.config, self.o_chunk

        step = Signal()
        m.submodules.runs = runs = OfmapRuns(config, self.of)
        runs.i_layer = self.i_layer
        m.d.comb += [
            runs.i_begin.eq(self.i_begin),
            runs.i_base.eq(self.i_base),
            runs.i_step.eq(step),
        ]

        stride = getattr(self.i_layer, f"{self.of}_stride_unit")
        state = Signal(State)
        left, pixels = signals("left pixels", config.count_bits)
        here, unit_address = signals("here unit_address", config.address_bits)
        entry = Signal(range(config.ofmap_depth))
        unit = Signal(range(config.block_units + 1))
        free = Signal(range(config.ofmap_depth + 1))
        claimed = Signal.like(pixels)
        m.d.sync += free.eq(free + self.i_entries - claimed)

        unit_last, run_last = signals("unit_last run_last")
        rest = Signal(config.count_bits)
        next_entry = Signal(range(2 * config.ofmap_depth))
        m.d.comb += [
            rest.eq(left - pixels),
            next_entry.eq(entry + pixels),
            chunk.p.address.eq(unit_address),
            chunk.p.pixels.eq(pixels),
            chunk.p.entry.eq(entry),
            chunk.p.unit.eq(unit),
            chunk.p.unit_last.eq(unit_last),
            chunk.p.block_last.eq(unit_last & run_last & runs.o_block_last),
        ]
        size_shift = ceil_log2(config.channel_block * config.act_bytes)
        pauses = runs.o_block_last if self.waits else runs.o_done
        with m.Switch(state):
            with m.Case(State.IDLE):
                m.d.comb += self.o_done.eq(1)
                if self.waits:
                    with m.If(self.i_block):
                        m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN):
                m.d.sync += [
                    left.eq(runs.o_pixels),
                    here.eq(runs.o_address),
                    pixels.eq(self._at_most(runs.o_pixels)),
                    state.eq(State.CHUNK),
                ]
            with m.Case(State.CHUNK):
                m.d.sync += [unit_last.eq(runs.o_units == 1), run_last.eq(rest == 0)]
                with m.If(free >= pixels):
                    m.d.comb += claimed.eq(pixels)
                    m.d.sync += [unit.eq(0), unit_address.eq(here), state.eq(State.UNIT)]
            with m.Case(State.UNIT):
                m.d.comb += chunk.valid.eq(1)
                with m.If(chunk.ready):
                    m.d.sync += [
                        unit.eq(unit + 1),
                        unit_last.eq(unit + 2 == runs.o_units),
                        unit_address.eq(unit_address + stride),
                    ]
                    with m.If(unit_last):
                        m.d.sync += [
                            left.eq(rest),
                            here.eq(here + (pixels << size_shift)),
                            pixels.eq(self._at_most(rest)),
                            entry.eq(
                                Mux(next_entry >= self.i_ring, next_entry - self.i_ring, next_entry)
                            ),
                            state.eq(State.CHUNK),
                        ]
                        with m.If(run_last):
                            m.d.comb += step.eq(1)
                            m.d.sync += state.eq(Mux(pauses, State.IDLE, State.RUN))
        with m.If(self.i_begin):
            start = State.IDLE if self.waits else State.RUN
            m.d.sync += [state.eq(start), entry.eq(0), free.eq(self.entries)]

        return m

    def _at_most(self, pixels: Signal) -> Value:
        return Mux(pixels < self.pixels, pixels, self.pixels)

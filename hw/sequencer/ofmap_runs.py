"""Contiguous runs of the ofmap in DRAM, in the order in which they are computed."""

from typing import Literal

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.nest import Choice, LoopNest, drive_counts, loop_counts
from stillflow.hw.sequencer.nest_address import NestAddress


class Level(enum.IntEnum):
    """Loops of the walk, innermost first."""

    RUN = 0
    IMAGE = 1
    MB = 2
    M_INNER = 3
    F = 4
    E = 5
    N = 6
    M_OUTER = 7
    G = 8


class OfmapRuns(wiring.Component):
    """Walks the runs of a layer's ofmap, or of its residuals.

    A run is so many pixels of the ofmap buffer and goes to as many channel blocks, a plane apart.

    Parameters
    ----------
    config : AcceleratorConfig
        Channel blocks.
    of : str
        ``ofmap``, or ``residual`` for runs of the descriptor's own fields of that name.

    Members
    -------
    i_begin, i_layer
        Start of a layer; all runs of the one before were walked.
    i_base : ``In(address_bits)``
        DRAM byte address of the tensor's first element, taken with ``i_begin``.
    i_step : ``In(1)``
        Go to the next run.
    o_address, o_pixels, o_units
        The run: DRAM address in its first channel block, pixels, channel blocks.
    o_block_last, o_done : ``Out(1)``
        It is the last of its filter block in the tile, of the layer.
    """

    i_begin: Signal
    i_layer: Layer
    i_base: Signal
    i_step: Signal
    o_address: Signal
    o_pixels: Signal
    o_units: Signal
    o_block_last: Signal
    o_done: Signal

    def __init__(
        self, config: AcceleratorConfig, of: Literal["ofmap", "residual"] = "ofmap"
    ) -> None:
        self.config = config
        self.of = of
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_base": In(config.address_bits),
                "i_step": In(1),
                "o_address": Out(config.address_bits),
                "o_pixels": Out(config.count_bits),
                "o_units": Out(range(config.block_units + 1)),
                "o_block_last": Out(1),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the nest and its address."""
        m = Module()
        config, layer = self.config, self.i_layer

        def stride(name: str) -> Signal:
            return getattr(layer, f"{self.of}_stride_{name}")

        def count(name: str) -> Signal:
            return getattr(layer, name if self.of == "ofmap" else f"{self.of}_{name}")

        m.submodules.nest = nest = LoopNest(len(Level), config.count_bits)
        last, coming = nest.o_last, nest.o_coming
        counts = loop_counts(Level, layer, coming)
        last_block, coming_block = (
            flags[Level.M_INNER] & flags[Level.M_OUTER] & flags[Level.MB]
            & (~layer.depthwise | flags[Level.G]) for flags in (last, coming)
        )  # fmt: skip
        last_strip = last[Level.E] & last[Level.IMAGE]
        if config.has_pe_sets:
            # Runs are filters, strips of the tile come in the place of images.
            counts[Level.RUN] = Choice(coming_block, layer.runs_last, layer.runs)
            counts[Level.IMAGE] = Choice(coming[Level.E], layer.strips_last, layer.strips)
        else:
            counts[Level.RUN] = Choice(coming[Level.E], count("runs_last"), count("runs"))
            counts[Level.IMAGE] = Choice(coming[Level.N], layer.pn_last, layer.pn)
        strides = {
            Level.RUN: stride("run"),
            Level.IMAGE: stride("n"),
            Level.MB: stride("mb"),
            Level.M_INNER: stride("m"),
            Level.F: stride("ft"),
            Level.E: stride("et"),
            Level.N: stride("nt"),
            Level.M_OUTER: stride("m"),
            Level.G: stride("g"),
        }
        m.submodules.place = place = NestAddress((True,) * len(Level), config.address_bits)
        drive_counts(m, nest, counts, settled=True)
        m.d.comb += [place.i_strides[level].eq(stride) for level, stride in strides.items()]
        partial = last_strip if config.has_pe_sets else last_block
        m.d.comb += [
            nest.i_step.eq(self.i_begin | (self.i_step & ~nest.o_done)),
            place.i_base.eq(self.i_base),
            place.i_restart.eq(self.i_begin),
            place.i_step.eq(self.i_step),
            place.i_ends.eq(nest.o_ends),
            place.i_level.eq(nest.o_level),
            self.o_address.eq(place.o_address),
            self.o_pixels.eq(
                Mux(
                    last[Level.E],
                    Mux(last[Level.F], count("run_pixels_ef"), count("run_pixels_e")),
                    Mux(last[Level.F], count("run_pixels_f"), count("run_pixels")),
                )
            ),
            self.o_units.eq(Mux(partial, layer.units_last, layer.units)),
            self.o_block_last.eq(last[Level.RUN] & last[Level.IMAGE]),
            self.o_done.eq(nest.o_done),
        ]

        return m

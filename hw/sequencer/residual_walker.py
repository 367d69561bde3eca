"""Residuals: what a filter block's words are joined with, read in the order they are computed."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.residual import join_depth
from stillflow.hw.sequencer.ofmap_runs import OfmapRuns
from stillflow.hw.signals import signals
from stillflow.hw.words import LayerDescriptor, Segment, SegmentKind, residual_unit_bit


class State(enum.Enum):
    """What the walker does next."""

    IDLE = 0
    RUN = 1
    CHUNK = 2
    UNIT = 3


class ResidualWalker(wiring.Component):
    """Emits the read segments of one filter block's residuals in a tile, when it is told to.

    The residual tensor lies as the ofmap does, so its runs are those that the store walker will
    write, and a vector's residuals get the ring entry that its words will get: they are read when
    that entry was stored. A segment for every channel block of every burst's worth of pixels.

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
        An entry of the ofmap buffer is free again.
    o_segment : ``Out(stream.Signature(Segment))``
    o_done : ``Out(1)``
        The block's segments are emitted.
    """

    i_begin: Signal
    i_layer: data.View
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
                "i_layer": In(LayerDescriptor()),
                "i_block": In(1),
                "i_entry_freed": In(1),
                "o_segment": Out(stream.Signature(Segment(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the chunks of a run."""
        m = Module()
        config, layer = self.config, self.i_layer

        step = Signal()
        m.submodules.runs = runs = OfmapRuns(config)
        m.d.comb += [
            runs.i_begin.eq(self.i_begin),
            runs.i_layer.eq(layer),
            runs.i_base.eq(layer.residual_address),
            runs.i_step.eq(step),
        ]

        state = Signal(State)
        left, chunk = signals("left chunk", 16)
        here, unit_address = signals("here unit_address", 32)
        entry = Signal(range(self.depth))
        unit = Signal(range(config.block_units + 1))
        free, claimed = signals("free claimed", range(self.depth + 1))
        m.d.sync += free.eq(free + self.i_entry_freed - claimed)

        unit_last, rest = Signal(), Signal(16)
        next_entry = Signal(range(2 * self.depth))
        m.d.comb += [
            unit_last.eq(unit + 1 == runs.o_units),
            rest.eq(left - chunk),
            next_entry.eq(entry + chunk),
        ]
        last = Signal()
        m.d.comb += last.eq(unit_last & (rest == 0) & runs.o_block_last)
        self._segment(m, unit_address, chunk, entry, unit, last)
        unit_bytes = config.channel_block * config.act_bytes
        with m.Switch(state):
            with m.Case(State.IDLE):
                m.d.comb += self.o_done.eq(1)
                with m.If(self.i_block):
                    m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN):
                m.d.sync += [
                    left.eq(runs.o_pixels),
                    here.eq(runs.o_address),
                    chunk.eq(
                        Mux(runs.o_pixels < self.chunk_pixels, runs.o_pixels, self.chunk_pixels)
                    ),
                    state.eq(State.CHUNK),
                ]
            with m.Case(State.CHUNK):
                with m.If(free >= chunk):
                    m.d.comb += claimed.eq(chunk)
                    m.d.sync += [unit.eq(0), unit_address.eq(here), state.eq(State.UNIT)]
            with m.Case(State.UNIT):
                m.d.comb += self.o_segment.valid.eq(1)
                with m.If(self.o_segment.ready):
                    m.d.sync += [
                        unit.eq(unit + 1),
                        unit_address.eq(unit_address + layer.ofmap_stride_unit),
                    ]
                    with m.If(unit_last):
                        m.d.sync += [
                            left.eq(rest),
                            here.eq(here + (chunk << ceil_log2(unit_bytes))),
                            chunk.eq(Mux(rest < self.chunk_pixels, rest, self.chunk_pixels)),
                            entry.eq(
                                Mux(next_entry >= self.depth, next_entry - self.depth, next_entry)
                            ),
                            state.eq(State.CHUNK),
                        ]
                        with m.If(rest == 0):
                            m.d.comb += step.eq(1)
                            m.d.sync += state.eq(Mux(runs.o_block_last, State.IDLE, State.RUN))
        with m.If(self.i_begin):
            m.d.sync += [state.eq(State.IDLE), entry.eq(0), free.eq(self.depth)]

        return m

    def _segment(
        self, m: Module, address: Signal, pixels: Signal, entry: Signal, unit: Signal, last: Signal
    ) -> None:
        """Give the beats of so many pixels of a channel block, and where they go."""
        config, segment = self.config, self.o_segment.p
        block, size = config.channel_block, ceil_log2(config.act_bytes)
        lane_bits = ceil_log2(config.axi_elements)
        skip = address[size : size + lane_bits]
        elements, ring = self.depth * block, residual_unit_bit(config)
        end = Signal(range(config.axi_elements + self.chunk_pixels * block + 1))
        place = Signal(range(elements))  # of the first valid element
        first = Signal(range(elements))  # of lane 0
        m.d.comb += [
            end.eq(skip + pixels * block),
            place.eq(entry * block),
            first.eq(Mux(place < skip, place + elements - skip, place - skip)),
            segment.kind.eq(SegmentKind.RESIDUAL),
            segment.address.eq(address),
            segment.beats.eq((end + (config.axi_elements - 1)) >> lane_bits),
            segment.skip.eq(skip),
            segment.tail.eq(end - 1),
            segment.group_last.eq(last),
        ]
        padded = Signal(ring)
        m.d.comb += [padded.eq(first), segment.element.eq(Cat(padded, unit))]

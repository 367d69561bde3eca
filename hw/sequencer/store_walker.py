"""Store side of the nest: where the ofmap words go, in the order they are computed."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.sequencer.ofmap_runs import OfmapRuns
from stillflow.hw.signals import signals
from stillflow.hw.words import LayerDescriptor, StoreRun


class State(enum.Enum):
    """What the walker does next."""

    IDLE = 0
    RUN = 1
    CHUNK = 2
    UNIT = 3


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
    i_layer: data.View
    i_ring: Signal
    i_ready: Signal
    o_run: stream.Interface
    o_done: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_bytes = config.channel_block * config.act_bytes
        self.chunk_pixels = config.store_pixels
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor()),
                "i_ring": In(range(config.psum_depth + 1)),
                "i_ready": In(range(config.psum_depth + 1)),
                "o_run": Out(stream.Signature(StoreRun(config))),
                "o_done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the nest and the chunks of a run."""
        m = Module()
        config, layer = self.config, self.i_layer

        step = Signal()
        m.submodules.runs = runs = OfmapRuns(config)
        m.d.comb += [
            runs.i_begin.eq(self.i_begin),
            runs.i_layer.eq(layer),
            runs.i_base.eq(layer.ofmap_address),
            runs.i_step.eq(step),
        ]

        state = Signal(State)
        left, chunk = signals("left chunk", 16)
        here, unit_address = signals("here unit_address", 32)
        entry = Signal.like(self.o_run.p.entry)
        unit = Signal(range(config.block_units + 1))
        # Vectors in the buffer that no run has claimed yet.
        waiting = Signal(range(config.psum_depth + 1))
        claimed = Signal.like(chunk)
        m.d.sync += waiting.eq(waiting + self.i_ready - claimed)

        run = self.o_run.p
        unit_last = Signal()
        next_entry = Signal(range(2 * config.psum_depth))
        m.d.comb += [
            unit_last.eq(unit + 1 == runs.o_units),
            next_entry.eq(entry + chunk),
            run.address.eq(unit_address),
            run.pixels.eq(chunk),
            run.entry.eq(entry),
            run.unit.eq(unit),
            run.release.eq(unit_last),
        ]
        size_shift = ceil_log2(self.unit_bytes)
        with m.Switch(state):
            with m.Case(State.IDLE):
                m.d.comb += self.o_done.eq(1)
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
                with m.If(waiting >= chunk):
                    m.d.comb += claimed.eq(chunk)
                    m.d.sync += [unit.eq(0), unit_address.eq(here), state.eq(State.UNIT)]
            with m.Case(State.UNIT):
                m.d.comb += self.o_run.valid.eq(1)
                with m.If(self.o_run.ready):
                    m.d.sync += [
                        unit.eq(unit + 1),
                        unit_address.eq(unit_address + layer.ofmap_stride_unit),
                    ]
                    with m.If(unit_last):
                        rest = Signal(16)
                        m.d.comb += rest.eq(left - chunk)
                        m.d.sync += [
                            left.eq(rest),
                            here.eq(here + (chunk << size_shift)),
                            chunk.eq(Mux(rest < self.chunk_pixels, rest, self.chunk_pixels)),
                            state.eq(State.CHUNK),
                            entry.eq(
                                Mux(next_entry >= self.i_ring, next_entry - self.i_ring, next_entry)
                            ),
                        ]
                        with m.If(rest == 0):
                            m.d.comb += step.eq(1)
                            m.d.sync += state.eq(Mux(runs.o_done, State.IDLE, State.RUN))
        with m.If(self.i_begin):
            m.d.sync += [state.eq(State.RUN), entry.eq(0), waiting.eq(0)]

        return m

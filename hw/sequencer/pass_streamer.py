"""Runs the passes of a row-stationary array: pixels meet the filter rows in the PEs."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.row_stationary import Beat
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.ofmap_room import OfmapRoom
from stillflow.hw.sequencer.pe_pass import Pass, PsumVector
from stillflow.hw.signals import signals
from stillflow.hw.timing import FREE_DELAY, release_delay, weight_delay


class PassStreamer(wiring.Component):
    """A beat a cycle: for each strip, pixel, window column and channel, each filter.

    A pass starts when its filters are in place, its first word may be on its way and, where it
    completes psums, the block's residuals are there. A word of the windows meets all filters
    without a stall; before it, the streamer waits until the word is there. With the first word of a
    pixel the psums of the pixel before leave, every ``pace`` cycles where they are complete; before
    the first of a strip leave then, the streamer waits until the ofmap buffer has room for all of
    the strip. Behind the last pixel they leave in beats of their own. A word takes two cycles at
    least, since a psum may come back after two.

    Parameters
    ----------
    config : AcceleratorConfig
        Scratchpads, widths, pace.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_full, i_pass
        The pass that waits.
    i_fed : ``In(1)``
        Its words come.
    i_entry_freed : ``In(1)``
        An entry of the ofmap buffer is free again.
    i_residual : ``In(1)``
        The residuals of a filter block were loaded.
    i_loaded : words of the layer that came to the scratchpads, modulo 2^8
    o_start : ``Out(1)``
        The pass starts; its first beat may come in the next cycle.
    o_beat : ``Out(Beat)``
    o_pes : PEs that multiply
    o_vector : ``Out(PsumVector)``
        Psums that leave with the beat.
    o_released : ``Out(1)``
        A word of the windows is not needed any more, by no row.
    o_weight_freed : ``Out(1)``
        A weight is not needed any more: `stillflow.hw.timing.weight_delay` cycles after its last
        beat, when a line that goes out in the next cycle comes behind the last row's read.
    o_tile_freed : ``Out(1)``
        The slot of the tile is free again.
    o_idle : ``Out(1)``
    """

    i_begin: Signal
    i_layer: Layer
    i_full: Signal
    i_pass: data.View
    i_fed: Signal
    i_entry_freed: Signal
    i_residual: Signal
    i_loaded: Signal
    o_start: Signal
    o_beat: data.View
    o_pes: Signal
    o_vector: data.View
    o_released: Signal
    o_weight_freed: Signal
    o_tile_freed: Signal
    o_idle: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_full": In(1),
                "i_pass": In(Pass(config)),
                "i_fed": In(1),
                "i_entry_freed": In(1),
                "i_residual": In(1),
                "i_loaded": In(8),
                "o_start": Out(1),
                "o_beat": Out(Beat(config)),
                "o_pes": Out(16),
                "o_vector": Out(PsumVector(config)),
                "o_released": Out(1),
                "o_weight_freed": Out(1),
                "o_tile_freed": Out(1),
                "o_idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loops, the places in the scratchpads, and the start."""
        m = Module()
        config, layer, beat = self.config, self.i_layer, self.o_beat

        step = Signal(Pass(config))
        active, flushing, follows = signals("active flushing follows")  # an earlier pixel's psums
        number = Signal(8)  # of the filter
        phase = Signal(range(config.pace + 1))
        channel, window = signals("channel window", 8)
        pixel, strip = signals("pixel strip", config.count_bits)
        strip_last, partial = signals("strip_last partial")
        rows, leaving = signals("rows leaving", beat.columns.shape())
        m.d.comb += [
            strip_last.eq(strip + 1 == step.strips),
            rows.eq(Mux(strip_last, step.last_rows, layer.units)),
            partial.eq(strip_last & step.last_partial),
        ]

        run, opens, slow, advances, exists = signals("run opens slow advances exists")
        waits, room = signals("waits room")
        strip_begins = Signal()  # the pixel whose psums leave is the first of its strip
        need, released = signals("need released", 8)  # words of the layer
        number_last, word_end, slot_end, release, finishing = signals(
            "number_last word_end slot_end release finishing"
        )
        pixel_last = pixel + 1 == step.columns
        channel_last = channel + 1 == step.depth
        window_last = window + 1 == layer.set_columns
        m.d.comb += [
            run.eq(
                active
                & ((number != 0) | (phase != 0) | ((flushing | (self.i_loaded != need)) & ~waits))
            ),
            waits.eq(slow & strip_begins & ~room),
            opens.eq(flushing | ((channel == 0) & (window == 0))),
            slow.eq(opens & follows & step.final),
            advances.eq(run & (~slow | (phase == config.pace - 1))),
            exists.eq(number < layer.set_filters),
            number_last.eq(number + 1 >= Mux(layer.set_filters == 1, 2, layer.set_filters)),
            word_end.eq(advances & number_last & ~flushing),
            slot_end.eq(word_end & channel_last & window_last),
            release.eq(word_end & (pixel_last | (window < layer.set_slide))),
            finishing.eq(advances & number_last & flushing),
        ]

        # Places in the scratchpads.
        place, next_place, oldest, next_oldest = signals(
            "place next_place oldest next_oldest", beat.act.shape()
        )
        weight = Signal.like(beat.weight)
        ring_end, weights_end = config.ifmap_spad - 1, config.filter_spad - 1
        m.d.comb += [
            next_place.eq(Mux(place == ring_end, 0, place + 1)),
            next_oldest.eq(Mux(release, Mux(oldest == ring_end, 0, oldest + 1), oldest)),
        ]
        m.d.sync += [oldest.eq(next_oldest), released.eq(released + release)]
        with m.If(beat.mac):
            m.d.sync += weight.eq(Mux(weight == weights_end, 0, weight + 1))
        with m.If(run):
            m.d.sync += phase.eq(Mux(advances, 0, phase + 1))
        with m.If(advances):
            m.d.sync += number.eq(Mux(number_last, 0, number + 1))
        with m.If(word_end):
            m.d.sync += [place.eq(next_place), need.eq(need + 1), channel.eq(channel + 1)]
            with m.If(channel_last):
                m.d.sync += [channel.eq(0), window.eq(window + 1)]
        with m.If(slot_end):
            m.d.sync += [
                place.eq(next_oldest),
                need.eq(released + release),
                weight.eq(step.weight),
                window.eq(0),
                follows.eq(1),
                leaving.eq(rows),
                pixel.eq(pixel + 1),
            ]
            with m.If(pixel_last):
                m.d.sync += [pixel.eq(0), strip.eq(strip + 1), flushing.eq(strip_last)]
        with m.If(finishing):
            m.d.sync += [active.eq(0), flushing.eq(0)]

        # Psums that leave.
        vector = self.o_vector
        entry = Signal.like(vector.psum)
        strip_ends = Signal()  # the pixel whose psums leave is the last of its strip
        leaves = Signal()
        m.d.comb += [
            leaves.eq(run & (phase == 0) & opens & follows & exists),
            beat.mac.eq(run & (phase == 0) & ~flushing & exists),
            beat.act.eq(place),
            beat.weight.eq(weight),
            beat.psum.eq(number),
            beat.opens.eq(opens),
            beat.leaves.eq(leaves),
            beat.columns.eq(rows),
            beat.leaving.eq(leaving),
            self.o_pes.eq(Mux(partial, layer.set_pes_last, layer.set_pes)),
            vector.valid.eq(leaves & (number < step.stored)),
            vector.psum.eq(entry),
            vector.filter.eq(number),
            vector.first.eq(step.first),
            vector.final.eq(step.final),
            vector.bias_half.eq(step.bias_half),
            vector.scale_half.eq(step.scale_half),
            vector.column_last.eq(number + 1 == step.stored),
            vector.strip_last.eq(vector.column_last & strip_ends),
            vector.last_columns.eq(step.last_columns),
        ]
        with m.If(leaves):
            m.d.sync += entry.eq(entry + 1)
        with m.If(slot_end):
            m.d.sync += [strip_begins.eq(pixel == 0), strip_ends.eq(pixel_last)]

        # A word is free when the last row has read it.
        on_its_way = Signal(release_delay(config) + 1)
        m.d.comb += [on_its_way[0].eq(release), self.o_released.eq(on_its_way[-1])]
        m.d.sync += on_its_way[1:].eq(on_its_way[:-1])

        # So are a weight's places, behind the pass's last pixel.
        weights_on_their_way = Signal(weight_delay(config))
        m.d.sync += weights_on_their_way.eq(
            (weights_on_their_way << 1) | (beat.mac & pixel_last & strip_last)
        )
        m.d.comb += self.o_weight_freed.eq(weights_on_their_way[-1])

        starts = self._may_start(m, active, finishing, vector.valid & step.final, room)
        m.d.comb += self.o_start.eq(starts)
        with m.If(starts):
            m.d.sync += [
                step.eq(self.i_pass),
                active.eq(1),
                entry.eq(self.i_pass.psum),
                weight.eq(self.i_pass.weight),
            ]
            m.d.sync += [
                r.eq(0)
                for r in (flushing, follows, number, phase, channel, window, pixel, strip)
            ]  # fmt: skip
        with m.If(self.i_begin):
            m.d.sync += [
                r.eq(0)
                for r in (active, weights_on_their_way, place, oldest, need, released)
            ]  # fmt: skip
            m.d.sync += on_its_way[1:].eq(0)

        freed = Signal(FREE_DELAY)
        m.d.sync += freed.eq((freed << 1) | (finishing & step.tile_last))
        m.d.comb += [self.o_tile_freed.eq(freed[-1]), self.o_idle.eq(~active & (freed == 0))]

        return m

    def _may_start(
        self, m: Module, active: Signal, finishing: Signal, completes: Value, room_for_strip: Signal
    ) -> Signal:
        """Everything that a pass may wait for, and whether there is room for a strip."""
        layer = self.i_layer
        starts = Signal()
        m.submodules.room = room = OfmapRoom(self.config)
        room.i_layer = layer
        m.d.comb += [
            room.i_begin.eq(self.i_begin),
            room.i_completes.eq(completes),
            room.i_entry_freed.eq(self.i_entry_freed),
            room.i_residual.eq(self.i_residual),
            room.i_take.eq(starts & self.i_pass.final),
            room.i_need.eq(layer.tile_pixels),
            starts.eq(
                self.i_full
                & self.i_fed
                & (~self.i_pass.final | room.o_present)
                & (~active | finishing)
            ),
            room_for_strip.eq(room.o_room),
        ]
        return starts

"""Brings ifmap words from the buffer to the windows in the PEs, row stationary."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.row_stationary import Word
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.sequencer.group_count import GroupCount
from stillflow.hw.sequencer.pe_pass import Pass
from stillflow.hw.signals import delayed, signals
from stillflow.hw.timing import ifmap_latency


class WindowFeeder(wiring.Component):
    """Words of a pass in the order of their first use, each for all diagonals, one a cycle.

    For each strip and pixel the window columns that are new: all at a row's first pixel. A column
    has a word for each channel in a PE. A word waits until there is room for it in the scratchpads,
    which are rings, then takes a cycle for each diagonal. It is there ``latency`` cycles after its
    last vector. Behind the last word of a pass come those of the next one, whether that has started
    or not: the first in the second cycle after the last vector, if the pass is known then and its
    plane groups are loaded.

    Parameters
    ----------
    config : AcceleratorConfig
        Scratchpads, widths.

    Members
    -------
    i_begin, i_layer
        Start of a layer.
    i_ready : ``In(1)``
        The rows are set up.
    i_group : ``In(1)``
        A plane group was loaded.
    i_opens, i_pass
        From the next cycle on ``i_pass`` is the next pass.
    o_fed : ``Out(1)``
        It was taken, and its words come; right from the second cycle after ``i_opens`` on.
    i_released : ``In(1)``
        A word of the windows is not needed any more.
    o_valid, o_address
        A vector of the ifmap buffer.
    o_word : ``Out(Word)``
        Where it goes, with the vector's words.
    o_loaded : words of the layer that came to the scratchpads, modulo 2^8
    o_fills : PEs that got a word
    """

    i_begin: Signal
    i_layer: Layer
    i_ready: Signal
    i_group: Signal
    i_opens: Signal
    i_pass: data.View
    o_fed: Signal
    i_released: Signal
    o_valid: Signal
    o_address: Signal
    o_word: data.View
    o_loaded: Signal
    o_fills: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.latency = 1 + ifmap_latency(config)
        super().__init__(
            {
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_ready": In(1),
                "i_group": In(1),
                "i_opens": In(1),
                "i_pass": In(Pass(config)),
                "o_fed": Out(1),
                "i_released": In(1),
                "o_valid": Out(1),
                "o_address": Out(ceil_log2(config.ifmap_elements)),
                "o_word": Out(Word(config)),
                "o_loaded": Out(8),
                "o_fills": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the loops, innermost first: diagonals, channels, window columns, pixels, strips."""
        m = Module()
        config, layer = self.config, self.i_layer
        bits = ceil_log2(config.ifmap_elements)

        step = Signal(Pass(config))
        active = Signal()
        diagonal, channel, window = signals("diagonal channel window", 8)
        pixel, strip = signals("pixel strip", config.count_bits)
        at, at_word, at_column, at_pixel, at_strip = signals(
            "at at_word at_column at_pixel at_strip", bits
        )
        place = Signal(range(config.ifmap_spad))
        room = Signal(range(config.ifmap_spad + 1))
        strip_last = Signal()
        rows = Signal.like(step.last_rows)
        partial = Signal()
        m.d.comb += [
            strip_last.eq(strip + 1 == step.strips),
            rows.eq(Mux(strip_last, step.last_rows, layer.units)),
            partial.eq(strip_last & step.last_partial),
        ]
        diagonal_last, channel_last, window_last, pixel_last = signals(
            "diagonal_last channel_last window_last pixel_last"
        )
        m.d.comb += [
            diagonal_last.eq(diagonal + 1 == rows + layer.set_shifts),
            channel_last.eq(channel + 1 == step.depth),
            window_last.eq(window + 1 == layer.set_columns),
            pixel_last.eq(pixel + 1 == step.columns),
            self.o_valid.eq(active & ((diagonal != 0) | (room != 0))),
            self.o_address.eq(at),
        ]
        word_end = self.o_valid & diagonal_last
        m.d.sync += room.eq(room + self.i_released - (self.o_valid & (diagonal == 0)))

        # Where the loops around go on.
        next_word, next_column, next_pixel, next_strip, new_column = signals(
            "next_word next_column next_pixel next_strip new_column", bits
        )
        fresh = Signal(8)  # columns that the next pixel's window shares with this one's
        m.d.comb += [
            fresh.eq(layer.set_columns - layer.set_slide),
            next_word.eq(at_word + layer.k_stride_plane),
            next_column.eq(at_column + 1),
            next_pixel.eq(at_pixel + layer.stride_f),
            new_column.eq(next_pixel + fresh),
            next_strip.eq(at_strip + layer.strip_stride),
        ]
        with m.If(self.o_valid):
            m.d.sync += [diagonal.eq(diagonal + 1), at.eq(at + layer.stride_e)]
        with m.If(word_end):
            m.d.sync += [
                diagonal.eq(0),
                channel.eq(channel + 1),
                place.eq(Mux(place == config.ifmap_spad - 1, 0, place + 1)),
                at.eq(next_word),
                at_word.eq(next_word),
            ]
            with m.If(channel_last):
                m.d.sync += [channel.eq(0), window.eq(window + 1)]
                m.d.sync += [r.eq(next_column) for r in (at, at_word, at_column)]
                with m.If(window_last):
                    m.d.sync += [window.eq(fresh), pixel.eq(pixel + 1), at_pixel.eq(next_pixel)]
                    m.d.sync += [r.eq(new_column) for r in (at, at_word, at_column)]
                    with m.If(pixel_last):
                        m.d.sync += [window.eq(0), pixel.eq(0), strip.eq(strip + 1)]
                        m.d.sync += [
                            r.eq(next_strip) for r in (at, at_word, at_column, at_pixel, at_strip)
                        ]
                        m.d.sync += active.eq(~strip_last)
        # The count of plane groups follows a pass by one cycle.
        opened, known, takes = signals("opened known takes")
        m.submodules.count = count = GroupCount(config)
        m.d.comb += [
            count.i_begin.eq(self.i_begin),
            count.i_group.eq(self.i_group),
            count.i_needed.eq(self.i_pass.groups),
            takes.eq(known & ~active & count.o_loaded & self.i_ready),
            self.o_fed.eq(~known),
        ]
        m.d.sync += [opened.eq(self.i_opens), known.eq(opened | (known & ~takes))]
        with m.If(takes):
            m.d.sync += [step.eq(self.i_pass), active.eq(1)]
            m.d.sync += [
                r.eq(self.i_pass.element) for r in (at, at_word, at_column, at_pixel, at_strip)
            ]
            m.d.sync += [r.eq(0) for r in (diagonal, channel, window, pixel, strip)]

        # The words' way through the buffer.
        word = Signal(Word(config))
        m.d.comb += [
            word.valid.eq(self.o_valid),
            word.place.eq(place),
            word.diagonal.eq(diagonal),
            word.columns.eq(rows),
            word.channels.eq(Mux(channel_last, step.channels, layer.set_channels)),
            self.o_word.eq(delayed(m, word.as_value(), ifmap_latency(config), "word")),
            self.o_fills.eq(Mux(word_end, Mux(partial, layer.set_pes_last, layer.set_pes), 0)),
        ]
        m.d.sync += self.o_loaded.eq(
            self.o_loaded + delayed(m, word_end, self.latency - 1, "word_end")
        )
        with m.If(self.i_begin):
            m.d.sync += [r.eq(0) for r in (active, known, place, self.o_loaded)]
            m.d.sync += room.eq(config.ifmap_spad)

        return m

"""What every dataflow shows to the rest of the accelerator."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.layer_port import Layer, LayerDescriptor
from stillflow.hw.post.post import PostProcessor
from stillflow.hw.signals import delayed
from stillflow.hw.timing import requant_tail
from stillflow.hw.words import ArrayEvents, SegmentKind


class DataflowComponent(wiring.Component):
    """Everything between the reader's beats and the ofmap words: what a dataflow is made as.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.

    Members
    -------
    i_reset : ``In(1)``
        The job was stopped: forget it.
    i_begin, i_layer
        Start of a layer; its descriptor stays until ``o_done``.
    i_beat, i_kind, i_data, i_element, i_mask
        Beats from the reader.
    i_group : ``In(1)``
        A plane group was loaded.
    i_entry_freed : ``In(1)``
        An entry of the ofmap buffer is free again.
    i_residual : ``In(1)``
        The residuals of a filter block in a tile were loaded.
    o_filter_freed : lines of the filter buffer that are free from the next cycle on
    o_tile_freed : ``Out(1)``
        A slot of the ifmap buffer is free again.
    o_done : ``Out(1)``
        No step is left; its ofmap words may still be on their way.
    o_valid, o_words, o_column_last, o_strip_last, o_last_columns
        An ofmap vector; the last of its column, of its strip (see `OfmapBuffer`), which is as wide
        as the last column tile.
    o_events : ``Out(ArrayEvents)``
        For the counters.
    """

    i_reset: Signal
    i_begin: Signal
    i_layer: Layer
    i_beat: Signal
    i_kind: Signal
    i_data: Signal
    i_element: Signal
    i_mask: Signal
    i_group: Signal
    i_entry_freed: Signal
    i_residual: Signal
    o_filter_freed: Signal
    o_tile_freed: Signal
    o_done: Signal
    o_valid: Signal
    o_words: data.View
    o_column_last: Signal
    o_strip_last: Signal
    o_last_columns: Signal
    o_events: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        act = signed(config.act_bits)
        super().__init__(
            {
                "i_reset": In(1),
                "i_begin": In(1),
                "i_layer": In(LayerDescriptor(config)),
                "i_beat": In(1),
                "i_kind": In(SegmentKind),
                "i_data": In(config.axi_data_bits),
                "i_element": In(ceil_log2(config.ifmap_elements)),
                "i_mask": In(config.axi_elements),
                "i_group": In(1),
                "i_entry_freed": In(1),
                "i_residual": In(1),
                "o_filter_freed": Out(ceil_log2(config.filter_lines + 1)),
                "o_tile_freed": Out(1),
                "o_done": Out(1),
                "o_valid": Out(1),
                "o_words": Out(data.ArrayLayout(act, config.m_block)),
                "o_column_last": Out(1),
                "o_strip_last": Out(1),
                "o_last_columns": Out(1),
                "o_events": Out(ArrayEvents(config)),
            }
        )


def connect_fill(
    m: Module,
    ifmap: IfmapBuffer,
    filters: FilterBuffer | FilterBanks,
    *,
    beat: Signal,
    kind: Value,
    words: Signal,
    element: Signal,
    mask: Signal,
    pad_value: Value,
) -> None:
    """Beats of the reader go to the buffer of their kind; padding is made up."""
    padding = kind == SegmentKind.PADDING
    m.d.comb += [
        ifmap.i_fill_valid.eq(beat & ((kind == SegmentKind.IFMAP) | padding)),
        ifmap.i_fill_address.eq(element),
        ifmap.i_fill_mask.eq(mask),
        filters.i_write_valid.eq(beat & (kind == SegmentKind.FILTER)),
        filters.i_write_data.eq(words),
    ]
    elements = data.View(ifmap.i_fill_data.shape(), words)
    m.d.comb += [
        ifmap.i_fill_data[lane].eq(Mux(padding, pad_value, elements[lane]))
        for lane in range(len(mask))
    ]


def connect_psums(
    m: Module, vector: data.View, accumulator: Accumulator, post: PostProcessor
) -> Value:
    """Send the sums of vectors through accumulator and post-processing.

    ``vector`` belongs to the cycle of the accumulator's control members. Gives the marks of a
    vector, the last of its column and of its strip, beside its ofmap words.
    """
    m.d.comb += [
        accumulator.i_valid.eq(vector.emits),
        accumulator.i_address.eq(vector.psum),
        accumulator.i_first.eq(vector.first),
        accumulator.i_final.eq(vector.final),
        accumulator.i_maximum.eq(vector.maximum),
        accumulator.i_bias_swap.eq(vector.start & vector.first),
        post.i_scale_swap.eq(
            delayed(m, vector.start & vector.final, accumulator.latency - 1, "scale_swap")
        ),
        post.i_valid.eq(accumulator.o_valid),
        post.i_psums.eq(accumulator.o_psums),
    ]
    marks = Cat(vector.column_last, vector.strip_last)
    return beside_words(m, marks, accumulator, post)


def beside_words(m: Module, marks: Value, accumulator: Accumulator, post: PostProcessor) -> Value:
    """Give a vector's marks beside its ofmap words; they belong to the accumulator's control."""
    coming = delayed(m, marks, accumulator.latency, "marks")
    held = Signal(len(marks), name="marks_held")
    marks_now = Mux(accumulator.o_valid, coming, held)  # while the requantiser takes the vector
    m.d.sync += held.eq(marks_now)
    return delayed(m, marks_now, requant_tail(post.config), "words_marks")

"""What every dataflow shows to the rest of the accelerator."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out

from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.words import ArrayEvents, LayerDescriptor, SegmentKind


def dataflow_ports(config: AcceleratorConfig) -> dict[str, Member]:
    """Members of a dataflow.

    ``i_reset`` : the job was stopped: forget it.
    ``i_begin``, ``i_layer`` : start of a layer; its descriptor stays until ``o_done``.
    ``i_beat``, ``i_kind``, ``i_data``, ``i_element``, ``i_mask`` : beats from the reader.
    ``i_group`` : a plane group was loaded.
    ``i_entry_freed`` : an entry of the ofmap buffer is free again.
    ``o_filter_freed`` : lines of the filter buffer that are free from the next cycle on.
    ``o_tile_freed`` : a slot of the ifmap buffer is free again.
    ``o_done`` : no step is left; its ofmap words may still be on their way.
    ``o_valid``, ``o_words``, ``o_column_last``, ``o_strip_last`` : an ofmap vector; the last of its
    column, of its strip (see `OfmapBuffer`).
    ``o_events`` : for the counters.
    """
    act = signed(config.act_bits)
    return {
        "i_reset": In(1),
        "i_begin": In(1),
        "i_layer": In(LayerDescriptor()),
        "i_beat": In(1),
        "i_kind": In(SegmentKind),
        "i_data": In(config.axi_data_bits),
        "i_element": In(ceil_log2(config.ifmap_elements)),
        "i_mask": In(config.axi_elements),
        "i_group": In(1),
        "i_entry_freed": In(1),
        "o_filter_freed": Out(ceil_log2(config.filter_lines + 1)),
        "o_tile_freed": Out(1),
        "o_done": Out(1),
        "o_valid": Out(1),
        "o_words": Out(data.ArrayLayout(act, config.m_block)),
        "o_column_last": Out(1),
        "o_strip_last": Out(1),
        "o_events": Out(ArrayEvents(config)),
    }


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

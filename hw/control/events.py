"""What each performance counter counts, and what the watchdog takes for progress."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.hw.signals import times
from stillflow.hw.words import ArrayEvents, SegmentKind


def count_ones(bits: Value) -> Value:
    """Count the ones of a vector with a balanced tree of adders."""
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:]) if half else bits


class CounterEvents(wiring.Component):
    """Turns enable signals into words per counter and cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Words per access.

    Members
    -------
    i_busy
        A job runs: cycles count.
    i_read_beat, i_write_beat, i_moved
        AXI beats; any other handshake.
    i_beat, i_kind, i_mask
        Beats into the buffers.
    i_array : ``In(ArrayEvents)``
        What the dataflow does.
    i_residual_read, i_ofmap_write, i_ofmap_spill, i_layer_end
        One event each.
    o_amounts : ``Out(ArrayLayout(16, len(Counter)))``
    o_progress : ``Out(1)``
    """

    i_busy: Signal
    i_read_beat: Signal
    i_write_beat: Signal
    i_moved: Signal
    i_beat: Signal
    i_kind: Signal
    i_mask: Signal
    i_array: data.View
    i_residual_read: Signal
    i_ofmap_write: Signal
    i_ofmap_spill: Signal
    i_layer_end: Signal
    o_amounts: data.View
    o_progress: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_busy": In(1),
                "i_read_beat": In(1),
                "i_write_beat": In(1),
                "i_moved": In(1),
                "i_beat": In(1),
                "i_kind": In(SegmentKind),
                "i_mask": In(config.axi_elements),
                "i_array": In(ArrayEvents(config)),
                "i_residual_read": In(1),
                "i_ofmap_write": In(1),
                "i_ofmap_spill": In(1),
                "i_layer_end": In(1),
                "o_amounts": Out(data.ArrayLayout(16, len(Counter))),
                "o_progress": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the event decoder."""
        m = Module()
        config = self.config

        elements = Signal(range(config.axi_elements + 1))
        m.d.comb += elements.eq(count_ones(self.i_mask))
        array = self.i_array
        ifmap_kinds = (SegmentKind.IFMAP, SegmentKind.PADDING, SegmentKind.RESIDUAL)
        ifmap_fill = self.i_beat & Cat(self.i_kind == kind for kind in ifmap_kinds).any()
        filter_fill = self.i_beat & (self.i_kind == SegmentKind.FILTER)
        ifmap_reads = Mux(array.vector, array.lanes, 0) + Mux(
            self.i_residual_read, config.m_block, 0
        )
        events: dict[Counter, tuple[Value, Value | int]] = {
            Counter.CYCLES: (self.i_busy, 1),
            Counter.DRAM_READ_BYTES: (self.i_read_beat, config.axi_bytes),
            Counter.DRAM_WRITE_BYTES: (self.i_write_beat, config.axi_bytes),
            Counter.IFMAP_READS: (Const(1), ifmap_reads),
            Counter.IFMAP_FILLS: (ifmap_fill, elements),
            Counter.FILTER_READS: (Const(1), times(array.lines, config.line_words)),
            Counter.FILTER_FILLS: (filter_fill, config.axi_bytes // (config.weight_bits // 8)),
            Counter.PSUM_READS: (array.psum_read, config.m_block),
            Counter.PSUM_WRITES: (array.psum_write, config.m_block),
            Counter.OFMAP_WRITES: (self.i_ofmap_write, config.m_block),
            Counter.OFMAP_SPILLS: (self.i_ofmap_spill, config.channel_block),
            Counter.CHAIN_SHIFTS: (Const(1), array.shift),
            Counter.WEIGHT_SWAPS: (Const(1), array.step),
            Counter.MAC_CYCLES: (array.mac, 1),
            Counter.MAC_LANES: (array.mac, array.weights),
            Counter.LAYERS: (self.i_layer_end, 1),
        }
        m.d.comb += [
            self.o_amounts[counter].eq(Mux(event, amount, 0))
            for counter, (event, amount) in events.items()
        ]
        m.d.comb += self.o_progress.eq(
            self.i_read_beat | self.i_write_beat | self.i_moved | array.progress
        )

        return m

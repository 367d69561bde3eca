"""What each performance counter counts, and what the watchdog takes for progress."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.hw.words import ArrayEvents, SegmentKind


def event_words(config: AcceleratorConfig) -> dict[Counter, tuple[int, int]]:
    """Give for each counter its most events in a cycle, and what one adds to it."""
    sets = config.has_pe_sets
    residuals = config.m_block if config.finisher else 0
    return {
        Counter.CYCLES: (1, 1),
        Counter.DRAM_READ_BYTES: (1, config.axi_bytes),
        Counter.DRAM_WRITE_BYTES: (1, config.axi_bytes),
        Counter.IFMAP_READS: (config.rows + residuals, 1),
        Counter.IFMAP_FILLS: (config.axi_elements, 1),
        Counter.FILTER_READS: (config.filter_banks, config.line_words),
        Counter.FILTER_FILLS: (1, config.axi_bytes // (config.weight_bits // 8)),
        Counter.PSUM_READS: (1, config.m_block),
        Counter.PSUM_WRITES: (1, config.m_block),
        Counter.OFMAP_WRITES: (1, config.m_block),
        Counter.OFMAP_SPILLS: (1, config.channel_block),
        Counter.CHAIN_SHIFTS: (config.rows, config.m_block) if sets else (1, 1),
        Counter.WEIGHT_SWAPS: (config.pes if sets else 1, 1),
        Counter.MAC_CYCLES: (1, 1),
        Counter.MAC_LANES: (config.pes if sets else config.rows, 1),
        Counter.LAYERS: (1, 1),
    }


class EventCounts(data.StructLayout):
    """Events of a cycle, for each counter by its name."""

    def __init__(self, config: AcceleratorConfig) -> None:
        most = event_words(config)
        super().__init__({counter.name.lower(): range(most[counter][0] + 1) for counter in Counter})


def count_ones(bits: Value) -> Value:
    """Count the ones of a vector with a balanced tree of adders."""
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:]) if half else bits


class CounterEvents(wiring.Component):
    """Turns enable signals into events per counter and cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Most events of a cycle.

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
    o_events : ``Out(EventCounts)``
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
    o_events: data.View
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
                "o_events": Out(EventCounts(config)),
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
        ifmap_reads = Mux(array.vector, array.lanes, 0)
        if config.finisher:
            ifmap_reads += Mux(self.i_residual_read, config.m_block, 0)
        events: dict[Counter, Value] = {
            Counter.CYCLES: self.i_busy,
            Counter.DRAM_READ_BYTES: self.i_read_beat,
            Counter.DRAM_WRITE_BYTES: self.i_write_beat,
            Counter.IFMAP_READS: ifmap_reads,
            Counter.IFMAP_FILLS: Mux(ifmap_fill, elements, 0),
            Counter.FILTER_READS: array.lines,
            Counter.FILTER_FILLS: filter_fill,
            Counter.PSUM_READS: array.psum_read,
            Counter.PSUM_WRITES: array.psum_write,
            Counter.OFMAP_WRITES: self.i_ofmap_write,
            Counter.OFMAP_SPILLS: self.i_ofmap_spill,
            Counter.CHAIN_SHIFTS: array.shift,
            Counter.WEIGHT_SWAPS: array.step,
            Counter.MAC_CYCLES: array.mac,
            Counter.MAC_LANES: Mux(array.mac, array.weights, 0),
            Counter.LAYERS: self.i_layer_end,
        }
        m.d.comb += [
            self.o_events[counter.name.lower()].eq(event) for counter, event in events.items()
        ]
        m.d.comb += self.o_progress.eq(
            self.i_read_beat | self.i_write_beat | self.i_moved | array.progress
        )

        return m

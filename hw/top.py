"""The accelerator: connects the blocks and decides nothing."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.activations import ActivationMemory
from stillflow.hw.buffer.ofmap import OfmapBuffer
from stillflow.hw.config import AcceleratorConfig, Dataflow, ceil_log2
from stillflow.hw.control.axil import AXIL_INPUTS, AXIL_OUTPUTS
from stillflow.hw.control.counters import Counters
from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.control.events import CounterEvents
from stillflow.hw.control.job import JobControl
from stillflow.hw.dataflow.no_local_reuse import NoLocalReuse
from stillflow.hw.dataflow.output_stationary import OutputStationary
from stillflow.hw.dataflow.row_stationary import RowStationary
from stillflow.hw.dataflow.weight_stationary import WeightStationary
from stillflow.hw.dma.axi_master import axi_ports, connect_axi
from stillflow.hw.dma.reader import Reader
from stillflow.hw.dma.writer import Writer
from stillflow.hw.post.finish import Finisher
from stillflow.hw.post.pool import Pool
from stillflow.hw.residual import Join, join_depth
from stillflow.hw.sequencer.read_walker import ReadWalker
from stillflow.hw.sequencer.store_walker import StoreWalker
from stillflow.hw.words import SegmentKind

DATAFLOWS = {
    Dataflow.WEIGHT_STATIONARY: WeightStationary,
    Dataflow.OUTPUT_STATIONARY: OutputStationary,
    Dataflow.NO_LOCAL_REUSE: NoLocalReuse,
    Dataflow.ROW_STATIONARY: RowStationary,
}


class Accelerator(wiring.Component):
    """A complete accelerator: AXI4-Lite slave, AXI4 master, interrupt.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.

    Members
    -------
    s_axil_* : AXI4-Lite slave
        Registers of `stillflow.hw.csr`.
    m_axi_* : AXI4 master
        32-bit addresses, one ID, INCR bursts.
    irq : ``Out(1)``
        Level: a job is done or has failed, and the interrupt is enabled.
    """

    irq: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {f"s_axil_{name}": In(width) for name, width in AXIL_INPUTS.items()}
            | {f"s_axil_{name}": Out(width) for name, width in AXIL_OUTPUTS.items()}
            | axi_ports(config.axi_data_bits)
            | {"irq": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the blocks."""
        m = Module()
        config = self.config

        csr = CsrBlock(config)
        job = JobControl(config)
        reader, writer = Reader(config), Writer(config)
        loads, stores = ReadWalker(config), StoreWalker(config)
        dataflow, ofmap = DATAFLOWS[config.dataflow](config), OfmapBuffer(config)
        counters, events = Counters(config), CounterEvents(config)
        m.submodules.csr, m.submodules.job = csr, job
        m.submodules.counters, m.submodules.events = counters, events
        m.submodules.dataflow, m.submodules.ofmap = dataflow, ofmap
        for name, engine in {
            "reader": reader,
            "writer": writer,
            "loads": loads,
            "stores": stores,
        }.items():
            m.submodules[name] = ResetInserter(job.o_clear)(engine)

        # Host.
        for name in AXIL_INPUTS:
            m.d.comb += getattr(csr, f"s_axil_{name}").eq(getattr(self, f"s_axil_{name}"))
        for name in AXIL_OUTPUTS:
            m.d.comb += getattr(self, f"s_axil_{name}").eq(getattr(csr, f"s_axil_{name}"))
        m.d.comb += [
            self.irq.eq(csr.irq),
            job.i_start.eq(csr.o_start),
            job.i_soft_reset.eq(csr.o_soft_reset),
            job.i_program_address.eq(csr.o_program_address),
            job.i_program_length.eq(csr.o_program_length),
            job.i_record_address.eq(csr.o_record_address),
            job.i_watchdog.eq(csr.o_watchdog),
            csr.i_busy.eq(job.o_busy),
            csr.i_done.eq(job.o_done),
            csr.i_error.eq(job.o_failed),
            csr.i_error_code.eq(job.o_error_code),
            csr.i_error_address.eq(job.o_error_address),
            csr.i_layer.eq(job.o_layers),
            csr.i_counter.eq(counters.o_shown),
        ]

        # Job.
        for walker in (loads, stores, dataflow):
            walker.i_layer = job.o_layer
        m.d.comb += [
            loads.i_start.eq(job.o_begin),
            stores.i_begin.eq(job.o_begin),
            dataflow.i_begin.eq(job.o_begin),
            dataflow.i_reset.eq(job.o_clear),
            ofmap.i_clear.eq(job.o_begin),
            reader.i_clear.eq(job.o_begin),
            job.i_walkers_done.eq(loads.o_done & stores.o_done & dataflow.o_done),
            job.i_writer_idle.eq(writer.o_idle),
            job.i_record_taken.eq(writer.o_record_taken),
            job.i_reader_idle.eq(reader.o_idle),
            job.i_progress.eq(events.o_progress),
            job.i_error.eq(reader.o_error | writer.o_error),
            job.i_error_code.eq(Mux(reader.o_error, reader.o_error_code, writer.o_error_code)),
            job.i_error_address.eq(
                Mux(reader.o_error, reader.o_error_address, writer.o_error_address)
            ),
            counters.i_clear.eq(job.o_counters_clear),
            counters.i_sweep.eq(job.o_counters_sweep),
            counters.i_hold.eq(writer.o_hold),
            counters.i_events.eq(events.o_events),
            reader.i_abort.eq(job.o_abort),
            writer.i_abort.eq(job.o_abort),
        ]

        # Load: descriptors while the walkers rest.
        fetching = job.o_segment.valid
        m.d.comb += [
            reader.i_segment.valid.eq(fetching | loads.o_segment.valid),
            reader.i_segment.payload.eq(
                Mux(fetching, job.o_segment.payload.as_value(), loads.o_segment.payload.as_value())
            ),
            job.o_segment.ready.eq(reader.i_segment.ready),
            loads.o_segment.ready.eq(reader.i_segment.ready),
            job.i_beat.eq(reader.o_beat & (reader.o_kind == SegmentKind.DESCRIPTOR)),
            job.i_data.eq(reader.o_data),
            reader.i_filter_freed.eq(dataflow.o_filter_freed),
            loads.i_tile_freed.eq(dataflow.o_tile_freed),
            dataflow.i_beat.eq(reader.o_beat),
            dataflow.i_kind.eq(reader.o_kind),
            dataflow.i_data.eq(reader.o_data),
            dataflow.i_element.eq(reader.o_element),
            dataflow.i_mask.eq(reader.o_mask),
            dataflow.i_group.eq(reader.o_group),
            dataflow.i_entry_freed.eq(writer.o_freed),
            dataflow.i_residual.eq(reader.o_residual),
        ]

        # Store.
        layer, joins = job.o_layer, Signal()
        ring = Signal(range(config.ofmap_depth + 1))
        m.d.comb += [
            joins.eq(layer.join != Join.NONE),
            ring.eq(Mux(joins, join_depth(config), config.ofmap_depth)),
        ]
        wiring.connect(m, stores.o_run, writer.i_run)
        wiring.connect(m, job.o_record, writer.i_record)
        m.d.comb += [
            stores.i_ring.eq(ring),
            writer.i_ring.eq(ring),
            stores.i_ready.eq(ofmap.o_ready),
            ofmap.i_columns.eq(Mux(dataflow.o_last_columns, job.o_layer.pf_last, job.o_layer.pf)),
            ofmap.i_column_last.eq(dataflow.o_column_last),
            ofmap.i_strip_last.eq(dataflow.o_strip_last),
            ofmap.i_ring.eq(ring),
            ofmap.i_joins.eq(joins),
            ofmap.i_fill.eq(reader.o_beat & (reader.o_kind == SegmentKind.RESIDUAL)),
            ofmap.i_fill_element.eq(reader.o_element),
            ofmap.i_fill_mask.eq(reader.o_mask),
            ofmap.i_fill_data.eq(reader.o_data),
            ofmap.i_read_en.eq(writer.o_read_en),
            ofmap.i_read_entry.eq(writer.o_read_entry),
            writer.i_vector.eq(ofmap.o_vector),
            writer.i_counter.eq(counters.o_shown),
        ]

        # Words on their way to the ofmap buffer: finished, or what became of windows.
        stored, words, late = dataflow.o_valid, dataflow.o_words.as_value(), joins | layer.table
        finished = Signal(len(words))
        residual_en, residual_freed = stored, writer.o_freed
        if config.pools:
            m.submodules.pool = pool = Pool(config)
            pool.i_layer = layer
            m.d.comb += [
                pool.i_begin.eq(job.o_begin),
                pool.i_valid.eq(stored),
                pool.i_words.eq(words),
                pool.i_finished.eq(finished),
            ]
            stored, words, late = pool.o_valid, pool.o_words, late & ~pool.o_pools
            residual_en = pool.o_counts
            residual_freed = Mux(pool.o_pools, residual_en, writer.o_freed)
            m.d.comb += ofmap.i_pools.eq(pool.o_pools)
        m.d.comb += [
            ofmap.i_valid.eq(stored),
            ofmap.i_words.eq(words),
            ofmap.i_late.eq(late),
            ofmap.i_residual_en.eq(residual_en),
            loads.i_entry_freed.eq(residual_freed),
            events.i_residual_read.eq(residual_en & joins),
        ]
        if config.finisher:
            m.submodules.finisher = finisher = Finisher(config)
            finisher.i_layer = layer
            m.d.comb += [
                finisher.i_valid.eq(dataflow.o_valid),
                finisher.i_words.eq(dataflow.o_words),
                finisher.i_residuals.as_value().eq(ofmap.o_residuals),
                finisher.i_fill.eq(reader.o_beat & (reader.o_kind == SegmentKind.TABLE)),
                finisher.i_fill_line.eq(reader.o_element[ceil_log2(config.axi_elements) :]),
                finisher.i_fill_data.eq(reader.o_data),
                finished.eq(finisher.o_words.as_value()),
                ofmap.i_finished.eq(finished),
            ]

        # What the counters see.
        m.d.comb += [
            events.i_busy.eq(job.o_busy),
            events.i_read_beat.eq(reader.r_valid & reader.r_ready),
            events.i_write_beat.eq(writer.w_valid & writer.w_ready),
            events.i_moved.eq(
                (reader.ar_valid & reader.ar_ready)
                | (writer.aw_valid & writer.aw_ready)
                | writer.b_valid
                | reader.o_beat
                | writer.o_spill
            ),
            events.i_beat.eq(reader.o_beat),
            events.i_kind.eq(reader.o_kind),
            events.i_mask.eq(reader.o_mask),
            events.i_array.eq(dataflow.o_events),
            events.i_ofmap_write.eq(ofmap.o_write),
            events.i_ofmap_spill.eq(writer.o_spill),
            events.i_layer_end.eq(job.o_layer_end),
        ]

        if config.activation_kib:
            m.submodules.activations = activations = ActivationMemory(config)
            m.d.comb += [
                activations.i_read_en.eq(reader.o_local_en),
                activations.i_read_line.eq(reader.o_local_line),
                reader.i_local_data.eq(activations.o_data),
                activations.i_write_mask.eq(writer.o_local_mask),
                activations.i_write_line.eq(writer.o_local_line),
                activations.i_data.eq(writer.o_local_data),
            ]

        connect_axi(m, self, config, (reader, writer), job.o_clear)
        return m

"""The accelerator: connects the blocks and decides nothing."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from stillflow.hw.buffer.ofmap import OfmapBuffer
from stillflow.hw.config import AcceleratorConfig, Dataflow, ceil_log2
from stillflow.hw.control.counters import Counters
from stillflow.hw.control.csr_block import AXIL_INPUTS, AXIL_OUTPUTS, CsrBlock
from stillflow.hw.control.events import CounterEvents
from stillflow.hw.control.job import JobControl
from stillflow.hw.dataflow.no_local_reuse import NoLocalReuse
from stillflow.hw.dataflow.output_stationary import OutputStationary
from stillflow.hw.dataflow.row_stationary import RowStationary
from stillflow.hw.dataflow.weight_stationary import WeightStationary
from stillflow.hw.dma.reader import Reader
from stillflow.hw.dma.register_slice import RegisterSlice
from stillflow.hw.dma.writer import Writer
from stillflow.hw.post.finish import Finisher
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
INCR, NORMAL_NON_CACHEABLE, UNPRIVILEGED = 1, 0b0011, 0


def axi_ports(data_bits: int) -> dict[str, Member]:
    """Members of the AXI4 master, in the names that tools infer as a bus."""
    address = {"id": 1, "addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3}
    ports: dict[str, Member] = {}
    for channel in ("aw", "ar"):
        ports |= {f"m_axi_{channel}{name}": Out(bits) for name, bits in address.items()}
        ports |= {f"m_axi_{channel}valid": Out(1), f"m_axi_{channel}ready": In(1)}
    ports |= {
        "m_axi_wdata": Out(data_bits),
        "m_axi_wstrb": Out(data_bits // 8),
        "m_axi_wlast": Out(1),
        "m_axi_wvalid": Out(1),
        "m_axi_wready": In(1),
        "m_axi_bid": In(1),
        "m_axi_bresp": In(2),
        "m_axi_bvalid": In(1),
        "m_axi_bready": Out(1),
        "m_axi_rid": In(1),
        "m_axi_rdata": In(data_bits),
        "m_axi_rresp": In(2),
        "m_axi_rlast": In(1),
        "m_axi_rvalid": In(1),
        "m_axi_rready": Out(1),
    }
    return ports


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
            csr.i_counters.eq(counters.o_values),
        ]

        # Job.
        for walker in (loads, stores, dataflow):
            m.d.comb += walker.i_layer.eq(job.o_layer)
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
            job.i_counters.eq(counters.o_values),
            counters.i_clear.eq(job.o_counters_clear),
            counters.i_amounts.eq(events.o_amounts),
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
            loads.o_segment.ready.eq(reader.i_segment.ready & ~fetching),
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
            loads.i_entry_freed.eq(writer.o_freed),
        ]

        # Store.
        layer, joins = job.o_layer, Signal()
        ring = Signal(range(config.psum_depth + 1))
        m.d.comb += [
            joins.eq(layer.join != Join.NONE),
            ring.eq(Mux(joins, join_depth(config), config.psum_depth)),
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
            ofmap.i_valid.eq(dataflow.o_valid),
            ofmap.i_words.eq(dataflow.o_words.as_value()),
            ofmap.i_ring.eq(ring),
            ofmap.i_joins.eq(joins),
            ofmap.i_late.eq(joins | layer.table),
            ofmap.i_fill.eq(reader.o_beat & (reader.o_kind == SegmentKind.RESIDUAL)),
            ofmap.i_fill_element.eq(reader.o_element),
            ofmap.i_fill_mask.eq(reader.o_mask),
            ofmap.i_fill_data.eq(reader.o_data),
            ofmap.i_read_en.eq(writer.o_read_en),
            ofmap.i_read_entry.eq(writer.o_read_entry),
            writer.i_vector.eq(ofmap.o_vector),
            writer.i_counters.eq(job.o_counters),
        ]

        if config.finisher:
            m.submodules.finisher = finisher = Finisher(config)
            m.d.comb += [
                finisher.i_layer.eq(layer),
                finisher.i_valid.eq(dataflow.o_valid),
                finisher.i_words.eq(dataflow.o_words),
                finisher.i_residuals.as_value().eq(ofmap.o_residuals),
                finisher.i_fill.eq(reader.o_beat & (reader.o_kind == SegmentKind.TABLE)),
                finisher.i_fill_line.eq(reader.o_element[ceil_log2(config.axi_elements) :]),
                finisher.i_fill_data.eq(reader.o_data),
                ofmap.i_finished.eq(finisher.o_words.as_value()),
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
            ),
            events.i_beat.eq(reader.o_beat),
            events.i_kind.eq(reader.o_kind),
            events.i_mask.eq(reader.o_mask),
            events.i_array.eq(dataflow.o_events),
            events.i_residual_read.eq(dataflow.o_valid & joins),
            events.i_ofmap_write.eq(ofmap.o_write),
            events.i_ofmap_spill.eq(writer.o_spill),
            events.i_layer_end.eq(job.o_layer_end),
        ]

        self._connect_axi(m, reader, writer, job.o_clear)
        return m

    def _connect_axi(self, m: Module, reader: Reader, writer: Writer, clear: Signal) -> None:
        constants = {
            "id": 0,
            "size": ceil_log2(self.config.axi_bytes),
            "burst": INCR,
            "cache": NORMAL_NON_CACHEABLE,
            "prot": UNPRIVILEGED,
        }
        for channel in ("aw", "ar"):
            for name, value in constants.items():
                m.d.comb += getattr(self, f"m_axi_{channel}{name}").eq(value)
        self._channel(m, "ar", {"addr": reader.ar_address, "len": reader.ar_len}, reader, clear)
        self._channel(m, "aw", {"addr": writer.aw_address, "len": writer.aw_len}, writer, clear)
        data = {"data": writer.w_data, "strb": writer.w_strb, "last": writer.w_last}
        self._channel(m, "w", data, writer, clear)
        self._channel(m, "r", {"data": reader.r_data, "resp": reader.r_resp}, reader, clear)
        self._channel(m, "b", {"resp": writer.b_resp}, writer, clear)

    def _channel(
        self,
        m: Module,
        name: str,
        fields: dict[str, Signal],
        engine: Reader | Writer,
        clear: Signal,
    ) -> None:
        """Connect a channel of an engine with its ports, through a slice if there are any."""
        own = {key: getattr(engine, f"{name}_{key}") for key in ("valid", "ready")} | fields
        ports = {key: getattr(self, f"m_axi_{name}{key}") for key in own}
        source, sink = (ports, own) if name in ("r", "b") else (own, ports)
        valid, ready = source["valid"], source["ready"]
        payload: Value = Cat(source[field] for field in fields)
        if self.config.axi_slices:
            part = RegisterSlice(len(payload))
            m.submodules[f"{name}_slice"] = ResetInserter(clear)(part)
            m.d.comb += [
                part.i.valid.eq(valid),
                part.i.payload.eq(payload),
                ready.eq(part.i.ready),
            ]
            valid, ready, payload = part.o.valid, part.o.ready, Value.cast(part.o.payload)
        m.d.comb += [
            sink["valid"].eq(valid),
            ready.eq(sink["ready"]),
            Cat(sink[field] for field in fields).eq(payload),
        ]

"""AXI4 write engine: runs of ofmap pixels out of the ofmap buffer, and counter records."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import RECORD_BYTES
from stillflow.hw.dma.burst import BurstSplitter
from stillflow.hw.dma.packer import Packer
from stillflow.hw.dma.write_channels import WriteChannels, write_ports
from stillflow.hw.signals import signals
from stillflow.hw.words import ShownCounter, StoreRun


class Writer(wiring.Component):
    """Writes runs in program order, the addresses ahead of the data.

    A run's pixels are packed into beats at the byte lanes that their address demands; the first
    and the last beat may be partial. Takes one channel block a cycle, so up to a beat a cycle.
    One run may wait until the previous run's pixels are read and its last address is on its way;
    ``i_run.ready`` hangs on registers and ``i_record.valid`` alone. A record (all counters, 64 bits
    each) is a run of its own and goes first. After ``i_abort`` the bursts
    whose address was sent end with all strobes off, and ``o_idle`` shows when all are answered.
    What lies in the activation memory goes there (`WriteChannels`).

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, bursts, ofmap words.

    Members
    -------
    i_run : ``In(stream.Signature(StoreRun))``
    i_record : ``In(stream.Signature(32))``
        DRAM address of a record.
    i_counter, o_hold
        Counters, as `RecordBeats` takes them for a record.
    i_ring : entries of the ofmap buffer's ring
    o_read_en, o_read_entry, i_vector
        Ofmap buffer: the entry comes one cycle later and holds.
    o_freed : ``Out(1)``
        An entry is free again.
    i_abort : ``In(1)``
    aw_*, w_*, b_*
        AXI4 channels.
    o_local_mask, o_local_line, o_local_data
        Activation memory, where there is one.
    o_idle : ``Out(1)``
        Nothing is left to write and every burst is answered.
    o_record_taken : ``Out(1)``
        No counter of a record is left to read.
    o_spill : ``Out(1)``
        A channel block was taken out of the buffer: for the counters.
    o_error, o_error_code, o_error_address
        As `WriteChannels`.
    """

    i_run: stream.Interface
    i_record: stream.Interface
    i_counter: data.View
    o_hold: Signal
    o_read_en: Signal
    o_read_entry: Signal
    i_ring: Signal
    i_vector: Signal
    o_freed: Signal
    i_abort: Signal
    aw_valid: Signal
    aw_ready: Signal
    aw_address: Signal
    aw_len: Signal
    w_valid: Signal
    w_ready: Signal
    w_data: Signal
    w_strb: Signal
    w_last: Signal
    b_valid: Signal
    b_ready: Signal
    b_resp: Signal
    o_local_mask: Signal
    o_local_line: Signal
    o_local_data: Signal
    o_idle: Signal
    o_record_taken: Signal
    o_spill: Signal
    o_error: Signal
    o_error_code: Signal
    o_error_address: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        run = StoreRun(config)
        super().__init__(
            {
                "i_run": In(stream.Signature(run)),
                "i_record": In(stream.Signature(32)),
                "i_counter": In(ShownCounter(config)),
                "o_hold": Out(1),
                "o_read_en": Out(1),
                "o_read_entry": Out(run["entry"].shape),
                "i_ring": In(range(config.ofmap_depth + 1)),
                "i_vector": In(config.m_block * config.act_bits),
                "o_freed": Out(1),
                "i_abort": In(1),
                "o_record_taken": Out(1),
                "o_spill": Out(1),
            }
            | write_ports(config)
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the packer with the address, data and response channels."""
        m = Module()
        config = self.config
        beat_shift = ceil_log2(config.axi_bytes)
        record_beats = RECORD_BYTES // config.axi_bytes
        unit_shift = ceil_log2(config.channel_block * config.act_bytes)

        m.submodules.splitter = splitter = BurstSplitter(config)
        m.submodules.packer = packer = Packer(config)
        m.submodules.channels = channels = WriteChannels(config)

        # Runs and records, to both sides at once; one waits until they are ready.
        free, waits, comes, load = signals("free waits comes load")
        is_record, waits_record = signals("is_record waits_record")
        next_run, waiting, came = signals("next_run waiting came", StoreRun(config))
        run, record = self.i_run, self.i_record
        size = Signal(32)
        m.d.comb += [
            free.eq(packer.o_ready & splitter.o_ready & ~self.i_abort),
            record.ready.eq(~waits),
            run.ready.eq(~waits & ~record.valid),
            comes.eq((run.valid | record.valid) & ~waits & ~self.i_abort),
            came.eq(run.payload),
            next_run.eq(Mux(waits, waiting.as_value(), came.as_value())),
            is_record.eq(Mux(waits, waits_record, record.valid)),
            load.eq((waits | comes) & free),
            size.eq(
                (next_run.pixels << unit_shift)
                + next_run.address[:beat_shift]
                + config.axi_bytes
                - 1
            ),
            splitter.i_load.eq(load),
            splitter.i_address.eq(Cat(Const(0, beat_shift), next_run.address[beat_shift:])),
            splitter.i_beats.eq(Mux(is_record, record_beats, size[beat_shift:])),
            packer.i_load.eq(load),
            packer.i_run.eq(next_run),
            packer.i_is_record.eq(is_record),
            packer.i_clear.eq(self.i_abort),
            packer.i_counter.eq(self.i_counter),
            self.o_hold.eq(packer.o_hold),
            packer.i_ring.eq(self.i_ring),
            packer.i_vector.eq(self.i_vector),
            self.o_read_en.eq(packer.o_read_en),
            self.o_read_entry.eq(packer.o_read_entry),
            self.o_freed.eq(packer.o_freed),
            self.o_spill.eq(packer.o_spill),
        ]

        with m.If(record.valid):
            m.d.comb += came.address.eq(record.payload)
        m.d.sync += waits.eq((waits | comes) & ~free & ~self.i_abort)
        with m.If(~waits):
            m.d.sync += [waiting.eq(came), waits_record.eq(record.valid)]

        m.d.comb += [
            channels.i_valid.eq(splitter.o_valid),
            channels.i_address.eq(splitter.o_address),
            channels.i_beats.eq(splitter.o_beats),
            channels.i_abort.eq(self.i_abort),
            splitter.i_next.eq(channels.o_next),
            splitter.i_clear.eq(channels.o_clear),
        ]
        wiring.connect(m, packer.o_beat, channels.i_beat)
        for name, member in write_ports(config).items():
            if name == "o_idle":
                continue
            own, part = getattr(self, name), getattr(channels, name)
            m.d.comb += own.eq(part) if member.flow == Out else part.eq(own)
        rests = packer.o_idle & ~waits
        m.d.comb += [
            self.o_record_taken.eq(rests),
            self.o_idle.eq(rests & splitter.o_idle & channels.o_idle),
        ]

        return m

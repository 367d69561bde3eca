"""AXI4 write engine: runs of ofmap pixels out of the ofmap buffer, and counter records."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import Counter, ErrorCode
from stillflow.hw.dma.burst import BurstSplitter
from stillflow.hw.words import StoreRun

OUTSTANDING_WRITES = 16
BEATS_AHEAD = 4
RECORD_BYTES = 8 * len(Counter)


class Writer(wiring.Component):
    """Writes runs in program order, the addresses ahead of the data.

    A run's pixels are packed into beats at the byte lanes that their address demands; the first
    and the last beat may be partial. Takes one channel block a cycle, so up to a beat a cycle.
    ``i_run`` is ready when the previous run's pixels are read and its addresses sent. A record
    (all counters, 64 bits each) is a run of its own and goes first. After ``i_abort`` the bursts
    whose address was sent end with all strobes off, and ``o_idle`` shows when all are answered.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, bursts, ofmap words.

    Members
    -------
    i_run : ``In(stream.Signature(StoreRun))``
    i_record : ``In(stream.Signature(32))``
        DRAM address of a record; ``i_counters`` is read over the cycles that follow.
    o_read_en, o_read_entry, i_vector
        Ofmap buffer: the entry comes one cycle later and holds.
    o_freed : ``Out(1)``
        An entry is free again.
    i_abort : ``In(1)``
    aw_*, w_*, b_*
        AXI4 channels.
    o_idle : ``Out(1)``
        Nothing is left to write and every burst is answered.
    o_spill : ``Out(1)``
        A channel block was taken out of the buffer: for the counters.
    o_error, o_error_code, o_error_address
        A response that is no OKAY, with the burst's address.
    """

    i_run: stream.Interface
    i_record: stream.Interface
    i_counters: data.View
    o_read_en: Signal
    o_read_entry: Signal
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
    o_idle: Signal
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
                "i_counters": In(data.ArrayLayout(64, len(Counter))),
                "o_read_en": Out(1),
                "o_read_entry": Out(run["entry"].shape),
                "i_vector": In(config.m_block * config.act_bits),
                "o_freed": Out(1),
                "i_abort": In(1),
                "aw_valid": Out(1),
                "aw_ready": In(1),
                "aw_address": Out(32),
                "aw_len": Out(8),
                "w_valid": Out(1),
                "w_ready": In(1),
                "w_data": Out(config.axi_data_bits),
                "w_strb": Out(config.axi_bytes),
                "w_last": Out(1),
                "b_valid": In(1),
                "b_ready": Out(1),
                "b_resp": In(2),
                "o_idle": Out(1),
                "o_spill": Out(1),
                "o_error": Out(1),
                "o_error_code": Out(4),
                "o_error_address": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the address side, the packer, the data side and the response side."""
        m = Module()
        config = self.config
        beat_bytes = config.axi_bytes
        unit_bytes = config.channel_block * config.act_bytes
        atom_bytes = min(beat_bytes, unit_bytes)
        atoms_per_unit = unit_bytes // atom_bytes
        atoms_per_beat = beat_bytes // atom_bytes
        record_beats = RECORD_BYTES // beat_bytes
        beat_shift = ceil_log2(beat_bytes)
        atom_shift = ceil_log2(atom_bytes)

        m.submodules.splitter = splitter = BurstSplitter(config)
        m.submodules.plans = plans = SyncFIFO(width=9, depth=BEATS_AHEAD)
        m.submodules.beats = beats = SyncFIFO(
            width=config.axi_data_bits + beat_bytes, depth=BEATS_AHEAD
        )
        m.submodules.answers = answers = SyncFIFOBuffered(width=32, depth=OUTSTANDING_WRITES)

        # Address side.
        sent = Signal()
        can_send = plans.w_rdy & answers.w_rdy
        held = Signal()
        m.d.comb += [
            self.aw_valid.eq(splitter.o_valid & can_send & (~self.i_abort | held)),
            self.aw_address.eq(splitter.o_address),
            self.aw_len.eq(splitter.o_beats - 1),
            sent.eq(self.aw_valid & self.aw_ready),
            splitter.i_next.eq(sent),
            splitter.i_clear.eq(self.i_abort & (sent | ~self.aw_valid)),
            plans.w_en.eq(sent),
            plans.w_data.eq(splitter.o_beats),
            answers.w_en.eq(sent),
            answers.w_data.eq(splitter.o_address),
        ]
        m.d.sync += held.eq(self.aw_valid & ~self.aw_ready)

        # Packer: walks the atoms of a run.
        run = Signal(StoreRun(config))
        busy = Signal()
        is_record = Signal()
        atom = Signal(range(max(atoms_per_unit, atoms_per_beat, record_beats) + 1))
        issue, finish = Signal(), Signal()
        lane = Signal(range(atoms_per_beat + 1))
        late = Signal()  # an atom is on its way from the buffer
        m.d.comb += issue.eq(busy & (beats.w_level + late < BEATS_AHEAD) & ~self.i_abort)
        idle = Signal()
        free = ~splitter.o_valid | (splitter.o_last & sent)
        m.d.comb += [
            idle.eq((~busy | finish) & free & ~self.i_abort),
            self.i_record.ready.eq(idle),
            self.i_run.ready.eq(idle & ~self.i_record.valid),
        ]
        first_lane = self.i_run.p.address[atom_shift:beat_shift]
        size = Signal(32)
        m.d.comb += [
            size.eq((self.i_run.p.pixels << ceil_log2(unit_bytes)) + (beat_bytes - 1)),
            splitter.i_load.eq(idle & (self.i_run.valid | self.i_record.valid)),
            splitter.i_address.eq(
                Mux(
                    self.i_record.valid,
                    self.i_record.payload,
                    Cat(Const(0, beat_shift), self.i_run.p.address[beat_shift:]),
                )
            ),
            splitter.i_beats.eq(
                Mux(
                    self.i_record.valid,
                    record_beats,
                    (size + self.i_run.p.address[:beat_shift])[beat_shift:],
                )
            ),
        ]

        beat_end = Signal()
        entry_end = Signal()
        with m.If(is_record):
            m.d.comb += [beat_end.eq(1), finish.eq(issue & (atom == record_beats - 1))]
        with m.Else():
            m.d.comb += [
                entry_end.eq(atom == atoms_per_unit - 1),
                finish.eq(issue & entry_end & (run.pixels == 1)),
                beat_end.eq((lane == atoms_per_beat - 1) | (run.pixels == 1) & entry_end),
            ]
        with m.If(issue):
            m.d.sync += [
                atom.eq(Mux(entry_end, 0, atom + 1)),
                lane.eq(Mux(lane == atoms_per_beat - 1, 0, lane + 1)),
            ]
            with m.If(entry_end):
                m.d.sync += [
                    run.pixels.eq(run.pixels - 1),
                    run.entry.eq(Mux(run.entry == config.psum_depth - 1, 0, run.entry + 1)),
                ]
            with m.If(finish):
                m.d.sync += busy.eq(0)
        with m.If(splitter.i_load):
            m.d.sync += [
                run.eq(self.i_run.payload),
                is_record.eq(self.i_record.valid),
                busy.eq(1),
                atom.eq(0),
                lane.eq(first_lane),
            ]
        with m.If(self.i_abort):
            m.d.sync += busy.eq(0)
        m.d.comb += [self.o_read_en.eq(issue & ~is_record), self.o_read_entry.eq(run.entry)]

        # One cycle later the entry is there: place its atom, and push a beat that is complete.
        placed_lane, placed_atom = Signal.like(lane), Signal.like(atom)
        placed_unit = Signal.like(run.unit)
        placed_record, push = Signal(), Signal()
        m.d.sync += [
            late.eq(issue),
            push.eq(issue & beat_end),
            placed_lane.eq(lane),
            placed_atom.eq(atom),
            placed_unit.eq(run.unit),
            placed_record.eq(is_record),
            self.o_freed.eq(issue & entry_end & run.release & ~is_record),
            self.o_spill.eq(issue & entry_end & ~is_record),
        ]
        atom_bits = 8 * atom_bytes
        units = data.View(data.ArrayLayout(8 * unit_bytes, config.block_units), self.i_vector)
        atoms = data.View(data.ArrayLayout(atom_bits, atoms_per_unit), units[placed_unit])
        word = Signal(atom_bits)
        m.d.comb += word.eq(atoms[placed_atom] if atoms_per_unit > 1 else atoms[0])
        earlier = Signal(config.axi_data_bits)
        strobes = Signal(atoms_per_beat)
        packed, marks = Signal(config.axi_data_bits), Signal(atoms_per_beat)
        for i in range(atoms_per_beat):
            here = placed_lane == i
            part = slice(i * atom_bits, (i + 1) * atom_bits)
            m.d.comb += [
                packed[part].eq(Mux(here, word, earlier[part])),
                marks[i].eq(strobes[i] | here),
            ]
        with m.If(late):
            m.d.sync += [earlier.eq(packed), strobes.eq(Mux(push, 0, marks))]
        record = Array(
            data.View(
                data.ArrayLayout(config.axi_data_bits, record_beats), self.i_counters.as_value()
            )[i]
            for i in range(record_beats)
        )
        strobe_bytes = Cat(mark.replicate(atom_bytes) for mark in marks)
        m.d.comb += [
            beats.w_en.eq(push),
            beats.w_data.eq(
                Mux(
                    placed_record,
                    Cat(record[placed_atom], Const(-1, beat_bytes)),
                    Cat(packed, strobe_bytes),
                )
            ),
        ]

        # Data side.
        beat = Signal(9)
        w_held = Signal()
        moved = self.w_valid & self.w_ready
        silent = self.i_abort & ~w_held
        m.d.comb += [
            self.w_valid.eq(plans.r_rdy & (beats.r_rdy | self.i_abort)),
            self.w_data.eq(Mux(silent, 0, beats.r_data[: config.axi_data_bits])),
            self.w_strb.eq(Mux(silent, 0, beats.r_data[config.axi_data_bits :])),
            self.w_last.eq(beat + 1 == plans.r_data),
            beats.r_en.eq(moved),
            plans.r_en.eq(moved & self.w_last),
        ]
        m.d.sync += w_held.eq(self.w_valid & ~self.w_ready & ~silent)
        with m.If(moved):
            m.d.sync += beat.eq(Mux(self.w_last, 0, beat + 1))

        # Response side.
        outstanding = Signal(range(OUTSTANDING_WRITES + 2))
        m.d.sync += outstanding.eq(outstanding + sent - (self.b_valid & (outstanding != 0)))
        m.d.comb += [
            self.b_ready.eq(1),
            answers.r_en.eq(self.b_valid),
            self.o_error.eq(self.b_valid & self.b_resp[1] & ~self.i_abort),
            self.o_error_code.eq(
                Mux(self.b_resp[0], ErrorCode.WRITE_DECERR.value, ErrorCode.WRITE_SLVERR.value)
            ),
            self.o_error_address.eq(answers.r_data),
            self.o_idle.eq(~busy & ~late & ~splitter.o_valid & ~plans.r_rdy & (outstanding == 0)),
        ]

        return m

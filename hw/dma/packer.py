"""Packs ofmap pixels, or counters, into beats."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.dma.record import RecordBeats
from stillflow.hw.signals import signals
from stillflow.hw.timing import BEATS_AHEAD
from stillflow.hw.words import ShownCounter, StoreRun


class Beat(data.StructLayout):
    """Data and strobes of a write beat."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__({"data": config.axi_data_bits, "strobes": config.axi_bytes})


class Packer(wiring.Component):
    """Reads the pixels of a run and places them at the byte lanes that its address demands.

    The first and the last beat may be partial. Works in atoms, the smaller of a channel block and
    a beat, one a cycle; up to `BEATS_AHEAD` beats wait. A record (`RecordBeats`) is a run of whole
    beats with all counters, 64 bits each.

    Parameters
    ----------
    config : AcceleratorConfig
        Data width, ofmap words.

    Members
    -------
    i_load : ``In(1)``
        Take ``i_run``, or a record if ``i_is_record``: only with ``o_ready``, not with ``i_clear``.
    i_clear : ``In(1)``
        Forget the run.
    i_counter : ``In(ShownCounter)``
        As `Counters` shows it.
    o_hold : ``Out(1)``
        As `RecordBeats`.
    o_ready : ``Out(1)``
        The previous run's last atom is read in this cycle or was before, and no record is left.
    i_ring : entries of the ofmap buffer's ring
    o_read_en, o_read_entry, i_vector
        Ofmap buffer: the entry comes one cycle later and holds.
    o_freed, o_spill : ``Out(1)``
        An entry is free again; a channel block was taken.
    o_beat : ``Out(stream.Signature(Beat))``
    o_idle : ``Out(1)``
        No atom is on its way.
    """

    i_load: Signal
    i_run: data.View
    i_is_record: Signal
    i_clear: Signal
    i_counter: data.View
    o_hold: Signal
    i_ring: Signal
    o_ready: Signal
    o_read_en: Signal
    o_read_entry: Signal
    i_vector: Signal
    o_freed: Signal
    o_spill: Signal
    o_beat: stream.Interface
    o_idle: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.unit_bytes = config.channel_block * config.act_bytes
        self.atom_bytes = min(config.axi_bytes, self.unit_bytes)
        self.atoms_per_unit = self.unit_bytes // self.atom_bytes
        self.atoms_per_beat = config.axi_bytes // self.atom_bytes
        run = StoreRun(config)
        super().__init__(
            {
                "i_load": In(1),
                "i_run": In(run),
                "i_is_record": In(1),
                "i_clear": In(1),
                "i_counter": In(ShownCounter(config)),
                "o_hold": Out(1),
                "i_ring": In(range(config.ofmap_depth + 1)),
                "o_ready": Out(1),
                "o_read_en": Out(1),
                "o_read_entry": Out(run["entry"].shape),
                "i_vector": In(config.m_block * config.act_bits),
                "o_freed": Out(1),
                "o_spill": Out(1),
                "o_beat": Out(stream.Signature(Beat(config))),
                "o_idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the atoms and what places them."""
        m = Module()
        config = self.config

        m.submodules.beats = beats = SyncFIFO(width=Beat(config).size, depth=BEATS_AHEAD)
        run = Signal(StoreRun(config))
        busy = Signal()
        atom = Signal(range(self.atoms_per_unit))
        lane = Signal(range(self.atoms_per_beat))
        issue, late, push, finish, room = signals("issue late push finish room")
        entry_end, beat_end, pixel_last = signals("entry_end beat_end pixel_last")
        last_lane = lane == self.atoms_per_beat - 1
        m.submodules.record = record = RecordBeats(config)
        m.d.comb += [
            record.i_start.eq(self.i_load & self.i_is_record),
            record.i_clear.eq(self.i_clear),
            record.i_shown.eq(self.i_counter),
            record.i_room.eq(beats.w_level < BEATS_AHEAD - 1),
            self.o_hold.eq(record.o_hold),
            issue.eq(busy & room & ~self.i_clear),
            self.o_ready.eq((~busy | (room & entry_end & pixel_last)) & ~record.o_busy),
            self.o_idle.eq(~busy & ~late & ~record.o_busy),
            self.o_read_en.eq(issue),
            self.o_read_entry.eq(run.entry),
            entry_end.eq(atom == self.atoms_per_unit - 1),
            finish.eq(issue & entry_end & pixel_last),
            beat_end.eq(last_lane | pixel_last & entry_end),
        ]
        # What is on its way, and one more, has a place in the queue; records come between runs.
        taken = beats.r_rdy & beats.r_en
        m.d.sync += room.eq(beats.w_level + push + issue < BEATS_AHEAD + taken)
        with m.If(issue):
            m.d.sync += [
                atom.eq(Mux(entry_end, 0, atom + 1)),
                lane.eq(Mux(last_lane, 0, lane + 1)),
                busy.eq(~finish),
            ]
        with m.If(issue & entry_end):
            m.d.sync += [
                run.pixels.eq(run.pixels - 1),
                pixel_last.eq(run.pixels == 2),
                run.entry.eq(Mux(run.entry + 1 == self.i_ring, 0, run.entry + 1)),
            ]
        low = ceil_log2(self.atom_bytes)
        with m.If(self.i_load):
            m.d.sync += [
                run.eq(self.i_run),
                pixel_last.eq(self.i_run.pixels == 1),
                busy.eq(~self.i_is_record),
                atom.eq(0),
                lane.eq(self.i_run.address[low : ceil_log2(config.axi_bytes)]),
            ]
        with m.If(self.i_clear):
            m.d.sync += busy.eq(0)

        # One cycle later the entry is there.
        placed = [Signal.like(s, name=f"placed_{s.name}") for s in (lane, atom)]
        unit = Signal.like(run.unit)
        m.d.sync += [now.eq(was) for now, was in zip(placed, (lane, atom), strict=True)]
        m.d.sync += [
            late.eq(issue),
            push.eq(issue & beat_end),
            unit.eq(run.unit),
            self.o_freed.eq(issue & entry_end & run.release),
            self.o_spill.eq(issue & entry_end),
        ]
        beat = self._place(m, placed[0], placed[1], unit, late, push)
        whole = Cat(record.o_data, Const(-1, config.axi_bytes))
        m.d.comb += [
            beats.w_en.eq(push | record.o_push),
            beats.w_data.eq(Mux(record.o_push, whole, beat)),
            self.o_beat.valid.eq(beats.r_rdy),
            self.o_beat.payload.as_value().eq(beats.r_data),
            beats.r_en.eq(self.o_beat.ready),
        ]

        return m

    def _place(
        self, m: Module, lane: Value, atom: Value, unit: Value, late: Value, push: Value
    ) -> Value:
        """Put the atom of this cycle among those of its beat; the beat as it is now."""
        bits = 8 * self.atom_bytes
        units = data.View(
            data.ArrayLayout(8 * self.unit_bytes, self.config.block_units), self.i_vector
        )
        atoms = data.View(data.ArrayLayout(bits, self.atoms_per_unit), units[unit])
        word = Signal(bits)
        m.d.comb += word.eq(atoms[atom] if self.atoms_per_unit > 1 else atoms[0])
        earlier, packed = signals("earlier packed", self.config.axi_data_bits)
        strobes, marks = signals("strobes marks", self.atoms_per_beat)
        for i in range(self.atoms_per_beat):
            here = lane == i
            part = slice(i * bits, (i + 1) * bits)
            m.d.comb += [
                packed[part].eq(Mux(here, word, earlier[part])),
                marks[i].eq(strobes[i] | here),
            ]
        with m.If(late):
            m.d.sync += [earlier.eq(packed), strobes.eq(Mux(push, 0, marks))]
        return Cat(packed, *(mark.replicate(self.atom_bytes) for mark in marks))

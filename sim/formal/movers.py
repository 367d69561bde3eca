"""What moves data: the burst splitter, and the request and response sides of reader and writer."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.dma.burst import BOUNDARY_BYTES, BurstSplitter
from stillflow.hw.dma.packer import Packer
from stillflow.hw.dma.reader import Reader
from stillflow.hw.dma.writer import Writer
from stillflow.hw.timing import BEATS_AHEAD, OUTSTANDING_WRITES
from stillflow.hw.words import Segment, SegmentKind
from stillflow.sim.formal.proof import Proof, assume, check, check_held, implies, previous
from stillflow.sim.formal.queues import check_ring


class SplitterProof(Proof):
    """Bursts are legal, follow each other without a gap, and are as many beats as asked for."""

    def __init__(self, config: AcceleratorConfig, block: Any = BurstSplitter) -> None:
        self.config = config
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        splitter, config = self.block, self.config
        shift = ceil_log2(config.axi_bytes)
        assume(
            m,
            implies(splitter.i_next, splitter.o_valid),
            implies(splitter.i_load, splitter.o_ready),
            implies(splitter.i_load, splitter.i_beats != 0),
            splitter.i_address[:shift] == 0,
        )
        # The same in plain words: what is left to cut, and the burst that should show.
        left, address = Signal(24), Signal(32)
        wanted, beats, start = Signal(), Signal(9), Signal(32)
        cut, room, cuts = Signal(24), Signal(13), Signal()
        most = config.max_burst_beats
        m.d.comb += [
            room.eq((BOUNDARY_BYTES - address[:12]) >> shift),
            cut.eq(least(left, least(room, Const(most)))),
            cuts.eq((left != 0) & (~wanted | splitter.i_next)),
        ]
        with m.If(splitter.i_next):
            m.d.sync += wanted.eq(0)
        with m.If(cuts):
            m.d.sync += [wanted.eq(1), beats.eq(cut), start.eq(address)]
            m.d.sync += [left.eq(left - cut), address.eq(address + (cut << shift))]
        with m.If(splitter.i_load):
            m.d.sync += [left.eq(splitter.i_beats), address.eq(splitter.i_address)]
        with m.If(splitter.i_clear):
            m.d.sync += [left.eq(0), wanted.eq(0)]
        check(
            m,
            splitter.o_valid == wanted,
            implies(wanted, (splitter.o_beats == beats) & (splitter.o_address == start)),
            implies(wanted, (beats != 0) & (beats <= most)),
            implies(wanted, (start[:12] + (beats << shift)) <= BOUNDARY_BYTES),
            self.registers["cuts"] == (left != 0),
            implies(left != 0, self.registers["beats"] == left),
            implies(left != 0, self.registers["here"] == address[shift:]),
            implies(left != 0, self.registers["limit"] == least(room, Const(most))),
            implies(left != 0, self.registers["last"] == (cut == left)),
            (address[:shift] == 0) & (start[:shift] == 0),
            splitter.o_ready == ((left == 0) | cuts & (cut == left)),
            splitter.o_idle == ((left == 0) & ~wanted),
        )


def least(one: Value, other: Value) -> Value:
    """Give the smaller of two numbers."""
    return Mux(one < other, one, other)


class ReaderProof(Proof):
    """Read addresses hold until taken; room in the filter buffer and outstanding beats add up.

    Assumes a legal memory, which answers no more than was asked for, and a filter buffer that
    gives back no more lines than it was sent.
    """

    def __init__(self, config: AcceleratorConfig, block: Any = Reader) -> None:
        self.config = config
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        reader, config = self.block, self.config
        line_beats = config.filter_line_bytes // config.axi_bytes
        free, outstanding = self.registers["free"], self.registers["outstanding"]
        is_filter = self.registers["is_filter"]
        sent, got = reader.ar_valid & reader.ar_ready, reader.r_valid & reader.r_ready
        beats = reader.ar_len + 1

        lent = Signal.like(free)
        lends = Mux(sent & is_filter, beats, 0)
        returns = Signal.like(free)
        asked = Signal(len(outstanding))
        segment = reader.i_segment
        inbox: Any = self.inner
        inbox = inbox._named_submodules["inbox"][0]
        head = Segment(config)(inbox.r_data)
        m.d.comb += returns.eq(reader.i_filter_freed * line_beats)
        m.d.sync += [lent.eq(lent + lends - returns), asked.eq(asked + Mux(sent, beats, 0) - got)]
        started = Signal()
        with m.If(reader.i_clear):
            m.d.sync += [started.eq(1), lent.eq(0)]
        assume(
            m,
            implies(reader.r_valid, asked != 0),
            reader.i_filter_freed <= config.filter_lines,
            returns <= lent,
            # A layer starts when the one before is through.
            implies(reader.i_clear, reader.o_idle & ~segment.valid & ~inbox.r_rdy),
            # What leaves the inbox went in, by the proof of queues.
            implies(inbox.r_rdy, (head.beats != 0) & (started | (head.kind != SegmentKind.FILTER))),
            # What is asked for has its room on chip.
            asked <= config.glb_kib * 1024,
        )
        check_held(m, reader.ar_valid, reader.ar_ready, reader.ar_address, reader.ar_len)
        valid = self.registers["splitter.o_valid"]
        cuts, burst = self.registers["splitter.cuts"], self.registers["splitter.o_beats"]
        left, limit = self.registers["splitter.beats"], self.registers["splitter.limit"]
        check(
            m,
            implies(started, free + lent == config.filter_lines * line_beats),
            implies(lends != 0, lends <= free),
            implies(valid & is_filter, started),
            implies(cuts & self.registers["cut_is_filter"], started),
            implies(cuts, left != 0),
            implies(cuts, (limit != 0) & (limit <= config.max_burst_beats)),
            implies(cuts, self.registers["splitter.last"] == (left <= limit)),
            implies(valid, self.registers["room"] == (~is_filter | (free >= burst))),
            implies(valid, (burst != 0) & (burst <= config.max_burst_beats)),
            (outstanding + 1)[: len(asked)] == asked,
            implies(got, asked != 0),
            implies(reader.ar_valid, beats <= config.max_burst_beats),
            self.registers["segments.inner_level"] <= config.outstanding_reads - 1,
        )


class WriterProof(Proof):
    """Addresses and data hold until taken, data follow their address, answers find their burst.

    Assumes a memory that answers each burst once, when it has its data, and an abort that lasts.
    """

    def __init__(self, config: AcceleratorConfig, block: Any = Writer) -> None:
        self.config = config
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        writer = self.block
        sent = writer.aw_valid & writer.aw_ready
        moved = writer.w_valid & writer.w_ready
        ended = moved & writer.w_last
        outstanding = self.registers["channels.outstanding"]
        plans = self.registers["channels.plans.level"]
        run, record = writer.i_run, writer.i_record

        unanswered, unsent = Signal.like(outstanding), Signal.like(plans)
        complete = Signal.like(outstanding)
        m.d.sync += [
            unanswered.eq(unanswered + sent - writer.b_valid),
            unsent.eq(unsent + sent - ended),
            complete.eq(complete + ended - writer.b_valid),
        ]
        assume(
            m,
            implies(writer.b_valid, complete != 0),
            implies(previous(m, writer.i_abort), writer.i_abort),
            implies(run.valid, run.p.pixels != 0),
        )
        check_held(m, writer.aw_valid, writer.aw_ready, writer.aw_address, writer.aw_len)
        check_held(m, writer.w_valid, writer.w_ready, writer.w_data, writer.w_strb, writer.w_last)
        for path in ("channels.plans.", "packer.beats."):
            level = self.registers[f"{path}level"]
            check_ring(m, self.registers, level, BEATS_AHEAD, path)
        answers = "channels.answers."
        waiting = self.registers[f"{answers}inner_level"] + self.registers[f"{answers}r_rdy"]
        check(
            m,
            # The arbiter: a record goes before a run, and one of them at a time.
            implies(record.valid, ~run.ready),
            implies(run.ready, record.ready),
            outstanding == unanswered,
            outstanding <= OUTSTANDING_WRITES,
            implies(sent, outstanding != OUTSTANDING_WRITES),
            plans == unsent,
            unanswered == complete + unsent,
            plans <= BEATS_AHEAD,
            implies(moved, unsent != 0),
            waiting == outstanding,
        )


class PackerProof(Proof):
    """A beat that is on its way has a place in the queue."""

    def __init__(self, config: AcceleratorConfig, block: Any = Packer) -> None:
        super().__init__(block(config))

    def state(self, m: Module) -> None:
        """State the properties."""
        level = self.registers["beats.level"]
        late, push = self.registers["late"], self.registers["push"]
        begins, takes = self.registers["record.begins"], self.registers["record.runs"]
        second = self.registers.get("record.second", Const(0))  # where a beat is half a counter
        shown = self.block.i_counter
        was_last = previous(m, shown.last)  # a counter is shown for two cycles
        assume(m, implies(self.block.i_load, self.block.o_ready), implies(was_last, ~shown.last))
        check(
            m,
            level + late + second <= BEATS_AHEAD,
            implies(self.registers["busy"], self.registers["room"] == (level + late < BEATS_AHEAD)),
            implies(push, late),
            implies(push, level < BEATS_AHEAD),
            # A record waits until the run before it has put its last atom into the queue.
            implies(begins | takes | self.registers["record.late"], ~self.registers["busy"]),
            implies(begins | takes | second, ~late),
            implies(second, takes & was_last),
        )

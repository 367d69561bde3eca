"""Cycles of a program, replayed burst by burst and step by step."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping as Fields, Sequence

from stillflow.compiler.cost.bus import DESCRIPTOR, FILTER, IFMAP, PADDING, BeatSide, Memory
from stillflow.compiler.cost.counters import RECORD_BYTES, store_chunk_pixels
from stillflow.hw.array.accumulator import Accumulator
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import BYTES
from stillflow.hw.mapping import Mapping

PAGE = 4096


def bursts(config: AcceleratorConfig, address: int, beats: int) -> Iterator[int]:
    """Beats of each burst of a transfer."""
    size = config.axi_bytes
    page_beats = PAGE // size
    at = address // size % page_beats
    while beats:
        part = min(beats, config.max_burst_beats, page_beats - at)
        yield part
        beats -= part
        at = (at + part) % page_beats


class Replay:
    """The accelerator and its DRAM on one time line; layers follow each other."""

    def __init__(self, config: AcceleratorConfig, memory: Memory) -> None:
        self.config, self.memory = config, memory
        # Writer.
        self.run_ready = 0  # cycle from which the writer takes a run
        self.issued = -1  # latest atom
        self.issued_ended_beat = False
        self.beats_issued = 0
        self.moved_out: list[int] = []  # W handshakes
        self.pushes: list[int] = []
        self.burst_ends: list[int] = []  # W handshake of each burst's last beat
        self.answer_heads: list[int] = []

    # -- load side -------------------------------------------------------------------------------

    def request(self, mapping: Mapping, d: Fields[str, int], begin: int) -> Iterator[None]:
        config, beat_side, memory = self.config, self.beat_side, self.memory
        w = mapping.work
        size = config.act_bytes
        lanes_bytes = config.axi_bytes
        line_beats = config.filter_line_bytes // lanes_bytes
        pointer = saved = d["filter_address"]
        n_count, e_count, f_count = mapping.tile_counts
        m_outer = mapping.m_count if mapping.m_outer else 1
        m_inner = 1 if mapping.m_outer else mapping.m_count
        t = begin + 1
        tile = 0
        self.split_free = begin
        depth = config.outstanding_reads
        capacity = config.filter_lines * line_beats
        taken = 0

        def accept(at: int, kind: int, address: int, beats: int, group_last: bool) -> Iterator[None]:
            nonlocal t, taken
            at = max(at, self.split_free)
            index = len(beat_side.segments)
            if index >= depth - 1:
                while len(beat_side.heads) <= index - depth + 1:
                    yield
                at = max(at, beat_side.heads[index - depth + 1])
            beat_side.accept(at, kind, beats, group_last)
            self.progress += 1
            t = at + 1
            if kind != PADDING:
                send = at + 1
                for part in bursts(config, address, beats):
                    if kind == FILTER:
                        needed = taken + part - capacity
                        if needed > 0:
                            while self.freed_lines[-1] * line_beats < needed:
                                yield
                            i = bisect_left(self.freed_lines, -(-needed // line_beats))
                            send = max(send, self.freed_at[i] + 1)
                        taken += part
                    memory.reads.append([send + max(1, memory.latency), part])
                    self.progress += 1
                    self.split_free = send
                    send += 1

        for g in range(w.G):
            for mo in range(m_outer):
                for n in range(n_count):
                    images = mapping.last_pixels[0] if n == n_count - 1 else mapping.pn
                    for e in range(e_count):
                        rows = d["load_rows_last"] if e == e_count - 1 else d["load_rows"]
                        row0 = d["h_origin"] + e * d["h_step"]
                        for f in range(f_count):
                            width = d["load_width_last"] if f == f_count - 1 else d["load_width"]
                            element0 = d["w_origin"] + f * d["w_step"]
                            first_e = max(element0, 0)
                            end_e = min(element0 + width, d["w_size"])
                            left = first_e - element0
                            filled = max(0, end_e - first_e)
                            right = element0 + width - end_e
                            needs = (n == e == f == 0) or not mapping.filter_resident
                            for mi in range(m_inner):
                                m_last = mo == m_outer - 1 and mi == m_inner - 1
                                for c in range(mapping.c_count):
                                    c_last = c == mapping.c_count - 1
                                    groups = mapping.groups_last if c_last else mapping.groups
                                    for mb in range(mapping.mb_last if m_last else mapping.mb):
                                        for group in range(groups):
                                            last_group = c_last and group == groups - 1
                                            if mb == 0:
                                                if group == 0:
                                                    if tile >= mapping.slots:
                                                        while len(self.tile_ends) <= tile - mapping.slots:
                                                            yield
                                                        t = max(t, self.tile_ends[tile - mapping.slots] + 5)
                                                    tile += 1
                                                t += 1
                                                planes = mapping.k_planes_last if last_group else mapping.k_planes
                                                corner = (
                                                    d["ifmap_address"] + g * d["ifmap_stride_g"] + n * d["ifmap_stride_nt"]
                                                    + e * d["ifmap_stride_et"] + f * d["ifmap_stride_ft"]
                                                    + c * d["ifmap_stride_ct"] + group * d["ifmap_stride_group"]
                                                )
                                                count = planes * images * rows
                                                for p in range(planes):
                                                    for i in range(images):
                                                        for r in range(rows):
                                                            count -= 1
                                                            ended = count == 0
                                                            row = row0 + r
                                                            if row < 0 or row >= d["h_size"] or filled == 0:
                                                                beats = -(-width * size // lanes_bytes)
                                                                yield from accept(t, PADDING, 0, beats, ended)
                                                                continue
                                                            if left:
                                                                beats = -(-left * size // lanes_bytes)
                                                                yield from accept(t, PADDING, 0, beats, False)
                                                            address = (
                                                                corner + p * d["ifmap_stride_plane"] + i * d["ifmap_stride_n"]
                                                                + r * d["ifmap_stride_h"] + left * size
                                                            )
                                                            beats = -(-(address % lanes_bytes + filled * size) // lanes_bytes)
                                                            yield from accept(t, IFMAP, address, beats, ended and not right)
                                                            if right:
                                                                beats = -(-right * size // lanes_bytes)
                                                                yield from accept(t, PADDING, 0, beats, ended)
                                            else:
                                                t += 1
                                            if needs:
                                                lines = mapping.slab_lines[1] if last_group else mapping.slab_lines[0]
                                                if group == 0 and c == 0:
                                                    lines += config.bias_lines
                                                if group == 0 and c_last:
                                                    lines += config.scale_lines
                                                yield from accept(t, FILTER, pointer, lines * line_beats, False)
                                                pointer += lines * config.filter_line_bytes
                                            else:
                                                t += 1
                                            t += 1  # ADVANCE
                            if not mapping.filter_resident and not (
                                n == n_count - 1 and e == e_count - 1 and f == f_count - 1
                            ):
                                pointer = saved
                saved = pointer
        self.loads_done = t

    # -- compute side ----------------------------------------------------------------------------

    def compute(self, mapping: Mapping, begin: int) -> Iterator[None]:
        config, beat_side = self.config, self.beat_side
        w = mapping.work
        rows = config.rows
        line_beats = config.filter_line_bytes // config.axi_bytes
        guard_cycles = 4 + ceil_log2(rows)
        latency = 14 + ceil_log2(rows) + config.pace
        n_count, e_count, f_count = mapping.tile_counts
        m_outer = mapping.m_count if mapping.m_outer else 1
        m_inner = 1 if mapping.m_outer else mapping.m_count
        chunks_full = mapping.chunk_lengths(mapping.k_planes)
        chunks_last = mapping.chunk_lengths(mapping.k_planes_last)
        position = 0  # lines taken from the stream
        loaded_groups = 0
        load_from = begin + 1
        start, busy_until = None, 0
        completed = 0
        freed_total = 0
        pointer = 0
        depth = config.psum_depth
        starts, times = beat_side.filter_starts, beat_side.filter_times

        def arrival(lines: int) -> int:
            # cycle in which the last beat of the line before position `lines` is taken
            nonlocal pointer
            beat = lines * line_beats - 1
            while pointer + 1 < len(starts) and starts[pointer + 1] <= beat:
                pointer += 1
            return times[pointer] + beat - starts[pointer]

        for g in range(w.G):
            for mo in range(m_outer):
                for n in range(n_count):
                    images = mapping.last_pixels[0] if n == n_count - 1 else mapping.pn
                    for e in range(e_count):
                        o_rows = mapping.last_pixels[1] if e == e_count - 1 else mapping.pe
                        for f in range(f_count):
                            columns = mapping.last_pixels[2] if f == f_count - 1 else mapping.pf
                            pixels = images * o_rows * columns
                            first_tile = n == e == f == 0
                            last_tile = n == n_count - 1 and e == e_count - 1 and f == f_count - 1
                            reread = mapping.filter_resident and not first_tile
                            keeps = mapping.filter_resident and not last_tile
                            for mi in range(m_inner):
                                m_last = mo == m_outer - 1 and mi == m_inner - 1
                                for c in range(mapping.c_count):
                                    c_last = c == mapping.c_count - 1
                                    groups = mapping.groups_last if c_last else mapping.groups
                                    blocks = mapping.mb_last if m_last else mapping.mb
                                    for mb in range(blocks):
                                        for group in range(groups):
                                            last_group = c_last and group == groups - 1
                                            chunks = chunks_last if last_group else chunks_full
                                            for index, lines in enumerate(chunks):
                                                opening = group == 0 and index == 0
                                                bias = opening and c == 0
                                                scale = opening and c_last
                                                k_last = group == groups - 1 and index == len(chunks) - 1
                                                final = k_last and c_last
                                                tile_last = k_last and mb == blocks - 1
                                                move = (
                                                    tile_last and c_last and mi == m_inner - 1
                                                    and not (last_tile and mo == m_outer - 1 and g == w.G - 1)
                                                )
                                                total = lines + bias * config.bias_lines + scale * config.scale_lines
                                                # Load.
                                                at = load_from + lines - 1
                                                if not reread:
                                                    while beat_side.filter_beats < (position + lines) * line_beats:
                                                        yield
                                                    at = max(at, arrival(position + lines) + 1)
                                                    position += lines
                                                at += rows - lines + 1
                                                if bias or scale:
                                                    if start is not None:
                                                        at = max(at, start + 1 + guard_cycles)
                                                    at += 1
                                                    for extra in (bias * config.bias_lines, scale * config.scale_lines):
                                                        if extra:
                                                            at += extra - 1
                                                            if not reread:
                                                                while beat_side.filter_beats < (position + extra) * line_beats:
                                                                    yield
                                                                at = max(at, arrival(position + extra) + 1)
                                                                position += extra
                                                            at += 1
                                                if move:
                                                    at += 1
                                                # Start.
                                                at = max(at, busy_until)
                                                need = loaded_groups + group
                                                while len(beat_side.groups) <= need:
                                                    yield
                                                at = max(at, beat_side.groups[need] + 2)
                                                if final:
                                                    room = completed + mapping.tile_pixels - depth
                                                    if room > 0:
                                                        while len(self.entries_freed) < room:
                                                            yield
                                                        at = max(at, self.entries_freed[room - 1] + 2)
                                                start = load_from = at
                                                self.progress += 1
                                                pace = config.pace if final else 1
                                                busy_until = at + max(pixels * pace, Accumulator.HAZARD)
                                                if not keeps:
                                                    freed_total += total
                                                    self.freed_lines.append(freed_total)
                                                    self.freed_at.append(at)
                                                if final:
                                                    completed += pixels
                                                    first = at + 1 + latency
                                                    self.vectors.extend(range(first, first + pixels * pace, pace))
                                                if tile_last:
                                                    self.tile_ends.append(at + pixels * pace)
                                        # next filter block
                                    loaded_groups += groups
        assert start is not None
        self.compute_done = max(start + 3, self.tile_ends[-1] + 5)

    # -- store side ------------------------------------------------------------------------------

    def write(self, at: int, address: int, atoms: int, lane: int, entry_atoms: int, release: bool,
              record: bool) -> Iterator[None]:
        """The writer takes a run in cycle ``at``."""
        config, memory = self.config, self.memory
        beat_bytes = config.axi_bytes
        if record:
            ends = [True] * atoms
            beats = atoms
            per_beat = 1
        else:
            per_beat = beat_bytes // min(beat_bytes, config.channel_block * config.act_bytes)
            ends = [(lane + i + 1) % per_beat == 0 or i == atoms - 1 for i in range(atoms)]
            beats = sum(ends)
        parts = list(bursts(config, address, beats))
        first_beat = self.beats_issued
        burst_of: list[int] = []
        for i, part in enumerate(parts):
            burst_of += [i] * part
        sent: list[int] = []
        send = at + 1
        atom = 0
        earliest = at + 1
        out = self.moved_out
        burst_base = len(self.burst_ends)
        while True:
            stuck = True
            # Addresses.
            while len(sent) < len(parts):
                i = burst_base + len(sent)
                when = send
                if i >= 4:
                    if len(self.burst_ends) <= i - 4:
                        break
                    when = max(when, self.burst_ends[i - 4] + 1)
                if i >= 15:
                    j = i - 15
                    if j and len(memory.answered) < j:
                        break
                    head = self.sent_at[j] + 2
                    if j:
                        head = max(head, memory.answered[j - 1] + 1)
                    when = max(when, head)
                sent.append(when)
                self.sent_at.append(when)
                memory.writes.append([when + 1, parts[len(sent) - 1]])
                send = when + 1
                self.progress += 1
                stuck = False
            # Atoms.
            while atom < atoms:
                when = max(earliest, self.issued + 1)
                ended = self.issued_ended_beat
                count = self.beats_issued
                if when == self.issued + 1:
                    index = count - ended - 3
                    if index >= 0 and (index >= len(out) or out[index] >= when):
                        when += 1
                if when > self.issued + 1:
                    index = count - 4
                    if index >= 0:
                        if index >= len(out):
                            break
                        when = max(when, out[index] + 1)
                elif index >= len(out) and index >= 0:
                    break
                self.issued = when
                self.issued_ended_beat = ends[atom]
                if ends[atom]:
                    self.beats_issued += 1
                    self.pushes.append(when + 1)
                if release and (atom + 1) % entry_atoms == 0:
                    self.entries_freed.append(when)
                atom += 1
                self.progress += 1
                stuck = False
            # Data.
            while len(out) < self.beats_issued:
                j = len(out)
                i = burst_of[j - first_beat]
                if i >= len(sent):
                    break
                when = max(self.pushes[j] + 1, sent[i] + 1)
                if out:
                    when = max(when, out[-1] + 1)
                out.append(when)
                memory.write_beats.append(when + 1)
                if j - first_beat + 1 == sum(parts[: i + 1]):
                    self.burst_ends.append(when)
                self.progress += 1
                stuck = False
            if atom == atoms and len(sent) == len(parts) and len(out) == self.beats_issued:
                break
            if stuck:
                yield
        self.run_ready = max(self.issued, sent[-1])

    def store(self, mapping: Mapping, d: Fields[str, int], begin: int) -> Iterator[None]:
        config = self.config
        w = mapping.work
        unit_bytes = config.channel_block * config.act_bytes
        atom_bytes = min(config.axi_bytes, unit_bytes)
        entry_atoms = unit_bytes // atom_bytes
        chunk_pixels = store_chunk_pixels(config)
        n_count, e_count, f_count = mapping.tile_counts
        m_outer = mapping.m_count if mapping.m_outer else 1
        m_inner = 1 if mapping.m_outer else mapping.m_count
        t = begin + 1
        claimed = 0
        for g in range(w.G):
            for mo in range(m_outer):
                for n in range(n_count):
                    images = mapping.last_pixels[0] if n == n_count - 1 else mapping.pn
                    for e in range(e_count):
                        e_last = e == e_count - 1
                        runs = d["runs_last"] if e_last else d["runs"]
                        for f in range(f_count):
                            f_last = f == f_count - 1
                            pixels = d["run_pixels" + "_" * (e_last or f_last) + "e" * e_last + "f" * f_last]
                            for mi in range(m_inner):
                                m_last = mo == m_outer - 1 and mi == m_inner - 1
                                blocks = mapping.mb_last if m_last else mapping.mb
                                for mb in range(blocks):
                                    units = d["units_last"] if m_last and mb == blocks - 1 else d["units"]
                                    for image in range(images):
                                        for run in range(runs):
                                            here = (
                                                d["ofmap_address"] + g * d["ofmap_stride_g"] + (mo + mi) * d["ofmap_stride_m"]
                                                + n * d["ofmap_stride_nt"] + e * d["ofmap_stride_et"] + f * d["ofmap_stride_ft"]
                                                + mb * d["ofmap_stride_mb"] + image * d["ofmap_stride_n"] + run * d["ofmap_stride_run"]
                                            )
                                            t += 1  # RUN
                                            left = pixels
                                            while left:
                                                chunk = min(left, chunk_pixels)
                                                while len(self.vectors) < claimed + chunk:
                                                    yield
                                                t = max(t, self.vectors[claimed + chunk - 1] + 1)
                                                claimed += chunk
                                                t += 1
                                                for unit in range(units):
                                                    t = max(t, self.run_ready)
                                                    address = here + unit * d["ofmap_stride_unit"]
                                                    yield from self.write(
                                                        t, address, chunk * entry_atoms, address % config.axi_bytes // atom_bytes,
                                                        entry_atoms, unit == units - 1, False,
                                                    )
                                                    t += 1
                                                left -= chunk
                                                here += chunk * unit_bytes
        self.stores_done = t

    # -- a layer ---------------------------------------------------------------------------------

    def layer(self, mapping: Mapping, d: Fields[str, int], *, at: int, address: int, record: int) -> int:
        """Cycle in which a layer ends whose doorbell, or earlier layer's end, was in cycle ``at``."""
        config, memory = self.config, self.memory
        self.beat_side = BeatSide()
        self.freed_lines, self.freed_at = [0], [0]
        self.tile_ends: list[int] = []
        self.vectors: list[int] = []
        self.entries_freed: list[int] = []
        self.progress = 0
        self._record(at, record)
        self.beat_side.popped = at
        self.beat_side.accept(at + 2, DESCRIPTOR, BYTES // config.axi_bytes, False)
        send = at + 3
        for part in bursts(config, address, BYTES // config.axi_bytes):
            memory.reads.append([send + memory.latency, part])
            send += 1
        record_writer = self._record_writer
        self._settle([record_writer])
        while self.beat_side.fetched < 0:
            memory.decide(self.beat_side)
            self._settle([record_writer])
        begin = self.beat_side.fetched + 3
        walkers = [
            self.request(mapping, d, begin),
            self.compute(mapping, begin),
            self._chain(record_writer, self.store(mapping, d, begin)),
        ]
        self._settle(walkers)
        while memory.reads or memory.writes or memory.write_beats:
            memory.decide(self.beat_side)
            self._settle(walkers)
        done = max(self.loads_done, self.compute_done, self.stores_done, memory.answered[-1] + 1)
        return done

    def _chain(self, first: Iterator[None], second: Iterator[None]) -> Iterator[None]:
        yield from first
        yield from second

    def _record(self, at: int, record: int) -> None:
        beats = RECORD_BYTES // self.config.axi_bytes
        # Between layers the writer rests: forget what it did.
        self.run_ready = at
        self.issued, self.issued_ended_beat, self.beats_issued = at, False, 0
        self.moved_out, self.pushes, self.burst_ends = [], [], []
        self.sent_at: list[int] = []
        self.memory.answered = []
        self._record_writer = self.write(at + 1, record, beats, 0, 1, False, True)

    def _settle(self, walkers: list[Iterator[None]]) -> None:
        while True:
            before = self.progress
            for walker in walkers:
                next(walker, None)
            if self.progress == before:
                return

    def finish(self, *, at: int, record: int) -> int:
        """Cycle in which the job ends whose last layer ended in cycle ``at``."""
        self.entries_freed = []
        self._record(at, record)
        self._settle([self._record_writer])
        while self.memory.writes:
            self.memory.decide(self.beat_side)
            self._settle([self._record_writer])
        return self.memory.answered[-1] + 1


def predict_cycles(
    config: AcceleratorConfig,
    layers: Sequence[tuple[Mapping, Fields[str, int]]],
    *,
    program_address: int,
    record_address: int,
    latency: int = 40,
    bytes_per_cycle: int | None = None,
) -> list[int]:
    """Cycles of each layer of a program."""
    memory = Memory(
        beat=config.axi_bytes, latency=latency, rate=bytes_per_cycle or config.axi_bytes
    )
    replay = Replay(config, memory)
    ends = [0]
    for index, (mapping, fields) in enumerate(layers):
        ends.append(
            replay.layer(
                mapping, fields, at=ends[-1], address=program_address + index * BYTES,
                record=record_address + index * RECORD_BYTES,
            )
        )  # fmt: skip
    done = replay.finish(at=ends[-1], record=record_address + len(layers) * RECORD_BYTES)
    cycles = [b - a for a, b in zip(ends, ends[1:], strict=False)]
    cycles[0] -= 2
    cycles[-1] += done - ends[-1] + 2
    return cycles

"""Store side of the replay: store walker and writer."""

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Fields

from stillflow.compiler.cost.memory import Memory, WriteRun
from stillflow.compiler.cost.runs import ofmap_runs
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Bursts, blocks_of, visits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import COUNTER_BYTES, RECORD_BYTES
from stillflow.hw.mapping import Mapping
from stillflow.hw.timing import BEATS_AHEAD, COUNTER_ROUND, OUTSTANDING_WRITES

RECORD_DELAY = 4  # cycles until the first counter of a record is taken
#: Cycle of a run's next atom, after so many beats in all, of which some are out already; -1: not
#: known yet.
Issue = Callable[[int, list[int]], int]


class Storer:
    """Writer and store walker of one layer; the writer begins at rest.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    memory : Memory
        Takes the bursts.
    state : State
        What the other sides have done.
    """

    def __init__(self, config: AcceleratorConfig, memory: Memory, state: State) -> None:
        self.config, self.memory, self.state = config, memory, state
        self.bursts = Bursts(config)
        self.unit_bytes = config.channel_block * config.act_bytes
        self.atom_bytes = min(config.axi_bytes, self.unit_bytes)
        self.atoms_per_beat = config.axi_bytes // self.atom_bytes
        self.loaded = -1  # cycle in which packer and splitter took the latest run
        self.ready = 0  # cycle from which they may take the next one
        self.sent: list[int] = []  # cycle of each burst's address
        self.ended: list[int] = []  # cycle of each burst's last beat
        self.issued, self.issued_end = -2, False  # latest atom, and whether it ended a beat
        self.out: list[int] = []  # cycles of the latest beats, all that are needed
        self.left = 0  # atoms of the run that are still to be issued
        self.done = 0

    @property
    def record_taken(self) -> int:
        """Cycle from which no counter of a record is left to be taken; -1: not known yet."""
        return -1 if self.left else self.issued + 2

    def record(self, at: int, address: int) -> Iterator[None]:
        """Write a record of the counters, taken in cycle ``at``; see `RecordBeats`."""
        beats = RECORD_BYTES // self.config.axi_bytes
        ends = [True] * beats
        yield from self._write(at, address, ends, 0, self._recorder(at))

    def walk(self, mapping: Mapping, fields: Fields[str, int], begin: int) -> Iterator[None]:
        """Write the ofmap; pause where it hangs on the other sides."""
        config, d, state = self.config, fields, self.state
        entry_atoms = self.unit_bytes // self.atom_bytes
        most = config.store_pixels
        at = begin + 1
        claimed = 0
        for visit in visits(mapping):
            if not visit.closes:
                continue
            blocks = blocks_of(mapping, visit)
            for block in range(blocks):
                for here, pixels, units in ofmap_runs(
                    mapping, d, visit, block, last=block == blocks - 1
                ):
                    at += 1
                    left, start = pixels, here
                    while left:
                        chunk = min(left, most)
                        claimed += chunk
                        while state.vectors < claimed:
                            yield
                        at = max(at, state.vector_at(claimed - 1) + 1) + 1
                        for unit in range(units):
                            at = max(at, self.loaded + 1)
                            load = max(at, self.ready)
                            address = start + unit * d["ofmap_stride_unit"]
                            entries = chunk if unit == units - 1 else 0
                            atoms = chunk * entry_atoms
                            # A burst's address may hang on an answer that is still to come.
                            while self._address_at(len(self.sent) + 1, 0, address) < 0:
                                yield
                            if not self._write_at_once(load, address, atoms, entry_atoms, entries):
                                per_beat = self.atoms_per_beat
                                lane = address % config.axi_bytes // self.atom_bytes
                                ends = [(lane + i) % per_beat == 0 for i in range(1, atoms)]
                                yield from self._write(
                                    load, address, [*ends, True], entry_atoms if entries else 0,
                                    lambda beats, out, load=load: self._issue_at(load, beats, out),
                                )  # fmt: skip
                            at += 1
                        left -= chunk
                        start += chunk * self.unit_bytes
        self.done = at

    def _address_at(self, burst: int, at: int, address: int) -> int:
        """Earliest cycle from ``at`` on in which a burst's address goes out; -1: not known yet."""
        if burst >= BEATS_AHEAD:
            if len(self.ended) <= burst - BEATS_AHEAD:
                return -1
            at = max(at, self.ended[burst - BEATS_AHEAD] + 1)
        earlier = burst - OUTSTANDING_WRITES
        if earlier >= 0 and not self.config.on_chip(address):
            if len(self.memory.answered) <= earlier:
                return -1
            at = max(at, self.memory.answered[earlier] + 1)
        return at

    def _write_at_once(
        self, at: int, address: int, atoms: int, entry_atoms: int, entries: int
    ) -> bool:
        """Write a run that nothing holds up; False: something may."""
        if (self.out and self.out[-1] > at + 2) or (self.sent and self.sent[-1] > at + 1):
            return False
        per_beat = self.atoms_per_beat
        lane = address % self.config.axi_bytes // self.atom_bytes
        parts = self.bursts.sizes(self.bursts.place(address), -(-(lane + atoms) // per_beat))
        first = len(self.sent)
        for i in range(len(parts)):
            if i >= BEATS_AHEAD or self._address_at(first + i, at + 2 + i, address) != at + 2 + i:
                return False
        end = at + 2 + atoms  # cycle of the last beat
        beat = at + 2 + per_beat - lane  # cycle of the first one, if it is not the last
        for i, part in enumerate(parts):
            self.sent.append(at + 2 + i)
            beats: range | list[int] = range(beat + 1, beat + 1 + part * per_beat, per_beat)
            if beats[-1] > end + 1:
                beats = [*beats[:-1], end + 1]
            beat += part * per_beat
            self.ended.append(beats[-1] - 1)
            if not self.config.on_chip(address):
                self.memory.writes.append(WriteRun(at + 3 + i, beats))
        self.issued, self.issued_end = at + atoms, True
        self.out = [end]
        self.loaded, self.ready = at, at + atoms
        if entries:
            self.state.release(at + entry_atoms, entry_atoms, entries)
        self.state.progress += 1
        return True

    def _write(
        self, at: int, address: int, ends: list[bool], entry_atoms: int, issue: Issue
    ) -> Iterator[None]:
        """Write a run atom by atom.

        ``ends`` says which atoms end a beat; ``entry_atoms`` is 0 where the run releases no
        entries; ``issue`` gives the cycle of the next atom.
        """
        state, memory = self.state, self.memory
        atoms = len(ends)
        parts = self.bursts.sizes(self.bursts.place(address), sum(ends))
        base = len(self.out)  # beats of earlier runs, all gone out
        issues: list[int] = []  # of the atoms that end a beat
        out = self.out[:]
        moves: list[list[int]] = [[] for _ in parts]
        burst, sends = 0, 0
        first = len(self.sent)
        self.left = atoms
        clock = max(at + 2, self.sent[-1] + 1 if self.sent else 0)
        while True:
            seen = state.progress
            while sends < len(parts):
                when = self._address_at(first + sends, clock, address)
                if when < 0:
                    break
                self.sent.append(when)
                clock, sends = when + 1, sends + 1
                state.progress += 1
            while burst < sends and len(out) - base < len(issues):
                when = max(issues[len(out) - base] + 2, self.sent[first + burst] + 1)
                out.append(max(when, out[-1] + 1) if out else when)
                moves[burst].append(out[-1] + 1)
                if len(moves[burst]) == parts[burst]:
                    self.ended.append(out[-1])
                    if not self.config.on_chip(address):
                        memory.writes.append(WriteRun(self.sent[first + burst] + 1, moves[burst]))
                    burst += 1
                state.progress += 1
            if self.left:
                when = issue(base + len(issues), out)
                if when >= 0:
                    ends_beat = ends[-self.left]
                    if ends_beat:
                        issues.append(when)
                    self.issued, self.issued_end = when, ends_beat
                    self.left -= 1
                    if entry_atoms and (atoms - self.left) % entry_atoms == 0:
                        state.release(when, 0, 1)
                    state.progress += 1
            if burst == len(parts):
                break
            if state.progress == seen:
                yield
        self.out = out[-BEATS_AHEAD:]
        # The last burst is cut while the one before it goes out.
        before = self.sent[-2] if len(self.sent) > 1 else -1
        self.loaded, self.ready = at, max(self.issued, at + 1, before)

    def _recorder(self, at: int) -> Issue:
        """Tell when the beats of a record are issued: two cycles before they may go out."""
        halves = max(1, COUNTER_BYTES // self.config.axi_bytes)
        counters = self.config.axi_bytes * halves // COUNTER_BYTES  # of a beat, or of its halves
        taken = beat = rounds = 0

        def issue(beats: int, out: list[int]) -> int:
            nonlocal taken, beat, rounds
            if beat % halves:
                beat += 1
                return self.issued + 1
            while True:
                when = at + RECORD_DELAY + 2 * taken + rounds * COUNTER_ROUND
                full = beats - BEATS_AHEAD + 1  # the beat that must be out, so that two have room
                known = full < len(out)
                if not known and when > self.memory.now:
                    return -1
                if full >= 0 and not (known and out[full] < when):
                    rounds += 1
                    continue
                taken += 1
                if taken == (beat // halves + 1) * counters:
                    beat += 1
                    return when - 1

        return issue

    def _issue_at(self, at: int, beats: int, out: list[int]) -> int:
        """Cycle of the next atom after so many beats, of which ``out`` left; -1: not known yet."""
        when = max(at, self.issued) + 1
        if when == self.issued + 1:
            # The atom before is on its way: it counts as a beat.
            index = beats - self.issued_end - BEATS_AHEAD + 1
            if index < 0:
                return when
            if index < len(out):
                if out[index] < when:
                    return when
            elif when > self.memory.now:
                return -1
            when += 1
        index = beats - BEATS_AHEAD
        if index < 0:
            return when
        return max(when, out[index] + 1) if index < len(out) else -1

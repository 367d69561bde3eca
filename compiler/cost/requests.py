"""Request side of the reader in the replay: segments enter its queue, their bursts go out."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from stillflow.compiler.cost.beats import (
    DESCRIPTOR,
    FILTER,
    IFMAP,
    PADDING,
    RESIDUAL,
    TABLE,
    BeatSide,
)
from stillflow.compiler.cost.memory import Memory, ReadRun
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Bursts
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.timing import INBOX

CUT_DELAY = 2  # cycles from a segment's coming to the splitter until its first address


class Requests:
    """Segments and bursts of a layer, as the reader asks for them.

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
        self.beats = BeatSide(state)
        self.bursts = Bursts(config)
        self.line_beats = config.filter_line_bytes // config.axi_bytes
        self.capacity = config.filter_lines * self.line_beats
        self.depth = config.outstanding_reads - 1
        self.size = config.filter_line_bytes
        self.taken = 0  # beats of room in the filter buffer that were asked for
        self.moved = [-1] * INBOX  # cycles in which the latest segments left the reader's inbox
        self.loaded = -1  # cycle in which the splitter took the latest one that asks for beats
        self.cut = -1  # ... in which it cut that one's last burst
        self.sent = -1  # cycle of the latest address
        self.at = 0  # cycle in which the walker's next segment shows
        self.done = 0

    def fetch(self, at: int, address: int, size: int) -> None:
        """Ask for a descriptor in cycle ``at``."""
        beats = size // self.config.axi_bytes
        self.beats.accept(at + 1, DESCRIPTOR, beats, False)
        place = self.bursts.place(address)
        due = at + 1 + CUT_DELAY + self.memory.latency
        self.memory.reads.append(ReadRun(due, beats, place, due + beats))

    def _filters(self, pointer: int, lines: int) -> Iterator[None]:
        """Emit a filter segment and send its bursts."""
        while not self._accept(FILTER, pointer, lines * self.line_beats, False):
            yield
        yield from self._ask_filters(pointer, lines * self.line_beats)

    def _stream(self, pointer: int, beats: int, times: int, floor: Callable[[int], int]) -> int:
        """Emit, read and take filter segments as long as nothing else matters; give how many.

        The same as `_filters`, `Memory.decide` and `BeatSide.take` in turn, in one loop: most of a
        fully connected layer passes here.
        """
        memory, queue, state = self.memory, self.beats, self.state
        if memory.writes or not memory.whole_beats:
            return 0
        if memory.reads:
            memory.decide(queue, floor(0))
            state.progress += 1
        if memory.reads or queue.left:
            return 0
        heads, depth, line_beats = queue.heads, self.depth, self.line_beats
        latency = memory.latency
        limit = floor(0) - beats
        at, sent, now, popped = self.at, self.sent, memory.now, queue.popped
        (before, moved_in), load, cut = self.moved, self.loaded, self.cut
        needed = self.taken + beats - self.capacity
        place, page, most = self.bursts.place(pointer), self.bursts.page, self.bursts.most
        done = 0
        while done < times:
            take = at + 1
            if before >= take:
                take = before + 1
            move = take + 1 if take >= moved_in else moved_in + 1
            waits = queue.accepted - depth
            if waits >= 0 and heads[waits] > move:
                move = heads[waits]
            ready = cut if cut > move else move
            send = sent + 1 if sent > ready else ready + CUT_DELAY
            whole = beats <= most and place + beats <= page
            count = 1 if whole else self.bursts.count(place, beats)
            if needed > 0 and needed > line_beats * state.freed_before(send):
                lines = -(-needed // line_beats)
                if not whole or state.freed_lines < lines:
                    break
                freed = state.freed_at(lines)
                if freed >= send:
                    send = freed + 1
            # Only the DRAM and the queue hold this segment up.
            steady = whole and send == move + CUT_DELAY
            moved = send + latency
            if now >= moved:
                moved = now
            else:
                steady = False
            if moved > limit:
                break
            load = ready
            head = load + 2
            if popped >= head:
                head = popped + 1
            else:
                steady = False
            heads.append(head)
            queue.accepted += 1
            first = moved + memory.delay if moved + memory.delay > head else head
            state.filter_arrives(first, beats)
            popped = first + beats - 1
            now = moved + beats
            at, before, moved_in = take + 2, moved_in, load
            cut = send + count - 2 if count > 1 else max(load + 1, sent)
            sent = send + count - 1
            needed += beats
            place = (place + beats) % page
            done += 1
            if steady:
                room = (line_beats * state.freed_before(send) - needed) // beats + 1
                count = min(times - done, (limit - moved) // beats, room)
                if place % beats or page % beats:  # one of them will cross a page
                    count = min(count, (page - place) // beats)
                later = count * beats
                asked = now + later - beats - latency - CUT_DELAY
                if count > 1 and self._keeps_pace(count, beats, asked):
                    # So it stays: the next ones follow at a distance of their beats.
                    heads.extend(range(head + beats, head + later + 1, beats))
                    state.filter_arrives(first + beats, later)
                    for place_of in range(queue.accepted - depth, queue.accepted + count - depth):
                        take = max(take + 3, before + 1)
                        leaves = heads[place_of] if place_of >= 0 else 0
                        before, moved_in = moved_in, max(take + 1, moved_in + 1, leaves)
                    queue.accepted += count
                    at, load = take + 2, moved_in
                    cut, sent = load + 1, load + CUT_DELAY
                    now, popped = now + later, popped + later
                    needed += later
                    place = (place + later) % page
                    done += count
        if done:
            self.at, memory.now, queue.popped = at, now, popped
            self.moved = [before, moved_in]
            self.loaded, self.cut, self.sent = load, cut, sent
            self.taken += done * beats
            state.progress += 1
        return done

    def _keeps_pace(self, count: int, beats: int, moves: int) -> bool:
        """Whether the queue lets so many segments follow at a distance of their beats.

        Each takes the place of the one ``depth`` before it: that must leave in time for the last of
        them to be asked for by cycle ``moves``, and all of them at least as far apart.
        """
        heads, depth = self.beats.heads, self.depth
        leaving = heads[max(0, len(heads) - depth) :]
        last = len(heads) - 1 + count - depth
        due = heads[last] if 0 <= last < len(heads) else heads[-1] + (last - len(heads) + 1) * beats
        return (
            beats > 2  # ... and the walker takes less than these for each
            and due <= moves
            and all(after - before >= beats for before, after in pairwise(leaving))
        )

    def _accept(self, kind: int, address: int, beats: int, group_last: bool) -> bool:
        """Give the reader a segment, if the queue's place for it is known."""
        at = max(self.at, self.moved[0] + 1)
        moves = max(at, self.moved[1]) + 1
        queue = self.beats
        waits = queue.accepted - self.depth
        if waits >= 0:
            if len(queue.heads) <= waits:
                return False
            moves = max(moves, queue.heads[waits])
        local = kind in (IFMAP, RESIDUAL) and self.config.on_chip(address)
        if kind != PADDING and not local:
            moves = max(moves, self.cut)
            self.loaded = moves
        queue.accept(moves, kind, beats, group_last, local=local)
        self.state.progress += 1
        self.at = at + 1
        self.moved = [self.moved[1], moves]
        if kind in (IFMAP, RESIDUAL, TABLE) and not local:
            place = self.bursts.place(address)
            send = max(self.loaded + CUT_DELAY, self.sent + 1)
            due = send + self.memory.latency
            self.memory.reads.append(ReadRun(due, beats, place, due + beats))
            self._sends(send, self.bursts.count(place, beats))
        return True

    def _sends(self, first: int, bursts: int) -> None:
        """Note that the latest segment's addresses go out, one per cycle from ``first`` on."""
        self.cut = first + bursts - 2 if bursts > 1 else max(self.loaded + 1, self.sent)
        self.sent = first + bursts - 1

    def _ask_filters(self, address: int, beats: int) -> Iterator[None]:
        """Send the bursts of a filter segment as the buffer gets room for them."""
        state, memory, line_beats = self.state, self.memory, self.line_beats
        page = self.bursts.page
        place = self.bursts.place(address)
        send = max(self.loaded + CUT_DELAY, self.sent + 1)
        run: ReadRun | None = None
        while beats:
            needed = self.taken + beats - self.capacity
            count = 1
            if needed <= line_beats * state.freed_before(send):
                part = beats
                count = self.bursts.count(place, beats)
            else:
                part = self.bursts.first(place, beats)
                needed = -(-(self.taken + part - self.capacity) // line_beats)
                if needed > 0:
                    while state.freed_lines < needed:
                        yield
                    freed = state.freed_at(needed)
                    if freed >= send:
                        send = freed + 1
                        # Where every step frees a burst, as fast as one is read, all go like this.
                        lines, period, more = state.freed_pace(needed)
                        if part == self.bursts.most == lines * line_beats >= period:
                            more = min(more, (page - place) // part - 1, beats // part - 1)
                            part *= more + 1
                            self._join(run, send + memory.latency, part, place)
                            run = memory.reads[-1]
                            before = send + (more - 1) * period if more else self.sent
                            send += more * period
                            self.taken += part
                            beats -= part
                            place = (place + part) % page
                            self.cut = max(self.loaded + 1, before)
                            self.sent, send = send, send + 1
                            continue
            self._join(run, send + memory.latency, part, place)
            run = memory.reads[-1]
            self.taken += part
            beats -= part
            place = (place + part) % page
            self._sends(send, count)
            send = self.sent + 1

    def _join(self, run: ReadRun | None, due: int, beats: int, place: int) -> None:
        """Ask for bursts, with the earlier ones where they will follow without a gap."""
        reads = self.memory.reads
        self.state.progress += 1
        if run is not None and reads and reads[-1] is run and due <= run.until:
            run.beats += beats
            run.until += beats
        else:
            reads.append(ReadRun(due, beats, place, due + beats))

"""Load side of the replay: the read walker, and the reader's two ends."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping as Fields

from stillflow.compiler.cost.memory import Memory, ReadRun
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.visits import Bursts, Visit, blocks_of, groups_of, visits
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.mapping import Mapping

PADDING, IFMAP, FILTER, DESCRIPTOR = range(4)
SLOT_DELAY = 5  # cycles from a step's last one until its tile's slot may be taken


class BeatSide:
    """Segments in order: padding is made up, other beats are taken as they come."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.segments: list[tuple[int, int, int, bool]] = []  # accepted, kind, beats, group last
        self.heads: list[int] = []  # first cycle of each at the head of the queue
        self.left = 0
        self.popped = -1  # cycle of the latest beat

    def accept(self, at: int, kind: int, beats: int, group_last: bool) -> None:
        """A segment enters the queue in cycle ``at``."""
        self.segments.append((at, kind, beats, group_last))
        if not self.left:
            self._next_head()

    def take(self, moved: int, beats: int) -> None:
        """Beats of the segment at the head come from the DRAM from cycle ``moved`` on."""
        first = max(moved, self.popped + 1)
        _, kind, _, group_last = self.segments[len(self.heads) - 1]
        if kind == FILTER:
            self.state.filter_arrives(first, beats)
        self.popped = first + beats - 1
        self.left -= beats
        if not self.left:
            if kind == DESCRIPTOR:
                self.state.fetched = self.popped
            elif group_last:
                self.state.groups.append(self.popped)
            self._next_head()

    def _next_head(self) -> None:
        while len(self.heads) < len(self.segments):
            at, kind, beats, group_last = self.segments[len(self.heads)]
            head = max(at + 2, self.popped + 1)
            self.heads.append(head)
            if kind != PADDING:
                self.left = beats
                self.popped = head - 1
                return
            self.popped = head + beats - 1
            if group_last:
                self.state.groups.append(self.popped)


class Loader:
    """Read walker and request side of the reader.

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
        self.taken = 0  # beats of room in the filter buffer that were asked for
        self.sent = 0  # cycle of the latest address
        self.at = 0  # cycle in which the walker's next segment shows
        self.done = 0

    def fetch(self, at: int, address: int, size: int) -> None:
        """Ask for a descriptor in cycle ``at``."""
        beats = size // self.config.axi_bytes
        self.beats.accept(at, DESCRIPTOR, beats, False)
        place = self.bursts.place(address)
        due = at + 1 + self.memory.latency
        self.memory.reads.append(ReadRun(due, beats, place, due + beats))

    def walk(self, mapping: Mapping, fields: Fields[str, int], begin: int) -> Iterator[None]:
        """Emit the segments of a layer; pause where it hangs on the other sides."""
        config, d, state = self.config, fields, self.state
        pointer = saved = d["filter_address"]
        self.at, self.sent = begin + 1, begin
        tile = 0
        slots = mapping.slots
        for visit in visits(mapping):
            needs = visit.first_pixels or not mapping.filter_resident
            groups = groups_of(mapping, visit)
            for block in range(blocks_of(mapping, visit)):
                for group in range(groups):
                    last_group = visit.c_last and group == groups - 1
                    if block == 0:
                        if group == 0:
                            if tile >= slots:
                                while len(state.tile_ends) <= tile - slots:
                                    yield
                                self.at = max(self.at, state.tile_ends[tile - slots] + SLOT_DELAY)
                            tile += 1
                        self.at += 1
                        for row in self._rows(mapping, d, visit, group, last_group):
                            if not self._accept(*row):
                                while not self._accept(*row):
                                    yield
                    else:
                        self.at += 1
                    if needs:
                        lines = mapping.slab_lines[last_group]
                        if group == 0:
                            lines += config.bias_lines * (visit.c == 0)
                            lines += config.scale_lines * visit.c_last
                        beats = lines * self.line_beats
                        while not self._accept(FILTER, pointer, beats, False):
                            yield
                        yield from self._ask_filters(pointer, beats)
                        pointer += lines * config.filter_line_bytes
                    else:
                        self.at += 1
                    self.at += 1
            if visit.leaves:
                if visit.last_pixels:
                    saved = pointer
                elif not mapping.filter_resident:
                    pointer = saved
        self.done = self.at

    def _rows(
        self, mapping: Mapping, d: Fields[str, int], visit: Visit, group: int, last_group: bool
    ) -> Iterator[tuple[int, int, int, bool]]:
        """Pieces of the ifmap rows of a plane group: kind, address, beats, last."""
        size, beat = self.config.act_bytes, self.config.axi_bytes
        width = d["load_width_last"] if visit.f_last else d["load_width"]
        rows = d["load_rows_last"] if visit.e_last else d["load_rows"]
        images = mapping.last_pixels[0] if visit.n_last else mapping.pn
        planes = mapping.k_planes_last if last_group else mapping.k_planes
        element = d["w_origin"] + visit.f * d["w_step"]
        first, end = max(element, 0), min(element + width, d["w_size"])
        left, filled, right = first - element, max(0, end - first), element + width - end
        row0 = d["h_origin"] + visit.e * d["h_step"]
        low = max(0, -row0) if filled else rows
        high = min(rows, d["h_size"] - row0) if filled else rows
        whole = (PADDING, 0, -(-width * size // beat), False)
        head = (PADDING, 0, -(-left * size // beat), False)
        tail = (PADDING, 0, -(-right * size // beat), False)
        corner = (
            d["ifmap_address"] + visit.g * d["ifmap_stride_g"] + visit.n * d["ifmap_stride_nt"]
            + visit.e * d["ifmap_stride_et"] + visit.f * d["ifmap_stride_ft"]
            + visit.c * d["ifmap_stride_ct"] + group * d["ifmap_stride_group"] + left * size
        )  # fmt: skip
        held: tuple[int, int, int, bool] | None = None  # emitted when it is known not to be last
        for plane in range(planes):
            for image in range(images):
                here = corner + plane * d["ifmap_stride_plane"] + image * d["ifmap_stride_n"]
                for row in range(rows):
                    if held:
                        yield held
                    if not low <= row < high:
                        held = whole
                        continue
                    if left:
                        yield head
                    address = here + row * d["ifmap_stride_h"]
                    beats = -(-(address % beat + filled * size) // beat)
                    held = (IFMAP, address, beats, False)
                    if right:
                        yield held
                        held = tail
        assert held is not None
        yield (*held[:3], True)

    def _accept(self, kind: int, address: int, beats: int, group_last: bool) -> bool:
        """Give the reader a segment, if the queue's place for it is known."""
        at = max(self.at, self.sent)
        queue = self.beats
        waits = len(queue.segments) - self.config.outstanding_reads + 1
        if waits >= 0:
            if len(queue.heads) <= waits:
                return False
            at = max(at, queue.heads[waits])
        queue.accept(at, kind, beats, group_last)
        self.state.progress += 1
        self.at = at + 1
        if kind == IFMAP:
            place = self.bursts.place(address)
            due = at + 1 + self.memory.latency
            self.memory.reads.append(ReadRun(due, beats, place, due + beats))
            self.sent = at + self.bursts.count(place, beats)
        return True

    def _ask_filters(self, address: int, beats: int) -> Iterator[None]:
        """Send the bursts of a filter segment as the buffer gets room for them."""
        state, memory, line_beats = self.state, self.memory, self.line_beats
        page = self.bursts.page
        place = self.bursts.place(address)
        send = self.at
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
                        # Steps that free a burst each, as fast as it is read: one goes like the other.
                        lines, period, more = state.freed_pace(needed)
                        if part == self.bursts.most == lines * line_beats >= period:
                            more = min(more, (page - place) // part - 1, beats // part - 1)
                            part *= more + 1
                            self._join(run, send + memory.latency, part, place)
                            run = memory.reads[-1]
                            send += more * period
                            self.taken += part
                            beats -= part
                            place = (place + part) % page
                            self.sent, send = send, send + 1
                            continue
            self._join(run, send + memory.latency, part, place)
            run = memory.reads[-1]
            send += count - 1
            self.taken += part
            beats -= part
            place = (place + part) % page
            self.sent, send = send, send + 1

    def _join(self, run: ReadRun | None, due: int, beats: int, place: int) -> None:
        """Ask for bursts, with the earlier ones where they will follow without a gap."""
        reads = self.memory.reads
        self.state.progress += 1
        if run is not None and reads and reads[-1] is run and due <= run.until:
            run.beats += beats
            run.until += beats
        else:
            reads.append(ReadRun(due, beats, place, due + beats))

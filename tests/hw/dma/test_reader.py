"""Read engine between a walker and a memory, both of which stall."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import ErrorCode
from stillflow.hw.dma.reader import Reader
from stillflow.hw.words import SegmentKind, element_bits
from stillflow.sim import bench
from tests.hw.dma.memories import ReadMemory, word_at


def config_of(rows, cols, glb_kib, axi_data_bits, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits, requant_lanes=1, **keys
    )


CONFIGS = [
    config_of(4, 4, 1, 32, max_burst_beats=4, outstanding_reads=3),
    config_of(4, 16, 4, 32, max_burst_beats=16, outstanding_reads=8),  # four beats a line
    config_of(2, 4, 4, 128, max_burst_beats=8, outstanding_reads=2),
    config_of(4, 4, 2, 64, act_bits=16, acc_bits=48, outstanding_reads=256),
    config_of(4, 4, 2, 64, activation_kib=3, outstanding_reads=4),
    config_of(2, 4, 4, 128, activation_kib=1, max_burst_beats=8, outstanding_reads=2),
]

#: Kinds whose beats say where they go.
PLACED = (SegmentKind.IFMAP, SegmentKind.PADDING, SegmentKind.RESIDUAL)
#: Kinds that the activation memory may hold.
KEPT = (SegmentKind.IFMAP, SegmentKind.RESIDUAL)


def is_local(beat, config):
    return beat["kind"] in KEPT and config.on_chip(beat["address"])


def draw_segments(random, config):
    """Draw segments; filter segments are whole lines, ifmap segments start anywhere."""
    lanes, size = config.axi_elements, config.axi_bytes
    line_beats = config.filter_line_bytes // size
    segments = []
    for _ in range(random.randint(1, 14)):
        kind = random.choice([*SegmentKind, SegmentKind.IFMAP, SegmentKind.PADDING])
        segment = {
            "kind": kind,
            "address": random.choice([0x1000, 0x2F80, random.getrandbits(28)]) // size * size,
            "beats": random.choice([1, 1, 2, random.randint(1, 40)]),
            "skip": 0,
            "tail": random.randrange(lanes),
            "element": random.randrange(config.ifmap_elements),
            "group_last": random.random() < 0.4,
        }
        if config.activation_kib and kind in KEPT and random.random() < 0.6:
            line = random.randrange(config.activation_lines - segment["beats"] + 1)
            segment["address"] = config.activation_base + line * size
        if kind == SegmentKind.FILTER:
            segment["beats"] *= line_beats
            segment["group_last"] = False
        if kind in PLACED:
            segment["skip"] = random.randrange(lanes)
            segment["address"] += segment["skip"] * config.act_bytes
            if segment["beats"] == 1:
                segment["tail"] = random.randrange(segment["skip"], lanes)
        segments.append(segment)
    return segments


def beats_of(segment, config):
    """Yield what each beat of a segment must show."""
    lanes, size = config.axi_elements, config.axi_bytes
    first = segment["address"] // size * size
    for beat in range(segment["beats"]):
        last = beat == segment["beats"] - 1
        low = segment["skip"] if beat == 0 else 0
        high = segment["tail"] if last else lanes - 1
        yield {
            "kind": segment["kind"],
            "address": first + beat * size,
            "element": (segment["element"] + beat * lanes) % (1 << element_bits(config)),
            "mask": sum(1 << lane for lane in range(low, high + 1)),
            "group": last and segment["group_last"],
            "is_first": beat == 0,
        }


def run_reader(config, random, fails_at=None, response=2):
    """Send segments through; with ``fails_at`` the memory refuses that beat."""
    dut = Reader(config)
    segments = draw_segments(random, config)
    wanted = [beat for segment in segments for beat in beats_of(segment, config)]
    reads = [
        beat
        for beat in wanted
        if beat["kind"] != SegmentKind.PADDING and not is_local(beat, config)
    ]
    if fails_at is not None:
        if not reads:
            return
        fails_at %= len(reads)
    line_beats = config.filter_line_bytes // config.axi_bytes
    capacity = config.filter_lines * line_beats
    send_rate, free_rate = random.choice([0.3, 1]), random.choice([0.05, 0.5])

    async def drive(ctx):
        memory = ReadMemory(dut, ctx, random, reads)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        assert ctx.get(dut.o_idle)
        waiting, expected = deque(segments), deque(wanted)
        answered = filter_asked = filter_got = lines_freed = 0
        group, last_kind, sending = False, None, False
        while expected:
            fails = answered == fails_at
            memory.drive(response if fails else random.choice([0, 1]))
            sending = sending or (bool(waiting) and random.random() < send_rate)
            ctx.set(dut.i_segment.valid, sending)
            if sending:
                ctx.set(dut.i_segment.payload, waiting[0])
            lines = filter_got // line_beats - lines_freed
            freed = random.randint(0, lines) if random.random() < free_rate else 0
            ctx.set(dut.i_filter_freed, freed)
            residual = group if last_kind == SegmentKind.RESIDUAL else False
            assert ctx.get(dut.o_residual) == residual
            assert ctx.get(dut.o_group) == (group and not residual)

            answers = memory.offered and ctx.get(dut.r_ready)
            failed = bool(answers and fails)
            assert ctx.get(dut.o_error) == failed
            if failed:
                codes = {2: ErrorCode.READ_SLVERR, 3: ErrorCode.READ_DECERR}
                assert ctx.get(dut.o_error_code) == codes[response]
                assert ctx.get(dut.o_error_address) == expected[0]["address"]
                assert not ctx.get(dut.o_beat)
                group = False
                memory.sample()
                await ctx.tick()
                break
            group = False
            if ctx.get(dut.o_beat):
                beat = expected.popleft()
                is_padding = beat["kind"] == SegmentKind.PADDING
                local = is_local(beat, config)
                assert answers != (is_padding or local)
                assert SegmentKind(ctx.get(dut.o_kind)) == beat["kind"]
                if not is_padding:
                    assert ctx.get(dut.o_data) == word_at(beat["address"], config)
                    answered += not local
                if beat["kind"] in PLACED:
                    assert ctx.get(dut.o_mask) == beat["mask"]
                    assert ctx.get(dut.o_element) == beat["element"]
                filter_got += beat["kind"] == SegmentKind.FILTER
                group, last_kind = beat["group"], beat["kind"]
            else:
                assert not answers
                # Within a segment nothing waits.
                assert not memory.offered or expected[0]["is_first"] \
                    or expected[0]["kind"] == SegmentKind.PADDING  # fmt: skip
            burst = memory.sample()
            if burst:
                filter_asked += sum(beat["kind"] == SegmentKind.FILTER for beat in burst)
                assert filter_asked - lines_freed * line_beats <= capacity
            assert not ctx.get(dut.o_idle) or not memory.beats
            if sending and ctx.get(dut.i_segment.ready):
                waiting.popleft()
                sending = False
            asks = bool(config.activation_kib) and ctx.get(dut.o_local_en)
            line = ctx.get(dut.o_local_line) if asks else 0
            await ctx.tick()
            if asks:
                place = config.activation_base + line * config.axi_bytes
                ctx.set(dut.i_local_data, word_at(place, config))
            lines_freed += freed
        ctx.set(dut.i_segment.valid, 0)
        assert ctx.get(dut.o_group) | ctx.get(dut.o_residual) == group
        await drain(ctx, dut, memory, random)
        if fails_at is None:
            assert memory.asked == len(reads)

    bench.run(dut, drive, cycles=30_000)


async def drain(ctx, dut, memory, random):
    """Abort: nothing new is asked for, what was asked for is dropped, then the engine is idle."""
    ctx.set(dut.i_abort, 1)
    ctx.set(dut.i_segment.valid, random.random() < 0.5)
    may_ask = memory.held is not None
    while True:
        memory.drive(random.choice([0, 2]))
        assert not ctx.get(dut.o_beat)
        assert not ctx.get(dut.o_error)
        burst = memory.sample()
        assert burst is None or may_ask
        may_ask = memory.held is not None
        await ctx.tick()
        if not memory.beats and not may_ask:
            break
        assert not ctx.get(dut.o_idle)
    memory.drive()
    await ctx.tick()
    assert ctx.get(dut.o_idle)


randoms = st.randoms(use_true_random=True)


@settings(max_examples=40)
@given(config=st.sampled_from(CONFIGS), random=randoms)
def test_beats_come_in_order_with_their_places(config, random):
    run_reader(config, random)


@settings(max_examples=30)
@given(
    config=st.sampled_from(CONFIGS),
    random=randoms,
    beat=st.integers(0, 100),
    response=st.sampled_from([2, 3]),
)
def test_a_refused_beat_is_reported_and_the_rest_dropped(config, random, beat, response):
    run_reader(config, random, beat, response)


def test_filter_bursts_wait_for_room_and_no_longer():
    config = CONFIGS[0]
    dut = Reader(config)
    beats = config.filter_lines + 6

    async def drive(ctx):
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        ctx.set(dut.ar_ready, 1)
        ctx.set(dut.i_segment.payload, {"kind": SegmentKind.FILTER, "address": 0, "beats": beats})
        ctx.set(dut.i_segment.valid, 1)
        await ctx.tick()
        ctx.set(dut.i_segment.valid, 0)
        await ctx.tick()
        await ctx.tick()
        for _ in range(config.filter_lines // config.max_burst_beats):
            assert ctx.get(dut.ar_valid)
            await ctx.tick()
        for freed in (1, 2, 1):
            assert not ctx.get(dut.ar_valid)
            ctx.set(dut.i_filter_freed, freed)
            await ctx.tick()
        assert ctx.get(dut.ar_valid)
        assert ctx.get(dut.ar_len) + 1 == 4
        assert ctx.get(dut.ar_address) == config.filter_lines * 4

    bench.run(dut, drive)


@pytest.mark.parametrize("latency", [0, 7])
def test_beats_stream_without_a_gap_when_the_memory_does(latency):
    config = config_of(4, 4, 8, 32, max_burst_beats=8, outstanding_reads=16)
    dut = Reader(config)
    segments = [
        {"kind": SegmentKind.IFMAP, "address": 0x1000 * i, "beats": 9, "tail": 3}
        for i in range(6)
    ]  # fmt: skip
    seen = []

    async def send(ctx):
        await bench.put_all(ctx, dut.i_segment, segments)

    async def memory(ctx):
        ctx.set(dut.ar_ready, 1)
        ready_at = deque()
        cycle = 0
        while len(seen) < 54:
            offers = bool(ready_at) and ready_at[0] <= cycle
            ctx.set(dut.r_valid, offers)
            if offers and ctx.get(dut.r_ready):
                ready_at.popleft()
                seen.append(cycle)
            if ctx.get(dut.ar_valid):
                ready_at.extend([cycle + 2 + latency] * (ctx.get(dut.ar_len) + 1))
            await ctx.tick()
            cycle += 1

    bench.run(dut, send, memory)
    assert seen[-1] - seen[0] == 53

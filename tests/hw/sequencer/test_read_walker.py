"""Read segments against a literal walk of the nest."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import ceil_log2
from stillflow.hw.sequencer.read_walker import ReadWalker
from stillflow.hw.words import SegmentKind
from stillflow.sim import bench
from tests.hw.sequencer.interpreter import Fill, FilterLine
from tests.hw.sequencer.nests import NO_SHRINK, descriptor_of, nests


def run_walker(nest, random, rounds=1):
    """Return the segments of each round, as they were taken, beside slots freed at random."""
    config, fields = nest.mapping.config, descriptor_of(nest)
    dut = ReadWalker(config)
    seen = []
    dawdles = random.choice([0.0, 0.5])
    frees_soon = random.choice([0.2, 0.01])

    async def take(ctx):
        ctx.set(dut.i_layer, fields)
        for _ in range(rounds):
            await ctx.tick().repeat(random.randint(1, 3))
            assert ctx.get(dut.o_done)
            segments = []
            seen.append(segments)
            freed = 0
            ctx.set(dut.i_start, 1)
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            pending = None
            while not ctx.get(dut.o_done):
                ctx.set(dut.o_segment.ready, random.random() >= dawdles)
                valid, ready = ctx.get(dut.o_segment.valid), ctx.get(dut.o_segment.ready)
                segment = ctx.get(dut.o_segment.payload.as_value()) if valid else None
                assert pending is None or segment == pending
                pending = segment if valid and not ready else None
                if valid and ready:
                    word = dut.o_segment.payload.shape().from_bits(segment)
                    segments.append({key: word[key] for key in dict(word.shape())})
                    segments[-1]["freed"] = freed
                # A slot comes free at any time, if one is in use.
                frees = complete_tiles(segments, nest) > freed and random.random() < frees_soon
                ctx.set(dut.i_tile_freed, frees)
                await ctx.tick()
                freed += frees
            ctx.set(dut.i_tile_freed, 0)

    bench.run(dut, take, cycles=20_000)
    return seen


def complete_tiles(segments, nest):
    """Tiles whose last plane group was asked for."""
    m = nest.mapping
    groups = sum(segment["group_last"] for segment in segments)
    whole, rest = divmod(groups, m.plane_groups * m.windows)
    tiles, inner = whole * m.c_count * m.windows, (m.c_count - 1) * m.windows
    if rest > inner * m.groups:
        return tiles + inner + (rest - inner * m.groups) // m.groups_last
    return tiles + rest // m.groups


def check_segments(segments, nest):
    """Compare every element and line of the segments with the walk of the interpreter."""
    config, mapping = nest.mapping.config, nest.mapping
    lanes, size = config.axi_elements, config.act_bytes
    events = [event for event in nest.walk() if isinstance(event, Fill | FilterLine)]
    elements = ceil_log2(config.ifmap_elements)
    place = 0
    for segment in segments:
        if segment["kind"] == SegmentKind.FILTER:
            lines, rest = divmod(segment["beats"] * config.axi_bytes, config.filter_line_bytes)
            assert rest == 0
            assert lines
            wanted = events[place : place + lines]
            address = segment["address"]
            for line in wanted:
                assert isinstance(line, FilterLine)
                assert line.last == (line is wanted[-1])
                assert address == nest.place.filters + line.index * config.filter_line_bytes
                address += config.filter_line_bytes
            place += lines
            continue
        is_padding = segment["kind"] == SegmentKind.PADDING
        assert is_padding or segment["kind"] == SegmentKind.IFMAP
        if not is_padding:
            assert segment["skip"] == segment["address"] // size % lanes
        last = (segment["beats"] - 1) * lanes + segment["tail"]
        completes = False
        for number in range(segment["skip"], last + 1):
            fill = events[place]
            assert isinstance(fill, Fill)
            assert (segment["element"] + number) % (1 << elements) == fill.element
            address = segment["address"] + (number - segment["skip"]) * size
            assert fill.address == (None if is_padding else address)
            assert fill.tile - segment["freed"] < mapping.slots
            completes = fill.group_last
            place += 1
        assert segment["group_last"] == completes
    assert place == len(events)


@settings(max_examples=40, phases=NO_SHRINK)
@given(drawn=nests(most_macs=2500), random=st.randoms(use_true_random=True))
def test_segments_are_those_of_a_literal_walk(drawn, random):
    _, nest = drawn
    (segments,) = run_walker(nest, random)
    check_segments(segments, nest)


@settings(max_examples=4, phases=NO_SHRINK)
@given(drawn=nests(most_macs=500), seed=st.integers(0, 99))
def test_a_walker_starts_anew_with_each_layer(drawn, seed):
    _, nest = drawn
    for segments in run_walker(nest, Random(seed), rounds=2):
        check_segments(segments, nest)

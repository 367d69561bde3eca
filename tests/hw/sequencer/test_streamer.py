"""Vectors and their timing against a literal walk of the nest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.descriptor import Op
from stillflow.hw.sequencer.streamer import Streamer
from stillflow.hw.timing import FREE_DELAY, hazard
from stillflow.sim import bench
from stillflow.sim.golden.walks import steps_of
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import (
    CONFIGS,
    NO_LOCAL_REUSE,
    NO_SHRINK,
    config_of,
    descriptor_of,
    nests,
)
from tests.hw.sequencer.test_block_walker import block_of


class Timeline:
    """What the streamer must show in each cycle after the starts it has made."""

    def __init__(self, nest):
        self.nest, self.config = nest, nest.mapping.config
        self.vectors = {}  # by cycle
        self.next_start = 0  # first cycle in which the next step may start
        self.idle_after = 0
        self.frees = []
        self.lines_freed = {}  # by cycle

    def start(self, step, cycle):
        pace = self.config.pace if step.final else 1
        for number, pixel in enumerate(step.pixels):
            self.vectors[cycle + 1 + number * pace] = {
                "address": step.elements[0] + pixel.offset,
                "emits": 1,
                "strip_last": 1,
                "column_last": 0,
                "psum": pixel.psum,
                "start": number == 0,
                "first": step.first,
                "final": step.final,
                "maximum": self.nest.place.op == Op.MAXIMUM,
                "lanes": len(step.elements),
            }
        cycles = len(step.pixels) * pace
        self.next_start = cycle + max(cycles, hazard(self.config))
        self.idle_after = max(self.idle_after, cycle + cycles, self.next_start - 1)
        self.lines_freed[cycle + cycles + FREE_DELAY] = block_of(step, self.nest)["freed"]
        if step.tile_last:
            self.frees.append(cycle + cycles + FREE_DELAY)
            self.idle_after = self.frees[-1]


def run_layer(nest, random, rounds):
    config, steps = nest.mapping.config, steps_of(nest)
    dut = Streamer(config)
    group_rate, free_rate, full_rate = (random.choice([0.1, 0.5, 1]) for _ in range(3))
    all_groups = max(step.groups for step in steps)

    async def one_round(ctx):
        await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        timeline, tile_frees = Timeline(nest), []
        groups = occupied = cycle = started = completed = 0
        full, shown = False, -1  # the step whose block shows since the last cycle
        while started < len(steps) or not ctx.get(dut.o_idle):
            full = full or (shown == started < len(steps) and random.random() < full_rate)
            vector, wanted = ctx.get(dut.o_vector), timeline.vectors.get(cycle)
            assert vector.valid == (wanted is not None)
            if wanted is not None:
                lanes = ctx.get(dut.o_lanes)
                assert {key: vector[key] for key in wanted if key != "lanes"} | {
                    "lanes": lanes
                } == wanted
                completed += wanted["final"]
            completes = bool(wanted and wanted["final"])
            ctx.set(dut.i_full, full)
            may_start = False
            step = steps[min(started, len(steps) - 1)]
            ctx.set(dut.i_block, block_of(step, nest))
            shown = started
            if full:
                room = occupied + completes + nest.mapping.tile_pixels <= config.ofmap_depth
                may_start = (
                    cycle >= timeline.next_start
                    and groups >= step.groups
                    and (room or not step.final)
                )
            assert ctx.get(dut.o_start) == may_start
            assert ctx.get(dut.o_idle) == (cycle > timeline.idle_after or not timeline.vectors)
            if may_start:
                timeline.start(step, cycle)
                started, full = started + 1, False
            if config.reads_weights:
                assert ctx.get(dut.o_filter_freed) == timeline.lines_freed.get(cycle, 0)
            if ctx.get(dut.o_tile_freed):
                tile_frees.append(cycle)
            brings = groups < all_groups and random.random() < group_rate
            frees = occupied > 0 and random.random() < free_rate
            ctx.set(dut.i_group, brings)
            ctx.set(dut.i_entry_freed, frees)
            await ctx.tick()
            cycle += 1
            groups += brings
            occupied += completes - frees
            assert occupied <= config.ofmap_depth
        for signal in (dut.i_full, dut.i_group, dut.i_entry_freed):
            ctx.set(signal, 0)
        assert max(timeline.vectors) < cycle
        assert tile_frees == timeline.frees
        assert len(tile_frees) == nest.mapping.tiles
        assert completed == sum(len(step.pixels) for step in steps if step.final)

    async def drive(ctx):
        set_layer(ctx, dut, descriptor_of(nest))
        for _ in range(rounds):
            await one_round(ctx)

    bench.run(dut, drive, cycles=60_000)


@settings(max_examples=40, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=2500, configs=CONFIGS + NO_LOCAL_REUSE),
    random=st.randoms(use_true_random=True),
)
def test_vectors_are_those_of_a_literal_walk_in_exact_cycles(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=1)


@settings(max_examples=4, phases=NO_SHRINK)
@given(
    drawn=nests(most_macs=400, configs=CONFIGS + NO_LOCAL_REUSE),
    random=st.randoms(use_true_random=True),
)
def test_a_streamer_starts_anew_with_each_layer(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=2)


def test_psums_back_to_back_fill_the_ofmap_buffer_and_no_more():
    config = config_of(4, 4, 2, 32, 4)  # a vector a cycle
    dut = Streamer(config)
    pixels = 3
    fits = config.ofmap_depth // pixels
    assert (config.ofmap_depth + 1) % pixels == 0  # one entry less than another step needs
    starts = []

    async def drive(ctx):
        ctx.set(dut.i_layer.tile_pixels, pixels)
        ctx.set(dut.i_block, {"images": 1, "rows": 1, "columns": pixels, "final": 1})
        await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        ctx.set(dut.i_full, 1)
        for cycle in range(pixels * fits + 20):
            if ctx.get(dut.o_start):
                starts.append(cycle)
            await ctx.tick()
        ctx.set(dut.i_entry_freed, 1)
        assert not ctx.get(dut.o_start)
        await ctx.tick()
        assert ctx.get(dut.o_start)

    bench.run(dut, drive)
    assert starts == list(range(0, pixels * fits, pixels))

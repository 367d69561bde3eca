"""A layer's steps through the datapath, as close behind each other as its contract allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import ceil_log2
from stillflow.hw.datapath import Datapath
from stillflow.hw.descriptor import Op
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.timing import hazard, step_guard
from stillflow.hw.words import LineKind, SegmentKind
from stillflow.sim import bench
from stillflow.sim.golden.events import Fill, FilterLine
from stillflow.sim.golden.requantize import requantize
from stillflow.sim.golden.walks import filter_positions, steps_of
from tests.hw.sequencer.nests import (
    NO_SHRINK,
    config_of,
    nests,
    nests_of,
)
from tests.hw.sequencer.values import draw_values, gather, scatter


def stays_on_chip(drawn):
    """Whether ifmap and filters of a layer fit the buffers together."""
    mapping = drawn[1].mapping
    lines = mapping.filter_lines if mapping.filter_resident else filter_positions(drawn[1])[1]
    return mapping.tiles <= mapping.slots and lines <= mapping.config.filter_lines


def fill_beats(nest, values, rng):
    """Beats that bring ifmap and filters on chip; lanes without an element carry anything."""
    config = nest.mapping.config
    lanes, bits = config.axi_elements, config.act_bits
    run = []

    def flush():
        first, is_padding = run[0][0], run[0][2]
        skip = int(rng.integers(0, lanes - len(run) + 1))
        words = [int(word) for word in rng.integers(-128, 128, lanes)]
        if not is_padding:
            words[skip : skip + len(run)] = [word for _, word, _ in run]
        yield {
            "i_kind": SegmentKind.PADDING if is_padding else SegmentKind.IFMAP,
            "i_element": (first - skip) % (1 << ceil_log2(config.ifmap_elements)),
            "i_mask": sum(1 << lane for lane in range(skip, skip + len(run))),
            "i_data": sum((w & (1 << bits) - 1) << (bits * i) for i, w in enumerate(words)),
        }
        run.clear()

    stream = values.lines()
    for event in nest.walk():
        if isinstance(event, Fill):
            is_padding = event.address is None
            joins = run and run[-1][0] + 1 == event.element and run[-1][2] == is_padding
            if run and (len(run) == lanes or not joins):
                yield from flush()
            run.append((event.element, values.word_at(event.address), is_padding))
        elif isinstance(event, FilterLine):
            line = stream[event.index].tobytes()
            for first in range(0, len(line), config.axi_bytes):
                beat = int.from_bytes(line[first : first + config.axi_bytes], "little")
                yield {"i_kind": SegmentKind.FILTER, "i_data": beat}
    if run:
        yield from flush()


def schedule(nest):
    """Commands, starts and vectors by cycle: the next block begins in the cycle of a start."""
    config = nest.mapping.config
    positions, _ = filter_positions(nest)
    commands, starts, vectors = {}, set(), {}
    start, next_start = None, 0
    for step, places in zip(steps_of(nest), positions, strict=True):
        cycle = 0 if start is None else start
        ring = iter([place % config.filter_lines for place in places])
        for lane in range(config.rows):
            if lane < len(step.elements):
                ahead = step.elements[lane] - step.elements[0] - lane
                offset = ahead // config.ifmap_banks % (1 << ceil_log2(config.ifmap_depth))
                command = {"place": {"line": next(ring)}, "lane_used": 1, "lane_offset": offset}
            else:
                command = {"zero": 1}
            commands[cycle + lane] = command | {"kind": LineKind.WEIGHT}
        cycle += config.rows
        if (step.bias or step.scale) and start is not None:
            cycle = max(cycle, start + step_guard(config) + 1)
        for kind, lines in ((LineKind.BIAS, step.bias), (LineKind.SCALE, step.scale)):
            for _ in lines:
                commands[cycle] = {"kind": kind, "place": {"line": next(ring)}}
                cycle += 1
        start = max(cycle, next_start)
        starts.add(start)
        pace = config.pace if step.final else 1
        for number, pixel in enumerate(step.pixels):
            vectors[start + 1 + number * pace] = {
                "address": step.elements[0] + pixel.offset,
                "psum": pixel.psum,
                "emits": 1,
                "strip_last": number % 3 == 0,
                "column_last": number % 2 == 0,
                "start": number == 0,
                "first": step.first,
                "final": step.final,
                "maximum": nest.place.op == Op.MAXIMUM,
            }
        next_start = start + max(len(step.pixels) * pace, hazard(config))
    return commands, starts, vectors, next_start


def check_words(shape, nest, seed):
    """Run a layer whose operands all fit the buffers."""
    rng = np.random.default_rng(seed)
    config, place = nest.mapping.config, nest.place
    values = draw_values(shape, nest, rng)
    dut = Datapath(config)
    commands, starts, vectors, end = schedule(nest)
    got, marks = [], []

    async def tick(ctx):
        await ctx.tick()
        if ctx.get(dut.o_valid):
            got.append(list(ctx.get(dut.o_words)))
            marks.append((ctx.get(dut.o_strip_last), ctx.get(dut.o_column_last)))

    async def drive(ctx):
        ctx.set(dut.i_pad_value, place.pad_value)
        ctx.set(dut.i_zero_point, place.zero_point)
        ctx.set(dut.i_min, place.act_min)
        ctx.set(dut.i_max, place.act_max)
        ctx.set(dut.i_clear, 1)
        await tick(ctx)
        ctx.set(dut.i_clear, 0)
        ctx.set(dut.i_beat, 1)
        for beat in fill_beats(nest, values, rng):
            for name, value in beat.items():
                ctx.set(getattr(dut, name), value)
            await tick(ctx)
        ctx.set(dut.i_beat, 0)
        await tick(ctx)
        assert ctx.get(dut.o_loaded) == filter_positions(nest)[1] % (1 << len(dut.o_loaded))
        for cycle in range(end + 40):
            ctx.set(dut.i_start, cycle in starts)
            ctx.set(dut.i_command, {"valid": cycle in commands} | commands.get(cycle, {}))
            ctx.set(dut.i_vector, {"valid": cycle in vectors} | vectors.get(cycle, {}))
            await tick(ctx)

    bench.run(dut, drive, cycles=20_000)
    complete = [(step, pixel) for step in steps_of(nest) if step.final for pixel in step.pixels]
    assert len(got) == len(complete)
    numbers = [i for step in steps_of(nest) if step.final for i in range(len(step.pixels))]
    assert marks == [(number % 3 == 0, number % 2 == 0) for number in numbers]
    ofmap = {}
    for (step, pixel), words in zip(complete, got, strict=True):
        scatter(nest, step, pixel, words, ofmap)
    scale = 1.0 if isinstance(shape, PoolShape) else values.scale.ravel()
    wanted = requantize(
        values.psums.astype(np.int64), scale, place.zero_point, place.act_min, place.act_max,
        f"int{config.act_bits}",
    )  # fmt: skip
    np.testing.assert_array_equal(gather(ofmap, place), wanted)


@settings(max_examples=15, phases=NO_SHRINK)
@given(drawn=nests(most_macs=2500).filter(stays_on_chip), seed=st.integers(0, 2**32 - 1))
def test_steps_back_to_back_give_the_golden_words(drawn, seed):
    shape, nest = drawn
    check_words(shape, nest, seed)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_scales_do_not_overtake_those_in_use(rows):
    # Few rows, and the scales right behind a step of one chunk that still needs the earlier ones.
    config = config_of(rows, min(rows, 2), 3, 32)
    block = config.channel_block
    shape = ConvShape(C=2 * block, M=4 * config.m_block, H=2, W=2)
    tiled = [
        nest
        for nest in nests_of(shape, config)
        if nest.mapping.c_count == 2 and nest.mapping.mb == 4 and stays_on_chip((shape, nest))
    ]
    assert {nest.mapping.tile_pixels for nest in tiled} == {1, 2, 4}
    for seed, nest in enumerate(tiled):
        check_words(shape, nest, seed)

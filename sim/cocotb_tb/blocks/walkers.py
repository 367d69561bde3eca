"""Load and compute walkers against a literal walk of the nest."""

from collections.abc import Callable
from itertools import accumulate, islice
from typing import Any

import cocotb

from stillflow.compiler.lower import pack, unpack
from stillflow.compiler.mapper import candidates
from stillflow.compiler.placement import Placement
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.descriptor import Op
from stillflow.hw.layer import ConvShape
from stillflow.hw.sequencer.block import Block
from stillflow.hw.sequencer.chunk import Chunk
from stillflow.hw.words import LaneShift, LineCommand, LineKind, Segment
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.golden.nest import Nest
from stillflow.sim.golden.walks import (
    block_of,
    check_segments,
    chunk_of,
    commands_of,
    complete_tiles,
    filter_place,
    filter_positions,
    lane_offset,
    steps_of,
)

TIMEOUT: dict[str, Any] = {"timeout_time": 8, "timeout_unit": "ms"}
LAYERS = 3
CONSIDERED = 200  # of the mapper's nests


def draw_nest(dut: Dut) -> tuple[Nest, dict[str, int]]:
    """Draw a layer and any of its nests; give its descriptor's fields, too."""
    config, random = dut.config, dut.random
    groups = random.choice([1, 1, 2])
    shape = ConvShape(
        N=random.randint(1, 2), G=groups, C=groups * random.randint(1, config.channel_block + 3),
        M=groups * random.randint(1, 2 * config.m_block), H=random.randint(3, 6),
        W=random.randint(3, 6), R=random.randint(1, 3), S=random.randint(1, 3),
        stride=(random.randint(1, 2), 1), pad=(1, 0, 0, 1),
    )  # fmt: skip
    table = Workload(name="one", entries=(WorkloadLayer(name="l", type="conv", shape=shape),))
    network = synthetic_network(table, config, seed=0, weights=False)

    def choose(plan: Any, config: Any) -> Any:
        return random.choice(list(islice(candidates(plan, config), CONSIDERED)))

    program = compile_network(network, config, contents=False, choose=choose)
    (layer,) = program.layers
    if layer.mapping.fir:  # the literal walk knows no weight chains: test_fir_walk has them
        return draw_nest(dut)
    source, target = layer.layer.ifmap, layer.layer.ofmap
    fields = unpack(pack(layer.descriptor))
    place = Placement(
        ifmap=program.addresses[source], ofmap=program.addresses[target],
        filters=fields["filter_address"], ifmap_layout=program.layouts[source],
        ofmap_layout=program.layouts[target], op=Op.ACCUMULATE,
        pad_value=fields["pad_value"], zero_point=fields["zero_point"],
        act_min=fields["act_min"], act_max=fields["act_max"],
    )  # fmt: skip
    return Nest(layer.mapping, layer.plan, place), fields


@cocotb.test(**TIMEOUT)
async def loads_are_those_of_a_literal_walk(handle: Any) -> None:
    """Every ifmap element and filter line comes on chip once it may, in the order of the nest."""
    dut = await Dut.start(handle)
    layout = Segment(dut.config)
    for _ in range(LAYERS):
        nest, fields = draw_nest(dut)
        dut.set_layer(fields)
        await dut.tick()
        dut.set(i_start=1)
        await dut.tick()
        dut.set(i_start=0)
        segments: list[dict[str, Any]] = []
        freed = 0
        while True:
            frees = complete_tiles(segments, nest) > freed and dut.coin(0.1)
            takes = dut.coin(0.7)
            dut.set(o_segment_ready=takes, i_tile_freed=frees)
            await dut.settle()
            if dut.get("o_done"):
                break
            if takes and dut.get("o_segment_valid"):
                word = layout.from_bits(dut.get("o_segment_payload"))
                segments.append({key: word[key] for key in dict(layout)} | {"freed": freed})
            await dut.tick()
            freed += frees
        dut.set(i_tile_freed=0)
        await dut.tick()
        check_segments(segments, nest)


@cocotb.test(**TIMEOUT)
async def blocks_are_those_of_a_literal_walk(handle: Any) -> None:
    """Lines go to their rows in order, none before it is there; each block is as it must be."""
    dut = await Dut.start(handle)
    config = dut.config
    commands, blocks = LineCommand(config), Block(config)
    for _ in range(LAYERS):
        nest, fields = draw_nest(dut)
        dut.set_layer(fields)
        steps = steps_of(nest)
        positions, loads = filter_positions(nest)
        waiting = [
            commands_of(step, lines, nest, offset_bits(config))
            for step, lines in zip(steps, positions, strict=True)
        ]
        sent = [0] * len(steps)

        def see(step: int, loaded: int) -> None:
            command = commands.from_bits(dut.get("o_command"))
            if not command.valid:
                return
            kind, position, ahead = waiting[step][sent[step]]  # noqa: B023
            sent[step] += 1  # noqa: B023
            assert LineKind(command.kind) == kind
            assert command.zero == (position is None)
            if position is not None:
                assert same_place(command.place, position, config)
                assert position < loaded
            if ahead is not None:
                assert command.lane_offset == ahead

        def check(step: int) -> None:
            assert sent[step] == len(waiting[step])  # noqa: B023
            block = blocks.from_bits(dut.get("o_block"))
            wanted = block_of(steps[step], nest)  # noqa: B023
            assert {key: block[key] for key in wanted} == wanted
            if config.reads_weights:
                assert same_place(block.place, positions[step][0], config)  # noqa: B023

        await run_steps(dut, positions, loads, see, check)


@cocotb.test(**TIMEOUT)
async def chunks_are_those_of_a_literal_walk(handle: Any) -> None:
    """Lanes lead to their elements, none before its line is there; each chunk is as it must be."""
    dut = await Dut.start(handle)
    config = dut.config
    lanes, chunks = LaneShift(config), Chunk(config)
    for _ in range(LAYERS):
        nest, fields = draw_nest(dut)
        dut.set_layer(fields)
        steps = steps_of(nest)
        positions, loads = filter_positions(nest)
        moved = [0] * len(steps)

        def see(number: int, loaded: int) -> None:
            lane = lanes.from_bits(dut.get("o_lane"))
            if not lane.valid:
                return
            step, place = steps[number], moved[number]  # noqa: B023
            moved[number] += 1  # noqa: B023
            assert lane.used == (place < len(step.elements))
            if lane.used:
                assert lane.offset == lane_offset(step, place, nest, offset_bits(config))  # noqa: B023
                assert positions[number][place - len(step.elements)] < loaded  # noqa: B023

        def check(number: int) -> None:
            assert moved[number] == config.rows  # noqa: B023
            chunk = chunks.from_bits(dut.get("o_chunk"))
            wanted = chunk_of(steps[number], positions[number], nest)  # noqa: B023
            assert {key: chunk[key] for key in wanted} == wanted

        await run_steps(dut, positions, loads, see, check)


def same_place(shown: Any, position: int, config: AcceleratorConfig) -> bool:
    """Whether a place of the filter buffer is that of a line, counted along the stream."""
    wanted = filter_place(position, config)
    return {key: shown[key] for key in wanted} == wanted


def offset_bits(config: AcceleratorConfig) -> int:
    """Width of a lane's offset."""
    return max(1, ceil_log2(config.ifmap_depth))


async def run_steps(
    dut: Dut,
    positions: list[list[int]],
    loads: int,
    see: Callable[[int, int], None],
    check: Callable[[int], None],
) -> None:
    """Start the steps of a layer at random, beside a filter buffer that fills at random.

    Parameters
    ----------
    dut : Dut
        The walker, its layer set.
    positions, loads
        As `filter_positions` gives them.
    see : callable
        Called in each cycle with the step that is set up and the lines on chip.
    check : callable
        Called with the step that waits for its start.
    """
    await dut.tick()
    dut.set(i_begin=1, i_loaded=0)
    await dut.tick()
    dut.set(i_begin=0)
    loaded = started = 0
    counted = 1 << len(dut.handle.i_loaded)
    fill, go = dut.random.choice([0.3, 0.8]), dut.random.choice([0.2, 0.9])
    # Of the lines that this and later steps need, the oldest: the ring keeps it.
    oldest = list(accumulate((min(lines) for lines in reversed(positions)), min))[::-1]
    while True:
        await dut.settle()
        if dut.get("o_done"):
            break
        full = bool(dut.get("o_full"))
        start = full and dut.coin(go)
        dut.set(i_start=start)
        await dut.settle()
        if full:
            check(started)
        started += start
        if started < len(positions):
            see(started, loaded)
        await dut.tick()
        kept = oldest[started] if started < len(positions) else loads
        room = loaded < loads and loaded - kept < dut.config.filter_lines
        loaded += room and dut.coin(fill)
        dut.set(i_loaded=loaded % counted)
    dut.set(i_start=0)
    await dut.tick()
    assert (started, loaded) == (len(positions), loads)

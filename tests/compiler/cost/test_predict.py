"""Replayed cycles, and all counters together, against the RTL's counters."""

import operator
import pkgutil
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings

from stillflow.compiler.cost.load import Loader
from stillflow.compiler.cost.passes import pass_times
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.config import Dataflow
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import EDGE8, EDGE16, TINY
from stillflow.hw.timing import ENTRY_DELAY
from stillflow.sim.engine.settings import DramTiming
from tests.compiler.cost.devices import (
    counted,
    draw_program,
    draw_timing,
    predicted,
    program_with,
    seeds,
)
from tests.networks import CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=15)
@given(random=seeds)
def test_every_figure_equals_the_hardwares_with_any_memory(name, random):
    config = CONFIGS[name]
    program = draw_program(random, config, layers=random.choice([1, 1, 2, 4]))
    timing = draw_timing(random, config)
    assert predicted(program, timing) == counted(program, timing)


@settings(max_examples=10)
@given(random=seeds)
def test_single_beats_and_few_reads_in_flight_are_replayed_exactly(random):
    config = replace(TINY, name="single", max_burst_beats=1, outstanding_reads=2)
    program = draw_program(random, config)
    timing = draw_timing(random, config)
    assert predicted(program, timing) == counted(program, timing)


@pytest.mark.parametrize("flow", Dataflow)
@pytest.mark.parametrize(
    ("config", "latency"), [(EDGE16, 40), (EDGE16, 400), (EDGE8, 7), (replace(EDGE8, cols=24), 1)]
)
def test_a_steady_filter_stream_is_the_same_segment_by_segment(config, latency, flow, monkeypatch):
    config = replace(config, dataflow=flow, requant_lanes=8)
    jumps = []
    keeps_pace = Loader._keeps_pace

    def noted(self, count, beats, moves):
        jumps.append(keeps_pace(self, count, beats, moves))
        return jumps[-1]

    entries = (
        WorkloadLayer(name="a", type="fc", shape=ConvShape(C=1100, M=350)),
        WorkloadLayer(name="b", type="fc", shape=ConvShape(N=2, C=24, H=5, W=5, R=5, S=5, M=90)),
        WorkloadLayer(name="c", type="conv", shape=ConvShape(C=512, M=64, H=3, W=3, R=3, S=3)),
    )
    network = synthetic_network(Workload(name="fc", entries=entries), config, seed=0, weights=False)
    program = compile_network(network, config, contents=False)
    timing = DramTiming(latency=latency, bytes_per_cycle=config.axi_bytes)
    monkeypatch.setattr(Loader, "_keeps_pace", noted)
    at_once = predicted(program, timing)
    monkeypatch.setattr(Loader, "_keeps_pace", lambda self, count, beats, moves: False)
    assert predicted(program, timing) == at_once
    # Row stationary, a pass takes longer than its lines.
    assert latency != 40 or any(jumps) or config.has_pe_sets


def full_buffers():
    """Layers that wait for room: for ofmap entries, for the only slot of the ifmap buffer."""
    shape = ConvShape(C=4, M=16, H=11, W=11)
    yield program_with(shape, TINY, operator.attrgetter("tile_pixels"))
    shape = ConvShape(C=16, M=4, H=30, W=12, R=3, S=3)
    key = operator.attrgetter("filter_resident", "slot_size")
    yield program_with(shape, TINY, key)


@pytest.mark.parametrize(
    ("module", "delay"),
    [
        ("compute", "GROUP_DELAY"),
        ("compute", "ENTRY_DELAY"),
        ("compute", "POST_CYCLES"),
        ("load", "SLOT_DELAY"),
        ("replay", "FETCH_DELAY"),
        ("replay", "BEGIN_DELAY"),
    ],
)
def test_one_cycle_more_in_a_delay_is_noticed(module, delay, monkeypatch):
    right = [(program, counted(program, DramTiming())) for program in full_buffers()]
    assert [predicted(program, DramTiming()) for program, _ in right] == [f for _, f in right]
    place = f"stillflow.compiler.cost.{module}.{delay}"
    monkeypatch.setattr(place, pkgutil.resolve_name(place) + 1)
    assert [predicted(program, DramTiming()) for program, _ in right] != [f for _, f in right]


@pytest.mark.parametrize(
    ("module", "delay"),
    [
        ("sets", "POST_CYCLES"),
        ("passes", "LOAD_LATENCY"),
        ("passes", "LEAST_STEP"),
    ],
)
def test_one_cycle_more_in_a_pass_is_noticed(module, delay, monkeypatch):
    config = CONFIGS["tiny_rs"]
    right = []
    for shape in (ConvShape(C=4, M=1, H=9, W=9, R=3, S=3), ConvShape(C=9, M=20, H=5, W=5)):
        program = program_with(shape, config, operator.attrgetter("tile_pixels"))
        right.append((program, counted(program, DramTiming())))
    assert [predicted(program, DramTiming()) for program, _ in right] == [f for _, f in right]
    place = f"stillflow.compiler.cost.{module}.{delay}"
    monkeypatch.setattr(place, pkgutil.resolve_name(place) + 1)
    pass_times.cache_clear()
    assert [predicted(program, DramTiming()) for program, _ in right] != [f for _, f in right]
    pass_times.cache_clear()


def test_weights_that_follow_those_of_the_pass_before_are_timed(monkeypatch):
    config = CONFIGS["odd_rs"]
    shape = ConvShape(C=12, M=20, H=6, W=6, R=3, S=3)
    program = program_with(shape, config, operator.attrgetter("pe_set.weights"))
    pe_set = program.layers[0].mapping.pe_set
    assert pe_set is not None
    assert pe_set.weights > config.filter_spad // 2
    right = counted(program, DramTiming())
    assert predicted(program, DramTiming()) == right
    place = "stillflow.compiler.cost.sets.weight_delay"
    monkeypatch.setattr(place, lambda config: config.rows + 1)
    assert predicted(program, DramTiming()) != right


def strips_in_a_full_buffer(width, filters):
    """Compile a row-stationary tile of more strips than the ofmap buffer holds."""
    config = CONFIGS["tiny_rs"]
    shape = ConvShape(C=4, M=filters, H=40, W=width)
    program = program_with(shape, config, operator.attrgetter("strip_vectors", "pe"))
    mapping = program.layers[0].mapping
    assert mapping.strips_of(mapping.pe) > 1
    assert mapping.tile_vectors > config.ofmap_depth
    return program


@pytest.mark.parametrize("bytes_per_cycle", [1, 3, None])
@pytest.mark.parametrize(("width", "filters"), [(30, 4), (1, 16)])
def test_strips_that_wait_for_room_are_timed(width, filters, bytes_per_cycle):
    program, timing = (
        strips_in_a_full_buffer(width, filters), DramTiming(bytes_per_cycle=bytes_per_cycle)
    )  # fmt: skip
    assert predicted(program, timing) == counted(program, timing)


def test_a_strip_that_finds_room_one_cycle_later_is_noticed(monkeypatch):
    program, timing = strips_in_a_full_buffer(30, 4), DramTiming(bytes_per_cycle=1)
    right = predicted(program, timing)
    monkeypatch.setattr("stillflow.compiler.cost.compute.ENTRY_DELAY", ENTRY_DELAY + 1)
    assert predicted(program, timing) != right


def test_cycles_follow_the_memory():
    config = CONFIGS["tiny"]
    program = draw_program(Random(3), config)
    timing = draw_timing(Random(3), config)
    cycles = [
        predicted(program, replace(timing, latency=latency))[0][Counter.CYCLES]
        for latency in (1, 40, 200)
    ]
    assert cycles == sorted(set(cycles))

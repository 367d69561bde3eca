"""Accelerators with narrow control and without a finisher: the same bits in the same cycles."""

from dataclasses import replace
from functools import cache, partial
from random import Random

import pytest

from stillflow.boards.engines import cache_folder, verilog_files
from stillflow.compiler.cost.predict import predict
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network
from stillflow.compiler.mapper import candidates
from stillflow.compiler.models import DIGITS
from stillflow.compiler.program import compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.presets import TINY
from stillflow.sim.engine.library import build
from stillflow.sim.engine.settings import DramTiming
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.execute import execute
from tests.networks import draw_network, draw_words

NARROW = replace(
    TINY, address_bits=18, count_bits=9, counter_bits=24, depthwise_chains=False, finisher=False
)
TIMING = DramTiming(latency=40, bytes_per_cycle=4)


@cache
def library(config):
    """Build quickly what runs for a second."""
    files = verilog_files(config)
    return build(files, cache_folder(), axi_data_bits=config.axi_data_bits, quick=True)


def networks(config):
    digits = load_network(DIGITS)
    yield digits, draw_words(Random(1), digits)
    for seed in range(6):
        network = draw_network(Random(seed), config, layers=2, finishing=0.0)
        yield network, draw_words(Random(seed), network)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataflow", "chains"),
    [*((flow, False) for flow in Dataflow), (Dataflow.WEIGHT_STATIONARY, True)],
)
def test_the_narrowest_counts_hold_any_nest(dataflow, chains, need_simulator):
    """Hundreds of small tiles wait on chip: more than such a count can tell apart."""
    need_simulator("verilator")
    wide = replace(NARROW, dataflow=dataflow, depthwise_chains=chains, count_bits=16)
    config = replace(wide, count_bits=wide.psum_depth.bit_length())
    for seed in range(40):
        random = Random(seed)
        network = draw_network(random, config, layers=1, finishing=0.0)
        program = compile_network(network, config, choose=partial(choose, random))
        check(config, network, program, draw_words(random, network))


def choose(random, plan, config):
    return random.choice(list(candidates(plan, config)))


def check(config, network, program, words):
    """Compare bits with the golden model, counters with the cost model."""
    with VerilatorEngine(
        library(config), axi_data_bits=config.axi_data_bits, timing=TIMING,
        memory_bytes=program.size,
    ) as engine:  # fmt: skip
        driver = Driver(engine)
        driver.load(program)
        outcome = execute(driver, program, words)
    for layer in network.layers:
        assert outcome.mismatches(layer.ofmap) == 0, layer.name
    predicted = predict(
        config, [(layer.mapping, layer.descriptor) for layer in program.layers],
        program_address=program.program_address, record_address=program.record_address,
        latency=TIMING.latency, bytes_per_cycle=TIMING.bytes_per_cycle,
    )  # fmt: skip
    assert outcome.counters is not None
    for layer, found, expected in zip(network.layers, outcome.counters, predicted, strict=True):
        assert found == expected, layer.name


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", Dataflow)
@pytest.mark.parametrize(
    "serial",
    [False, pytest.param(True, marks=pytest.mark.nightly)],
    ids=["parallel", "serial"],
)
def test_narrow_control_gives_the_same(dataflow, serial, need_simulator):
    need_simulator("verilator")
    config = replace(NARROW, dataflow=dataflow, requant_serial=serial)
    for network, words in networks(config):
        check(config, network, compile_network(network, config), words)


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", Dataflow)
@pytest.mark.parametrize(
    "key", [pytest.param("axi_slices", marks=pytest.mark.nightly), "operand_registers"]
)
def test_registers_for_the_clock_are_predicted_and_change_no_bit(dataflow, key, need_simulator):
    need_simulator("verilator")
    config = replace(TINY, dataflow=dataflow, **{key: True})
    for network, words in networks(config):
        check(config, network, compile_network(network, config), words)

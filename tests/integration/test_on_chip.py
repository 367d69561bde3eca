"""Tensors in the activation memory: no DRAM traffic, the same bits, what the cost model says."""

from dataclasses import replace
from random import Random

import pytest

from stillflow.compiler.driver import DeviceError, Driver
from stillflow.compiler.lower import pack
from stillflow.compiler.program import compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.csr import Counter
from stillflow.hw.descriptor import BYTES
from stillflow.hw.presets import TINY
from stillflow.sim.engine.settings import DramTiming, Stalls
from stillflow.sim.execute import execute, execute_layers
from tests.integration.test_layers import check, compile_with_any_nests, device
from tests.networks import WIDE, draw_network, draw_words

TIMING = DramTiming(latency=40, bytes_per_cycle=4)
CONFIGS = {
    **{flow.value: replace(TINY, dataflow=flow, activation_kib=4) for flow in Dataflow},
    "wide": replace(WIDE, activation_kib=3, axi_slices=True),
}
DRAM = (Counter.DRAM_READ_BYTES, Counter.DRAM_WRITE_BYTES)


def drawn(random, config):
    """Draw a network of which something stays on chip."""
    while True:
        network = draw_network(random, config, layers=4)
        program = compile_network(network, config, contents=False)
        if program.copies:
            return network


def case(seed):
    """Draw, from a seed, a program for the weight-stationary configuration and its words."""
    random = Random(seed)
    network = drawn(random, CONFIGS["ws"])
    return compile_network(network, CONFIGS["ws"]), draw_words(random, network)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_tensors_on_chip_change_no_bit_and_cost_what_is_predicted(name):
    config = CONFIGS[name]
    for seed in range(8):
        random = Random(seed)
        network = drawn(random, config)
        words = draw_words(random, network)
        check(compile_network(network, config), words)
        check(compile_with_any_nests(random, network, config), words)
        stalls = Stalls(seed=seed, ar=0.3, aw=0.3, w=0.3, r=0.3, b=0.3)
        check(compile_network(network, config), words, stalls=stalls)


@pytest.mark.slow
def test_on_chip_saves_the_bytes_that_the_tensors_have():
    program, words = case(1)
    outside = compile_network(program.network, replace(program.config, activation_kib=0))
    kept, moved = (
        sum(layer[counter] for layer in check(made, words) for counter in DRAM)
        for made in (program, outside)
    )
    least = sum(program.layouts[name].bytes for name in program.copies)  # each is written
    assert moved - kept >= least > 0


@pytest.mark.slow
def test_a_layer_costs_the_same_alone():
    program, words = case(2)
    network = program.network
    whole = check(program, words)
    alone = execute_layers(lambda: device(program, timing=TIMING), program, words, jobs=2)
    assert alone.counters is not None
    for layer in network.layers:
        assert alone.mismatches(layer.ofmap) == 0
    # The last layer's counters of a whole run have what follows it, too.
    for layer, one, other in zip(network.layers, whole[:-1], alone.counters, strict=False):
        assert one == other or layer is network.layers[-1], layer.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "code"), [("ifmap_address", "READ_DECERR"), ("ofmap_address", "WRITE_DECERR")]
)
def test_addresses_behind_the_memory_are_errors(field, code):
    program, words = case(3)
    config, network = program.config, program.network
    index = len(program.layers) - 1
    end = config.activation_base + config.activation_kib * 1024
    bad = program.layers[index].descriptor | {field: end - config.axi_bytes}
    with device(program, timing=TIMING) as engine:
        driver = Driver(engine)
        driver.load(program)
        engine.write_memory(program.program_address + BYTES * index, pack(bad))
        with pytest.raises(DeviceError, match=f"{code} at 0x8000") as caught:
            driver.run(program, layers=range(index, index + 1))
        assert int(str(caught.value)[-8:], 16) >= end
        driver.load(program)
        outcome = execute(driver, program, words)
    assert all(outcome.mismatches(layer.ofmap) == 0 for layer in network.layers)

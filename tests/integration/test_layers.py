"""Random layers and networks, end to end: compiled, run on the RTL, every word as the golden's."""

from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.boards.engines import cache_folder, verilog_files
from stillflow.compiler.driver import DeviceError, Driver
from stillflow.compiler.frontend import dequantize, load_network, quantize
from stillflow.compiler.graph import ConvLayer, Tensor
from stillflow.compiler.mapper import MappingError, candidates
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.compiler.objective import MINIMISED, Objective
from stillflow.compiler.program import compile_network
from stillflow.compiler.report import predict_program
from stillflow.hw.csr import Counter
from stillflow.hw.descriptor import BYTES
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import PRESETS, TINY
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.library import build
from stillflow.sim.engine.pysim import PysimEngine
from stillflow.sim.engine.settings import DramTiming, Stalls
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.execute import execute
from stillflow.sim.oracle import Oracle
from tests.networks import CONFIGS, draw_network, draw_words, in_window_tiles, network_of

seeds = st.integers(0, 2**32 - 1).map(Random)  # Hypothesis itself hardly leaves simple layers


# -- devices -------------------------------------------------------------------------------------


@cache
def library(config):
    """Build what others use as well, or quickly: to compile takes longer than to run."""
    quick = config not in PRESETS.values()
    files = verilog_files(config)
    return build(files, cache_folder(), axi_data_bits=config.axi_data_bits, quick=quick)


def device(program, *, timing=None, stalls=None):
    """Open a simulated device with room for a program."""
    config = program.config
    return VerilatorEngine(
        library(config), axi_data_bits=config.axi_data_bits, timing=timing or DramTiming(),
        memory_bytes=program.size, stalls=stalls,
    )  # fmt: skip


def check(program, words, *, stalls=None):
    """Hold every tensor to the golden model and, without stalls, counters to the cost model."""
    timing = DramTiming(latency=40, bytes_per_cycle=program.config.axi_bytes)
    with device(program, timing=timing, stalls=stalls) as engine:
        driver = Driver(engine)
        driver.load(program)
        outcome = execute(driver, program, words)
        assert outcome.counters is not None
    for layer in program.network.layers:
        assert outcome.mismatches(layer.ofmap) == 0, layer.name
    if stalls is None:
        predicted = predict_program(program, latency=40, bytes_per_cycle=program.config.axi_bytes)
        for layer, found, expected in zip(program.layers, outcome.counters, predicted, strict=True):
            assert found == expected, layer.layer.name
    return outcome.counters


def compile_with_any_nests(random, network, config):
    """Compile with nests that the mapper considers, each kind as often, instead of the best."""

    def choose(plan, config):
        kinds = {}
        for m in candidates(plan, config):
            kind = m.m_outer, m.filter_resident, m.c_count > 1, m.slots > 1, m.pixel_tiles > 1
            kinds.setdefault(kind, []).append(m)
        if not kinds:
            raise MappingError
        nest = random.choice(kinds[random.choice(sorted(kinds))])
        return in_window_tiles(random, nest) if random.random() < 0.4 else nest

    return compile_network(network, config, choose=choose)


def run(engine, program, words):
    """Load and run a program; the counters must be those seen at the memory's port."""
    driver = Driver(engine)
    driver.load(program)
    outcome = execute(driver, program, words)
    assert [layer[Counter.LAYERS] for layer in outcome.counters or ()] == [1] * len(program.layers)
    read, written = (
        total(outcome, counter) for counter in (Counter.DRAM_READ_BYTES, Counter.DRAM_WRITE_BYTES)
    )
    assert read == engine.traffic.read_beats * engine.axi_bytes
    assert written == engine.traffic.write_beats * engine.axi_bytes
    return outcome


def total(outcome, counter):
    return sum(layer[counter] for layer in outcome.counters)


def assert_exact(outcome):
    for name, words in outcome.tensors.items():
        np.testing.assert_array_equal(words, outcome.golden[name], err_msg=name)


@cache
def conv_job():
    """Run one job of several tiles that keeps every block busy: program, words, outcome."""
    random = Random(5)
    source = Tensor(name="t0", shape=(1, 5, 9, 8), dtype="uint8", scale=1.0, zero_point=77)
    target = Tensor(name="t1", shape=(1, 10, 5, 8), dtype="int8", scale=1.0, zero_point=-9)
    shape = ConvShape(C=5, H=9, W=8, M=10, R=3, S=3, stride=(2, 1), pad=(1, 1, 1, 1))
    rng = np.random.default_rng(5)
    layer = ConvLayer(
        name="conv", op="conv", shape=shape, ifmap="t0", ofmap="t1",
        filters=rng.integers(-128, 127, (10, 5, 3, 3), endpoint=True).astype(np.int8),
        bias=rng.integers(-5000, 5000, 10), scale=rng.uniform(3e-4, 9e-4, 10).astype("f"),
        act_min=-128, act_max=127,
    )  # fmt: skip
    network = network_of([source, target], [layer])
    program = compile_network(network, TINY)
    words = draw_words(random, network)
    with device(program) as engine:
        outcome = run(engine, program, words)
    assert_exact(outcome)
    return program, words, outcome


# -- tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=30)
@given(random=seeds)
def test_a_random_layer_is_exact(name, random):
    network = draw_network(random, CONFIGS[name])
    program = compile_network(
        network, CONFIGS[name], objective=Objective(minimise=random.choice(MINIMISED))
    )
    with device(program) as engine:
        assert_exact(run(engine, program, draw_words(random, network)))


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=20)
@given(random=seeds)
def test_any_nest_of_a_layer_is_exact(name, random):
    network = draw_network(random, CONFIGS[name])
    program = compile_with_any_nests(random, network, CONFIGS[name])
    with device(program) as engine:
        assert_exact(run(engine, program, draw_words(random, network)))


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=8)
@given(random=seeds)
def test_a_random_network_is_exact_from_one_doorbell(name, random):
    network = draw_network(random, CONFIGS[name], layers=random.randint(2, 5))
    program = compile_network(network, CONFIGS[name])
    with device(program) as engine:
        assert_exact(run(engine, program, draw_words(random, network)))


@settings(max_examples=10)
@given(random=seeds)
def test_timing_of_the_memory_changes_no_bit(random):
    program, words, expected = conv_job()
    timing = DramTiming(
        latency=random.choice([1, 2, random.randint(3, 40), random.randint(40, 200), 200]),
        bytes_per_cycle=random.choice([None, 1, 2, 3, 4, 64]),
    )
    chances = {
        channel: random.choice([0.0, 0.1, 0.5, 0.9]) for channel in ["ar", "aw", "w", "r", "b"]
    }
    stalls = random.choice([None, Stalls(seed=random.getrandbits(32), **chances)])
    with device(program, timing=timing, stalls=stalls) as engine:
        driver = Driver(engine)
        driver.load(program)
        driver.write_tensor(program, "t0", words["t0"])
        counters = driver.run(program)
        np.testing.assert_array_equal(driver.read_tensor(program, "t1"), expected.golden["t1"])
    # What is moved and computed does not depend on when; only cycles do.
    for counter in set(Counter) - {Counter.CYCLES}:
        assert counters.total[counter] == total(expected, counter), counter.name
    # No layer's events are taken for another's, however late its record leaves.
    for counter in Counter:
        in_layers = sum(layer[counter] for layer in counters.layers)
        assert in_layers == counters.total[counter], counter.name


def test_a_slower_memory_takes_longer():
    program, words, _ = conv_job()
    cycles = []
    for latency in (1, 40, 200):
        with device(program, timing=DramTiming(latency=latency)) as engine:
            cycles.append(total(run(engine, program, words), Counter.CYCLES))
    assert cycles == sorted(set(cycles))


def test_pysim_and_verilator_agree_in_every_cycle():
    network = draw_network(Random(3), TINY)
    shape = network.layers[0].shape
    assert shape.N * shape.E * shape.F < 100
    program = compile_network(network, TINY)
    words = draw_words(Random(3), network)
    timing, stalls = DramTiming(latency=9, bytes_per_cycle=3), Stalls(seed=4)
    slow = PysimEngine(Accelerator(TINY), timing=timing, memory_bytes=program.size, stalls=stalls)
    outcomes, traffics = [], []
    for engine in (slow, device(program, timing=timing, stalls=stalls)):
        with engine:
            outcomes.append(run(engine, program, words))
            traffics.append(engine.traffic)
    assert_exact(outcomes[0])
    assert outcomes[0].counters == outcomes[1].counters
    assert traffics[0] == traffics[1]


@pytest.mark.parametrize("name", ["tiny", "edge8"])
def test_the_digits_network_equals_onnx_runtime(name):
    network = load_network(DIGITS)
    program = compile_network(network, CONFIGS[name])
    oracle = Oracle(DIGITS, network)
    (entry,), (scores,) = network.inputs, network.outputs
    images, labels = load_digits()
    right = 0
    with device(program) as engine:
        driver = Driver(engine)
        driver.load(program)
        for image, label in zip(images[:3, None], labels, strict=False):
            words = quantize(entry, network.tensors[entry.tensor], image)
            outcome = execute(driver, program, {entry.tensor: words})
            assert_exact(outcome)
            expected = oracle.run_whole({entry.name: image})
            compared = [layer.ofmap for layer in network.layers if layer.ofmap in expected]
            assert len(compared) >= len(network.layers) - 1
            for tensor in compared:
                np.testing.assert_array_equal(outcome.tensors[tensor], expected[tensor])
            given_ = dequantize(scores, network.tensors[scores.tensor],
                                outcome.tensors[scores.tensor])  # fmt: skip
            np.testing.assert_array_equal(given_, expected[scores.name])
            right += int(given_.argmax() == label)
    assert right == 3


def flip(engine, address, bit):
    (byte,) = engine.read_memory(address, 1)
    engine.write_memory(address, bytes([byte ^ 1 << bit]))


def test_one_flipped_weight_bit_is_seen():
    program, words, _ = conv_job()
    with device(program) as engine:
        driver = Driver(engine)
        driver.load(program)
        # The first filter line holds weights of the first chunk.
        address = program.layers[0].descriptor["filter_address"]
        flip(engine, address, 6)
        assert execute(driver, program, words).mismatches("t1") > 0
        flip(engine, address, 6)
        assert execute(driver, program, words).mismatches("t1") == 0


@pytest.mark.parametrize("bit", [0, 9, 8 * BYTES - 1, 777])
def test_a_flipped_descriptor_bit_is_refused_and_the_next_job_is_exact(bit):
    program, words, _ = conv_job()
    with device(program) as engine:
        driver = Driver(engine)
        driver.load(program)
        flip(engine, program.program_address + bit // 8, bit % 8)
        with pytest.raises(DeviceError, match=r"^layer conv failed: DESCRIPTOR at 0x00000000$"):
            execute(driver, program, words)
        flip(engine, program.program_address + bit // 8, bit % 8)
        assert_exact(execute(driver, program, words))


def test_a_refused_burst_of_any_kind_is_named_and_the_next_job_is_exact():
    program, words, _ = conv_job()
    with device(program) as engine:
        run(engine, program, words)
        traffic = engine.traffic
        # Descriptor, ifmap or filter; first record, ofmap, the last layer's record.
        bursts = [("r", 0, "READ"), ("r", traffic.read_beats - 1, "READ"), ("w", 0, "WRITE"),
                  ("w", traffic.write_bursts // 2, "WRITE"),
                  ("w", traffic.write_bursts - 1, "WRITE")]  # fmt: skip
        for channel, index, verb in bursts:
            engine.reset()
            engine.inject("slverr", channel, index)
            refused = rf"^layer conv failed: {verb}_SLVERR at 0x[0-9a-f]{{8}}$"
            with pytest.raises(DeviceError, match=refused):
                execute(Driver(engine), program, words)
            assert_exact(execute(Driver(engine), program, words))

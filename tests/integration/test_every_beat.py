"""A small layer, every beat of which is refused once, or never answered; then it runs exactly."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stillflow.compiler.driver import DeviceError, Driver
from stillflow.compiler.graph import ConvLayer, Tensor
from stillflow.compiler.program import compile_network
from stillflow.hw.csr import OFFSETS, RECORD_BYTES
from stillflow.hw.descriptor import BYTES
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import TINY
from stillflow.sim.engine.settings import Stalls
from stillflow.sim.execute import execute
from tests.integration.test_layers import assert_exact, device
from tests.networks import TINY_NLR, TINY_OS, TINY_RS, network_of

WATCHDOG_CYCLES = 300
CONFIGS = [TINY, TINY_OS, TINY_NLR, TINY_RS, replace(TINY, name="tiny_sliced", axi_slices=True)]
FAILURE = re.compile(r"^layer conv failed: (\w+) at 0x([0-9a-f]{8})$")


def small_job(config):
    """Compile one convolution; give its words, too."""
    rng = np.random.default_rng(3)
    source = Tensor(name="t0", shape=(1, 5, 4, 3), dtype="uint8", scale=1.0, zero_point=90)
    target = Tensor(name="t1", shape=(1, 6, 4, 3), dtype="int8", scale=1.0, zero_point=4)
    layer = ConvLayer(
        name="conv", op="conv",
        shape=ConvShape(C=5, H=4, W=3, M=6, R=2, S=2, pad=(1, 0, 0, 1)),
        ifmap="t0", ofmap="t1",
        filters=rng.integers(-128, 127, (6, 5, 2, 2), endpoint=True).astype(np.int8),
        bias=rng.integers(-5000, 5000, 6), scale=rng.uniform(4e-4, 9e-4, 6).astype("f"),
        act_min=-128, act_max=127,
    )  # fmt: skip
    network = network_of([source, target], [layer], inputs=False)
    return compile_network(network, config), {
        "t0": rng.integers(0, 255, source.shape, endpoint=True).astype(np.uint8)
    }


def fails(engine, program, words):
    """Run the job, which must fail: its code and address."""
    with pytest.raises(DeviceError) as caught:
        execute(Driver(engine), program, words)
    match = FAILURE.match(str(caught.value))
    assert match, caught.value
    return match[1], int(match[2], 16)


def read_addresses(program):
    """Beats of all that the job reads."""
    descriptor, mapping = program.layers[0].descriptor, program.layers[0].mapping
    beat = program.config.axi_bytes
    regions = [
        (program.program_address, BYTES),
        (descriptor["filter_address"], mapping.filter_lines * program.config.filter_line_bytes),
        (program.addresses["t0"], program.layouts["t0"].bytes),
    ]
    return {place for first, size in regions for place in range(first, first + size, beat)}


def write_bursts(program):
    """Whether a burst at an address lies in what the job writes."""
    regions = [
        (program.record_address, 2 * RECORD_BYTES),
        (program.addresses["t1"], program.layouts["t1"].bytes),
    ]
    return lambda address: any(first <= address < first + size for first, size in regions)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("stalled", [False, True])
def test_every_beat_may_be_refused(config, stalled):
    program, words = small_job(config)
    stalls = Stalls(seed=1, ar=0.3, aw=0.3, w=0.3, r=0.3, b=0.3) if stalled else None
    with device(program, stalls=stalls) as engine:
        Driver(engine).load(program)
        assert_exact(execute(Driver(engine), program, words))
        traffic = engine.traffic
        found = set()
        for index in range(traffic.read_beats):
            kind = ("slverr", "decerr")[index % 2]
            engine.reset()
            engine.inject(kind, "r", index)
            code, address = fails(engine, program, words)
            assert code == f"READ_{kind.upper()}"
            found.add(address)
            assert_exact(execute(Driver(engine), program, words))
        assert found == read_addresses(program)
        is_written = write_bursts(program)
        for index in range(traffic.write_bursts):
            kind = ("decerr", "slverr")[index % 2]
            engine.reset()
            engine.inject(kind, "w", index)
            code, address = fails(engine, program, words)
            assert code == f"WRITE_{kind.upper()}"
            assert is_written(address)
            assert_exact(execute(Driver(engine), program, words))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("one_in", [8, pytest.param(1, marks=pytest.mark.nightly)])
def test_every_beat_may_stay_away_for_ever(config, one_in):
    """Each takes 2^16 cycles: CI tries some, others in each run."""
    program, words = small_job(config)
    first = int(np.random.default_rng().integers(one_in))
    print(f"from {first} on")
    with device(program) as engine:
        Driver(engine).load(program)
        assert_exact(execute(Driver(engine), program, words))
        traffic, burst = engine.traffic, config.max_burst_beats * config.axi_bytes
        places = [("r", i) for i in range(traffic.read_beats)]
        places += [("w", i) for i in range(traffic.write_bursts)]
        for channel, index in places[first::one_in]:
            engine.reset()
            engine.write_csr(OFFSETS["WATCHDOG"], WATCHDOG_CYCLES)
            engine.inject("silent", channel, index)
            code, address = fails(engine, program, words)
            assert code == "WATCHDOG"
            # The last record is written when the layer counts as done.
            last = channel == "w" and index >= traffic.write_bursts - RECORD_BYTES // burst
            assert address == program.program_address + BYTES * last
            engine.clear_faults()
            # What was missing comes now; then the core is free again, without a reset.
            for _ in range(1000):
                if not engine.read_csr(OFFSETS["STATUS"]) & 1:
                    break
            assert_exact(execute(Driver(engine), program, words))

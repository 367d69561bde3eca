"""Programs on the RTL, for the tests of the cost model."""

from functools import cache
from random import Random

from hypothesis import strategies as st

from stillflow.boards.engines import cache_folder, verilog_files
from stillflow.compiler.cost.predict import predict
from stillflow.compiler.driver import Driver
from stillflow.compiler.mapper import candidates
from stillflow.compiler.program import compile_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.csr import Counter
from stillflow.sim.engine.library import build
from stillflow.sim.engine.settings import DramTiming
from stillflow.sim.engine.verilator import VerilatorEngine
from tests.networks import draw_network, in_window_tiles

SETTLED = 10_000  # cycles beyond the layers': the start, the last record
seeds = st.integers(0, 2**32 - 1).map(Random)  # Hypothesis itself hardly leaves simple layers


@cache
def library(config):
    return build(verilog_files(config), cache_folder(), axi_data_bits=config.axi_data_bits)


def predicted(program, timing):
    """Counters of each layer by the cost model."""
    return predict(
        program.config, nests(program), program_address=program.program_address,
        record_address=program.record_address, latency=timing.latency,
        bytes_per_cycle=timing.bytes_per_cycle,
    )  # fmt: skip


def counted(program, timing=None):
    """Counters of each layer on the RTL; what the tensors hold does not matter.

    The job may take a tenth longer than predicted, so one that hangs ends soon.
    """
    config = program.config
    timing = timing or DramTiming()
    foreseen = sum(layer[Counter.CYCLES] for layer in predicted(program, timing))
    with VerilatorEngine(
        library(config), axi_data_bits=config.axi_data_bits, timing=timing,
        memory_bytes=program.size,
    ) as engine:  # fmt: skip
        driver = Driver(engine)
        driver.load(program)
        return driver.run(program, max_cycles=foreseen * 11 // 10 + SETTLED).layers


def draw_program(random, config, layers=1):
    """Draw layers with the mapper's nests or with any others that fit."""

    def choose(plan, config):
        nest = random.choice(list(candidates(plan, config)))
        return in_window_tiles(random, nest) if random.random() < 0.5 else nest

    network = draw_network(random, config, layers)
    return compile_network(network, config, choose=choose if random.random() < 0.7 else None)


def program_with(shape, config, prefers):
    """Compile a convolution with the nest that a key prefers."""

    def choose(plan, config):
        return max(candidates(plan, config), key=prefers)

    table = Workload(name="one", entries=(WorkloadLayer(name="conv", type="conv", shape=shape),))
    return compile_network(synthetic_network(table, config, seed=0), config, choose=choose)


def draw_timing(random, config):
    beat = config.axi_bytes
    return DramTiming(
        latency=random.choice([1, 2, 5, 40, 40, 200]),
        bytes_per_cycle=random.choice([None, None, beat // 2, beat - 1, beat + 1, 2 * beat]),
    )


def nests(program):
    return [(layer.mapping, layer.descriptor) for layer in program.layers]

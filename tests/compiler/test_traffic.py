from random import Random

import pytest

from stillflow.compiler.cost.counters import predict_counters
from stillflow.compiler.estimate import cost, least_cost
from stillflow.compiler.objective import MINIMISED, Objective
from stillflow.compiler.program import compile_network
from stillflow.compiler.set_mapper import set_nests, smallest_with_sets
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.traffic import traffic
from stillflow.compiler.work import plan_layer
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import EYERISS
from stillflow.hw.tensor import blocked
from tests.networks import ODD_RS, TINY_RS


def draw_work(random, config):
    side = random.randint(3, 40)
    shape = ConvShape(
        C=random.randint(1, 40), M=random.randint(1, 60), H=side, W=side,
        R=random.choice([1, 3]), S=random.choice([1, 3]), stride=random.choice([(1, 1), (2, 2)]),
    )  # fmt: skip
    layout = blocked(1, shape.C, side, side, block=1, element_bytes=config.act_bytes)
    return plan_layer(shape, layout, config).work


@pytest.mark.parametrize("minimise", MINIMISED)
@pytest.mark.parametrize("config", [TINY_RS, ODD_RS, EYERISS], ids=lambda config: config.name)
def test_no_nest_costs_less_than_the_bound_of_its_tiles(config, minimise):
    random, objective = Random(7), Objective(minimise=minimise)
    seen = 0
    for _ in range(12):
        work = draw_work(random, config)
        tiles = list(smallest_with_sets(work, config))
        for smallest in random.sample(tiles, min(20, len(tiles))):
            bound = least_cost(smallest, objective)
            for nest in set_nests(smallest):
                seen += 1
                assert bound[0] <= cost(nest, objective)[0]
    assert seen > 200


@pytest.mark.parametrize("width", [13, 14, 19, 27, 56, 61])
def test_beats_that_rows_do_not_fill_are_counted_on_average(width):
    shape = ConvShape(C=24, M=32, H=20, W=width)
    table = Workload(name="one", entries=(WorkloadLayer(name="a", type="conv", shape=shape),))
    network = synthetic_network(table, EYERISS, seed=0, weights=False)
    program = compile_network(network, EYERISS, contents=False)
    layer = program.layers[0]
    counters = predict_counters(layer.mapping, layer.descriptor)
    moved = traffic(layer.mapping)
    counted = counters[Counter.DRAM_READ_BYTES] + counters[Counter.DRAM_WRITE_BYTES]
    # The last tile is narrower: its rows lie in fewer places than the average counts.
    assert moved.beats == pytest.approx(counted, rel=0.05)
    assert moved.dram <= moved.beats

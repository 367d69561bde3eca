"""Windows larger than the ifmap buffer: in tiles, exact, and as the cost model says."""

import pytest
from rich.console import Console

from stillflow.boards.bench import bench_workload, model_workload
from stillflow.compiler.objective import CYCLES
from stillflow.compiler.program import map_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import TINY
from stillflow.sim.engine.base import DramTiming
from tests.networks import ODD

GLOBAL = PoolShape(N=1, C=5, H=56, W=56, R=56, S=56)
LAYERS = {
    "conv 33x32": ("conv", ConvShape(C=4, M=5, H=35, W=33, R=33, S=32)),
    "conv in blocks": ("conv", ConvShape(C=9, M=6, H=41, W=35, R=40, S=30, stride=(1, 2))),
    "conv 1x1500": ("conv", ConvShape(C=3, M=3, W=1503, S=1500)),
    "conv 1500x1": ("conv", ConvShape(C=4, M=3, H=1503, R=1500, stride=(2, 1))),
    "conv of prime rows": (
        "conv",
        ConvShape(C=3, M=9, H=37, W=46, R=37, S=46, stride=(3, 2), pad=(5, 0, 4, 3)),
    ),
    "conv of prime columns, dilated": (
        "conv",
        ConvShape(C=6, M=4, H=9, W=521, R=3, S=257, dilation=(4, 2), pad=(0, 4, 1, 4)),
    ),
    "conv of images": ("conv", ConvShape(N=3, G=2, C=10, M=8, H=34, W=34, R=33, S=33)),
    "global max pool": ("maxpool", GLOBAL),
    "global average pool": ("avgpool", GLOBAL),
    "max pool with padding": (
        "maxpool",
        PoolShape(N=2, C=3, H=60, W=70, R=51, S=48, stride=(3, 7), pad=(20, 5, 11, 0)),
    ),
}


@pytest.mark.parametrize("config", [TINY, ODD], ids=lambda config: config.name)
@pytest.mark.parametrize("name", LAYERS)
def test_a_window_that_does_not_fit_is_exact_and_predicted(name, config):
    kind, shape = LAYERS[name]
    layer = WorkloadLayer(name=name, type=kind, shape=shape)
    workload = Workload(name="windows", entries=(layer,))
    network = synthetic_network(workload, config, seed=0, weights=False)
    assert all(mapping.windows > 1 for _, mapping in map_network(network, config))
    timing = DramTiming(latency=40)
    report = bench_workload(
        workload, config, Console(quiet=True), engine="verilator", timing=timing, seed=0, wave=None,
        objective=CYCLES,
    )  # fmt: skip
    model = model_workload(workload, config, timing=timing, objective=CYCLES)

    assert report["bit_exact"]
    for found, expected in zip(report["layers"], model["layers"], strict=True):
        differing = {key for key in expected if found[key] != expected[key]}
        assert differing <= {"mismatches"}

"""What the functional coverage counts."""

from dataclasses import replace
from itertools import count

import pytest

from stillflow.compiler.graph import PoolLayer
from stillflow.hw.layer import PoolShape
from stillflow.hw.mapping import Mapping
from stillflow.hw.presets import TINY
from stillflow.hw.work import Work
from stillflow.sim.fuzz.coverage import Coverage, Point, every_point, point_of, tiles_of

SECTION = count()
POINT = Point(
    op="conv", dataflow="os", stride="one", padding="none", group="dense", tiles="edge",
    stall="random",
)  # fmt: skip


WORK = Work(
    G=1, N=1, C=4, M=4, H=4, W=4, R=1, S=1, E=4, F=4, stride=(1, 1), dilation=(1, 1), pad=(0, 0),
    packed=False,
)  # fmt: skip
ONE_TILE = Mapping(config=TINY, work=WORK, pn=1, pe=4, pf=4, mb=1, groups=1)


def test_a_cross_counts_the_bins_of_one_layer_together():
    coverage = Coverage(f"test{next(SECTION)}")
    # Convolutions in three groups, two poolings in one: 5 times 3 * 3 * 3 * 4 * 2.
    assert (coverage.size, coverage.covered) == (1080, 0)
    assert len(set(every_point())) == 1080
    assert POINT in every_point()
    coverage.sample(POINT)
    coverage.sample(POINT)
    assert coverage.covered == 1
    assert len(coverage.missing) == 1079
    assert coverage.hits("dataflow") == {"ws": 0, "os": 2, "nlr": 0, "rs": 0}


@pytest.mark.parametrize(
    ("tiles", "kind"), [({}, "one"), ({"pe": 2}, "equal"), ({"pe": 3}, "edge"), ({"pf": 3}, "edge")]
)
def test_tiles_are_told_apart(tiles, kind):
    assert tiles_of(replace(ONE_TILE, **tiles)) == kind


def test_a_layer_falls_into_one_bin_of_each_point():
    shape = PoolShape(C=4, H=5, W=5, R=2, S=2, stride=(3, 1), pad=(1, 0, 0, 0))
    layer = PoolLayer(name="pool", op="maxpool", shape=shape, ifmap="a", ofmap="b", scale=1.0)
    assert point_of(layer, ONE_TILE, stalled=False) == Point(
        op="maxpool", dataflow="ws", stride="beyond the window", padding="asymmetric",
        group="depthwise", tiles="one", stall="none",
    )  # fmt: skip

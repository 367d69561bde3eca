from itertools import islice
from random import Random

import pytest

from stillflow.compiler.mapper import candidates, choose_mapping
from stillflow.compiler.set_mapper import pe_sets
from stillflow.compiler.work import plan_layer
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EYERISS
from stillflow.hw.tensor import blocked
from tests.networks import ODD_RS, TINY_RS


def plan_of(shape, config):
    layout = blocked(
        shape.N, shape.C, shape.H, shape.W, block=1, element_bytes=config.act_bytes,
        groups=getattr(shape, "G", 1),
    )  # fmt: skip
    return plan_layer(shape, layout, config)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("config", [TINY_RS, ODD_RS, EYERISS], ids=lambda config: config.name)
def test_every_set_fits_the_rows_and_scratchpads_and_leaves_no_filter_position_out(config, seed):
    random = Random(seed)
    R, S = random.randint(1, 13), random.randint(1, 13)
    dilation = random.choice([(1, 1), (1, 2), (2, 1)])
    shape = ConvShape(
        C=random.randint(1, 40), M=random.randint(1, 40), H=40, W=40, R=R, S=S, dilation=dilation
    )
    found = list(pe_sets(plan_of(shape, config).work, config))
    assert found
    for made in found:
        assert made.rows <= config.rows
        assert made.words <= config.ifmap_spad
        assert made.weights <= config.filter_spad
        assert made.filters <= config.psum_spad
        waiting = made.weights + made.filters * (config.bias_lines + config.scale_lines)
        assert waiting < config.filter_lines
        assert R % made.filter_rows == S % made.columns == 0
        assert dilation[0] == 1 or made.filter_rows == 1
        assert dilation[1] == 1 or made.columns == 1


def test_a_maximum_never_adds_filter_positions():
    plan = plan_of(PoolShape(C=5, H=9, W=9, R=3, S=3, stride=(2, 2)), TINY_RS)
    assert {made.rows * made.words for made in pe_sets(plan.work, TINY_RS)} == {1}


@pytest.mark.parametrize("config", [TINY_RS, ODD_RS], ids=lambda config: config.name)
@pytest.mark.parametrize(
    "shape",
    [
        ConvShape(C=1, M=1),
        ConvShape(C=300, M=1, N=3),
        ConvShape(C=2, M=3, H=60, W=60, R=33, S=32),
        ConvShape(C=7, G=7, M=14, H=9, W=30, R=3, S=5, stride=(2, 3)),
        ConvShape(C=3, M=5, H=40, W=300, R=13, S=1),
    ],
    ids=repr,
)
def test_hard_shapes_have_a_nest(shape, config):
    mapping = choose_mapping(plan_of(shape, config), config)
    assert mapping.pe_set is not None
    assert mapping.psum_entries <= config.psum_depth


def test_eyeriss_gets_the_sets_of_its_paper():
    # VGG-16's 3x3 filters: four channels of three filter rows fill the twelve rows.
    shape = ConvShape(C=256, M=256, H=56, W=56, R=3, S=3, pad=(1, 1, 1, 1))
    chosen = choose_mapping(plan_of(shape, EYERISS), EYERISS).pe_set
    assert chosen is not None
    assert (chosen.filter_rows, chosen.channels) == (3, 4)


def test_a_pass_may_fill_the_scratchpads():
    shape = ConvShape(C=256, M=256, H=56, W=56, R=3, S=3, pad=(1, 1, 1, 1))
    most = max(made.weights for made in pe_sets(plan_of(shape, EYERISS).work, EYERISS))
    assert EYERISS.filter_spad * 3 // 4 < most <= EYERISS.filter_spad


def test_images_of_a_fully_connected_layer_are_ofmap_rows():
    plan = plan_of(ConvShape(N=5, C=40, M=9), TINY_RS)
    assert (plan.work.N, plan.work.H, plan.work.E, plan.image_rows) == (1, 5, 5, True)
    assert all(nest.pn == 1 for nest in islice(candidates(plan, TINY_RS), 50))

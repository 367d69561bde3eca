from dataclasses import replace

import pytest

from stillflow.compiler.layouts import choose_layouts
from stillflow.compiler.program import compile_network
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import EDGE8, TINY
from tests.compiler.test_program import conv_network, tensor
from tests.networks import network_of

DENSE = ConvShape(C=3, M=8, H=9, W=9, R=3, S=3)


def layout_of(network, config=EDGE8):
    return choose_layouts(network, config)["x"]


def test_an_image_of_few_channels_lies_packed():
    layout = layout_of(conv_network(DENSE))
    assert layout.packed
    assert layout.pixel == 3


@pytest.mark.parametrize(
    "network",
    [
        conv_network(DENSE, inputs=False),  # the hardware may write it
        conv_network(replace(DENSE, G=3, M=9)),  # groups need planes
        conv_network(replace(DENSE, C=8)),  # fills its block
        replace(conv_network(DENSE), outputs=conv_network(DENSE).inputs),  # read back in blocks
        replace(conv_network(DENSE), layers=()),  # nobody reads it
    ],
)
def test_any_other_tensor_lies_in_blocks(network):
    layout = layout_of(network)
    assert layout.pixel == EDGE8.channel_block


def test_a_pixel_that_does_not_fit_packed_lies_in_blocks():
    network = conv_network(ConvShape(C=4097, M=1, H=1, W=2))
    assert layout_of(network, TINY).pixel == TINY.channel_block
    compile_network(network, TINY)


GROUPED = ConvShape(G=2, C=20, M=28, H=9, W=9, R=3, S=3)


def test_groups_have_blocks_of_their_own_where_they_would_be_computed_as_one():
    layouts = choose_layouts(conv_network(GROUPED), EDGE8)
    assert [layouts[name].groups for name in "xy"] == [2, 2]
    assert [layouts[name].planes for name in "xy"] == [2 * 2, 2 * 2]
    (layer,) = compile_network(conv_network(GROUPED), EDGE8).layers
    assert (layer.plan.work.G, layer.plan.work.C, layer.plan.work.M) == (2, 10, 14)


@pytest.mark.parametrize(
    "shape",
    [
        replace(GROUPED, C=32, M=16),  # they have whole blocks anyway
        replace(GROUPED, G=7, C=14, M=14),  # as many blocks as groups: slower than one
        replace(GROUPED, G=20, C=20, M=20),  # depthwise goes through the chains
    ],
)
def test_other_groups_follow_each_other(shape):
    layouts = choose_layouts(conv_network(shape), EDGE8)
    assert [layouts[name].groups for name in "xy"] == [1, 1]


def test_a_tensor_that_another_layer_sees_stays_in_its_order():
    (first,) = conv_network(GROUPED).layers
    second = replace(
        conv_network(ConvShape(C=28, M=4, H=7, W=7)).layers[0], name="next", ifmap="y", ofmap="z"
    )
    tensors = [tensor("x", (1, 20, 9, 9)), tensor("y", (1, 28, 7, 7)), tensor("z", (1, 4, 7, 7))]
    layouts = choose_layouts(network_of(tensors, [first, second]), EDGE8)
    assert [layouts[name].groups for name in "xyz"] == [1, 1, 1]

"""Concatenation against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.aligned import aligned
from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from stillflow.hw.presets import EDGE16, TINY
from stillflow.sim.golden.network import run_network
from tests.compiler.frontend.test_join import noise, quantised

SAME = (0.5, np.uint8(125))  # of what is concatenated


def inception(models, channels=(4, 8, 4), scales=(0.3, 0.5, 0.4), *, zeros=None, shared=False):
    """Write a model of 1x1 convolutions side by side, and a pooling."""
    rng = np.random.default_rng(4)
    zeros = zeros or [np.uint8(120)] * len(channels)
    nodes, constants, weights = [], {}, {}
    for number, (count, scale, zero) in enumerate(zip(channels, scales, zeros, strict=True)):
        words = rng.integers(-64, 64, (count, 5, 1, 1)).astype(np.int8)
        weights[f"w{number}"] = (words, 0.01, None, 0)
        seen, more = quantised(f"c{number}", scale, zero)
        constants |= more
        nodes += [
            helper.make_node("Conv", ["d", f"w{number}"], [f"c{number}"], f"conv{number}"),
            *seen,
        ]
    parts = [f"c{number}.d" for number in range(len(channels))]
    nodes.append(helper.make_node("Concat", parts, ["k" if shared else "r"], "concat", axis=1))
    if shared:
        seen, more = quantised("k", *SAME)
        constants |= more
        nodes += [*seen, helper.make_node("Concat", ["c0.d", "k.d"], ["r"], "again", axis=1)]
    return models.between(nodes, (2, 5, 6, 7), weights, constants, y=SAME)


def test_convolutions_write_their_channels_where_they_belong(models, compare):
    path = inception(models, scales=[SAME[0]] * 3, zeros=[SAME[1]] * 3)
    network = compare(path, {"x": noise((2, 5, 6, 7))})
    assert [layer.op for layer in network.layers] == ["conv"] * 3
    parts = [network.tensors[layer.ofmap].part for layer in network.layers]
    assert [(part.whole, part.channel) for part in parts] == [("v", 0), ("v", 4), ("v", 12)]
    assert all(layer.table is None for layer in network.layers)


def test_another_quantisation_is_a_table_in_the_same_pass(models, compare):
    network = compare(inception(models), {"x": noise((2, 5, 6, 7))})
    assert [layer.op for layer in network.layers] == ["conv"] * 3
    assert all(layer.table is not None for layer in network.layers)


def test_a_tensor_may_be_part_of_two(models, compare):
    network = compare(
        inception(models, scales=[SAME[0]] * 3, zeros=[SAME[1]] * 3, shared=True),
        {"x": noise((2, 5, 6, 7))},
    )
    assert [layer.op for layer in network.layers] == ["conv"] * 3 + ["avgpool"] * 2


@pytest.mark.parametrize("config", [TINY, EDGE16], ids=lambda config: config.name)
def test_parts_within_a_channel_block_are_gathered(models, config):
    network = load_network(inception(models, channels=(3, 7, 6)))
    words = {network.inputs[0].tensor: np.random.default_rng(1).integers(0, 255, (2, 5, 6, 7))}
    words = {name: array.astype(np.uint8) for name, array in words.items()}
    apart = aligned(network, config)
    assert len(apart.layers) == len(network.layers) + 1
    for tensor in apart.tensors.values():
        assert tensor.part is None or tensor.part.channel % config.channel_block == 0
    found, wanted = run_network(apart, words), run_network(network, words)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_parts_that_fit_are_left_alone(models):
    network = load_network(inception(models, channels=(16, 32, 4)))
    assert aligned(network, EDGE16) is network


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_tensors_become_rows_or_columns_as_well(models, compare, axis):
    nodes = [
        helper.make_node("Conv", ["d", "w"], ["c"], "conv"),
        *(seen := quantised("c", 0.3, np.uint8(120)))[0],
        helper.make_node("Relu", ["c.d"], ["u"], "relu"),
        *(other := quantised("u", *SAME))[0],
        helper.make_node("Concat", ["c.d", "u.d", "d"], ["r"], "concat", axis=axis),
    ]
    words = np.random.default_rng(4).integers(-64, 64, (5, 5, 1, 1)).astype(np.int8)
    weights = {"w": (words, 0.01, None, 0)}
    path = models.between(nodes, (2, 5, 6, 7), weights, seen[1] | other[1], y=SAME)
    network = compare(path, {"x": noise((2, 5, 6, 7))})
    assert all(network.tensors[f"v/{i}"].part or network.tensors["u.q"].part for i in (0, 2))


def test_a_batch_is_not_put_together(models):
    node = helper.make_node("Concat", ["d", "d"], ["r"], "concat", axis=0)
    path = models.between([node], (1, 3, 4, 4))
    with pytest.raises(FrontendError, match=r"'concat' \(Concat\): axis must be that of channels"):
        load_network(path)

"""Local response normalisation against ONNX Runtime, within its stated bound."""

import numpy as np
import pytest
from onnx import helper

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.frontend.lrn import BOUND_MOST
from stillflow.compiler.graph import ConvLayer
from stillflow.sim.golden.network import run_network

ALEXNET = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}


def normalised(models, channels=12, **attributes):
    node = helper.make_node("LRN", ["d"], ["r"], "norm", **(ALEXNET | attributes))
    return models.between(
        [node], (2, channels, 5, 6), x=(0.6, np.uint8(30)), y=(0.55, np.uint8(33))
    )


def ramp(channels=12):
    """Every word, so that small and large ones are neighbours."""
    words = np.random.default_rng(5).permutation(2 * channels * 30) % 256
    return ((words.reshape(2, channels, 5, 6) - 30) * np.float32(0.6)).astype(np.float32)


@pytest.mark.parametrize(
    "attributes",
    [{}, {"size": 3, "alpha": 3e-4}, {"beta": 0.5, "bias": 2.0}, {"size": 1}],
    ids=str,
)
def test_words_are_within_the_layers_tolerance(models, compare, attributes):
    network = compare(normalised(models, **attributes), {"x": ramp()}, rounded=None)
    square, norm = network.layers
    assert (square.op, square.name) == ("avgpool", "norm/square")
    assert (norm.op, norm.name) == ("lrn", "norm")
    assert 1 <= norm.joined.tolerance <= BOUND_MOST


def test_a_factor_of_one_leaves_words_as_they_are(models):
    network = load_network(normalised(models, alpha=0.0))
    words = np.random.default_rng(5).integers(0, 256, (2, 12, 5, 6)).astype(np.uint8)
    found = run_network(network, {"q": words})["v"].astype(int)
    wanted = np.rint((words.astype(int) - 30) * (0.6 / 0.55)) + 33
    joined = network.layers[1].joined
    assert joined is not None
    assert np.abs(found - wanted.clip(0, 255)).max() <= joined.tolerance


def test_the_window_ends_with_the_channels(models):
    (_, norm) = load_network(normalised(models, channels=7)).layers
    assert isinstance(norm, ConvLayer)
    band = norm.filters[:, :, 0, 0]
    assert band.sum(axis=1).tolist() == [3, 4, 5, 5, 5, 4, 3]
    assert np.array_equal(band, band.T)


def test_too_coarse_tables_are_refused(models):
    with pytest.raises(FrontendError, match=r"8-bit tables are up to \d+ steps off, more than 4$"):
        load_network(normalised(models, alpha=5.0))


@pytest.mark.parametrize("attributes", [{"size": 0}, {"bias": 0.0}, {"alpha": -1.0}], ids=str)
def test_numbers_without_meaning_are_refused(models, attributes):
    with pytest.raises(FrontendError, match=r"'norm' \(LRN\): size and bias must be positive"):
        load_network(normalised(models, **attributes))

"""The trained networks that come with the compiler."""

import numpy as np
import pytest

from stillflow.compiler.frontend import dequantize, load_network, quantize
from stillflow.compiler.models import (
    DIGITS,
    DIGITS_RESIDUAL,
    DIGITS_SEPARABLE,
    load_digits,
    load_small_digits,
)
from stillflow.sim.golden.network import run_network


@pytest.mark.parametrize(
    ("path", "load", "right"),
    [
        (DIGITS, load_digits, 350),
        (DIGITS_RESIDUAL, load_small_digits, 350),
        (DIGITS_SEPARABLE, load_small_digits, 340),
    ],
)
def test_most_digits_are_right(path, load, right):
    network = load_network(path, batch=360)
    images, labels = load()
    (source,), (target,) = network.inputs, network.outputs
    words = quantize(source, network.tensors[source.tensor], images)
    golden = run_network(network, {source.tensor: words})
    scores = dequantize(target, network.tensors[target.tensor], golden[target.tensor])
    assert np.count_nonzero(scores.argmax(axis=1) == labels) >= right


def test_shortcuts_and_channels_are_what_the_names_say():
    residual, separable = (load_network(path) for path in (DIGITS_RESIDUAL, DIGITS_SEPARABLE))
    assert sum(layer.joined is not None for layer in residual.layers) == 3
    groups = [layer.shape.G for layer in separable.layers if layer.op == "conv"]
    assert groups == [1, 16, 1, 32, 1, 64, 1]

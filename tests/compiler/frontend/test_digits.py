"""The bundled digits network."""

import numpy as np

from stillflow.compiler.frontend.host import dequantize, quantize
from stillflow.compiler.frontend.load import load_network
from stillflow.compiler.models import DIGITS, enlarge_digits, load_digits
from stillflow.sim.golden.network import run_network


def test_it_knows_held_out_digits():
    network = load_network(DIGITS)
    images, labels = load_digits()
    (entry,), (exit_,) = network.inputs, network.outputs
    assert (entry.name, exit_.name) == ("image", "scores")
    assert len(images) == len(labels) >= 300
    right = 0
    for image, label in zip(images[:100], labels[:100], strict=True):
        words = run_network(
            network,
            {entry.tensor: quantize(entry, network.tensors[entry.tensor], image[None])},
        )
        scores = dequantize(exit_, network.tensors[exit_.tensor], words[exit_.tensor])
        right += int(scores.argmax() == label)
    assert right >= 97


def test_enlarging_keeps_corners_and_means():
    rng = np.random.default_rng(15)
    small = rng.integers(0, 17, (3, 8, 8), np.uint8)
    large = enlarge_digits(small)
    assert large.shape == (3, 1, 32, 32)
    assert large.dtype == np.float32
    np.testing.assert_array_equal(large[:, 0, ::31, ::31] * 16, small[:, ::7, ::7])
    inner = large[:, 0, 6:10, 6:10].mean((1, 2)) * 16
    np.testing.assert_allclose(inner, small[:, 1:3, 1:3].mean((1, 2)), rtol=1e-6)

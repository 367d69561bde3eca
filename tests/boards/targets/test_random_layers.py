"""Random layers: what they promise, and that a seed repeats them."""

from stillflow.boards.targets.random_layers import LEAST_MACS, MOST_MACS, random_layers
from stillflow.hw.layer import ConvShape


def test_layers_have_the_size_and_the_variety_that_is_promised():
    table = random_layers(60, seed=3)
    shapes = [e.shape for e in table.entries if isinstance(e.shape, ConvShape)]
    assert len(shapes) == 60
    assert all(LEAST_MACS <= shape.macs <= MOST_MACS for shape in shapes)
    assert any(shape.G == shape.C > 1 for shape in shapes)
    assert any(1 < shape.G < shape.C for shape in shapes)
    assert any(shape.R == shape.S == shape.G == 1 for shape in shapes)
    assert any(shape.R != shape.S for shape in shapes)
    assert any(shape.stride == (2, 2) for shape in shapes)
    assert len(set(shapes)) > 55


def test_a_seed_repeats_its_layers_and_another_does_not():
    assert random_layers(5, seed=1) == random_layers(5, seed=1)
    assert random_layers(5, seed=1).entries != random_layers(5, seed=2).entries

import pytest

from stillflow.boards.targets.one_level import OneLevel, least_traffic
from stillflow.compiler.workload import load_workload
from stillflow.hw.layer import ConvShape


# With psums of 16 bits and 108 KiB: calculated elsewhere, for layers whose traffic the psums bound.
@pytest.mark.parametrize(
    ("network", "batch", "layer", "megabytes"),
    [
        ("alexnet", 4, "CONV3", 4.02),
        ("alexnet", 4, "CONV4", 3.40),
        ("alexnet", 4, "CONV5", 2.27),
        ("vgg16", 3, "CONV3-2", 39.64),
        ("vgg16", 3, "CONV4-2", 35.83),
        ("vgg16", 3, "CONV5-1", 8.93),
    ],
)
def test_known_layers_have_the_traffic_that_was_calculated_elsewhere(
    network, batch, layer, megabytes
):
    (entry,) = load_workload(network, layers=[layer], batch=batch).entries
    assert isinstance(entry.shape, ConvShape)
    memory = OneLevel(bytes=108 * 1024, word_bytes=2, psum_bytes=2)
    assert least_traffic(entry.shape, memory) / 1e6 == pytest.approx(megabytes, abs=0.006)


def test_a_memory_that_holds_everything_moves_each_word_once():
    shape = ConvShape(N=2, C=8, M=5, H=6, W=7, R=3, S=3, pad=(1, 1, 1, 1))
    memory = OneLevel(bytes=1 << 20, word_bytes=1, psum_bytes=4)
    assert least_traffic(shape, memory) == 2 * 8 * 42 + 5 * 8 * 9 + 2 * 5 * 42


def test_wider_psums_never_move_less():
    shape = ConvShape(C=64, M=64, H=28, W=28, R=3, S=3, pad=(1, 1, 1, 1))
    moved = [
        least_traffic(shape, OneLevel(bytes=32 * 1024, word_bytes=2, psum_bytes=size))
        for size in (2, 4, 6)
    ]
    assert moved == sorted(moved)

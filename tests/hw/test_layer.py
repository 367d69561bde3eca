from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.layer import ConvShape, PoolShape

CONV: dict[str, Any] = {"C": 4, "M": 8, "H": 5, "W": 5, "R": 3, "S": 3}
POOL: dict[str, Any] = {"C": 4, "H": 5, "W": 5, "R": 3, "S": 3}


def conv(**changes: Any) -> ConvShape:
    return ConvShape(**CONV | changes)


def pool(**changes: Any) -> PoolShape:
    return PoolShape(**POOL | changes)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: conv(C=0), ValueError, r"^C must be at least 1, not 0$"),
        (lambda: pool(H=-1), ValueError, r"^H must be at least 1, not -1$"),
        (
            lambda: conv(stride=(1, 0)),
            ValueError,
            r"^stride must be at least 1, not \(1, 0\)$",
        ),
        (
            lambda: conv(pad=(0, -1, 0, 0)),
            ValueError,
            r"^pad must be at least 0, not \(0, -1, 0, 0\)$",
        ),
        (
            lambda: conv(M=2.0),
            TypeError,
            r"^M must be made of integers, not 2\.0$",
        ),
        (
            lambda: pool(stride=(True, 1)),
            TypeError,
            r"^stride must be made of integers, not \(True, 1\)$",
        ),
        (
            lambda: conv(G=3),
            ValueError,
            r"^C must be a multiple of G \(3\), not 4$",
        ),
        (
            lambda: conv(M=6, G=4),
            ValueError,
            r"^M must be a multiple of G \(4\), not 6$",
        ),
        (
            lambda: conv(R=6),
            ValueError,
            r"^the 6x3 filter must fit the padded 5x5 ifmap$",
        ),
        (
            lambda: conv(dilation=(1, 3)),
            ValueError,
            r"^the 3x3 filter must fit the padded 5x5 ifmap$",
        ),
        (
            lambda: pool(S=6),
            ValueError,
            r"^the 3x6 window must fit the padded 5x5 ifmap$",
        ),
    ],
)
def test_impossible_shapes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@given(
    size=st.integers(1, 30),
    filter_size=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_the_ofmap_has_a_pixel_for_each_place_of_the_filter(
    size, filter_size, stride, dilation, pad
):
    reach = (filter_size - 1) * dilation + 1
    places = len(range(-pad[0], size + pad[1] - reach + 1, stride))
    if places < 1:
        return
    tall = ConvShape(
        C=1, M=1, H=size, R=filter_size, stride=(stride, 1), dilation=(dilation, 1),
        pad=(pad[0], 0, pad[1], 0),
    )  # fmt: skip
    wide = ConvShape(
        C=1, M=1, W=size, S=filter_size, stride=(1, stride), dilation=(1, dilation),
        pad=(0, pad[0], 0, pad[1]),
    )  # fmt: skip
    assert (places, 1) == (tall.E, tall.F)
    assert (1, places) == (wide.E, wide.F)
    if dilation == 1:
        pool = PoolShape(
            C=1, H=size, W=size, R=filter_size, S=filter_size, stride=(stride, 1),
            pad=(pad[0], 0, pad[1], filter_size - 1),
        )  # fmt: skip
        assert (places, size) == (pool.E, pool.F)


def test_macs_count_every_group_filter_and_pixel_once():
    shape = ConvShape(N=2, G=2, C=6, M=4, H=4, W=3, R=3, S=2, pad=(1, 0, 1, 1))
    assert (shape.E, shape.F) == (4, 3)
    assert shape.macs == 2 * 4 * (6 // 2) * (3 * 2) * (4 * 3)


def test_alexnet_conv1_and_a_fully_connected_layer():
    conv1 = ConvShape(C=3, H=227, W=227, M=96, R=11, S=11, stride=(4, 4))
    assert (conv1.E, conv1.F, conv1.macs) == (55, 55, 105_415_200)
    fc = ConvShape(N=3, C=4096, M=1000)
    assert (fc.E, fc.F, fc.macs) == (1, 1, 3 * 4096 * 1000)

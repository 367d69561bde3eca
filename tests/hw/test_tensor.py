import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stillflow.hw.tensor import blocked, packed

sizes = st.integers(1, 9)
element_bytes = st.sampled_from([1, 2])


def addresses(layout):
    """Byte address of every element, [N, C, H, W]."""
    n, c, h, w = np.indices((layout.N, layout.C, layout.H, layout.W))
    return (
        n * layout.image_bytes
        + c // layout.pixel * layout.plane_bytes
        + h * layout.row_bytes
        + (w * layout.pixel + c % layout.pixel) * layout.element_bytes
    )


def check_elements_are_apart(layout):
    places = np.sort(addresses(layout).ravel())
    assert places[0] == 0
    assert np.all(np.diff(places) >= layout.element_bytes)
    assert places[-1] + layout.element_bytes <= layout.bytes
    assert layout.bytes == layout.N * layout.image_bytes


@given(
    shape=st.tuples(sizes, st.integers(1, 40), sizes, sizes),
    block=st.sampled_from([1, 2, 4, 8, 16]),
    element_bytes=element_bytes,
)
def test_blocked_planes_lie_densely(shape, block, element_bytes):
    N, C, H, W = shape
    layout = blocked(N, C, H, W, block=block, element_bytes=element_bytes)
    check_elements_are_apart(layout)
    assert layout.pixel == block
    assert layout.planes == -(-C // block)
    assert layout.bytes == N * layout.planes * block * H * W * element_bytes
    assert layout.packed == (block >= C)


@given(
    shape=st.tuples(sizes, sizes, sizes, sizes),
    beat=st.sampled_from([4, 16, 64]),
    element_bytes=element_bytes,
)
def test_packed_rows_start_at_a_beat(shape, beat, element_bytes):
    N, C, H, W = shape
    layout = packed(N, C, H, W, beat=beat, element_bytes=element_bytes)
    check_elements_are_apart(layout)
    assert layout.packed
    assert (layout.pixel, layout.planes) == (C, 1)
    assert layout.row_bytes % beat == 0
    assert 0 <= layout.row_bytes - W * C * element_bytes < beat
    assert layout.bytes == N * H * layout.row_bytes

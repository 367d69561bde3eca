"""Windows that close with some pixels, against a list of all."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.cost.pools import closings, own_pixels
from stillflow.hw.work import Windows


@given(
    size=st.tuples(st.integers(2, 4), st.integers(2, 4)),
    overlaps=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    windows=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    images=st.integers(1, 3),
    cut=st.integers(1, 40),
)
def test_every_window_closes_once_at_its_last_pixel(size, overlaps, windows, images, cut):
    stride = (size[0] - overlaps[0], size[1] - overlaps[1])
    pool = Windows(size=size, stride=stride)
    rows, columns = (pool.pixels(axis, count) for axis, count in enumerate(windows))
    image = rows * columns
    last = [
        n * image + (e * stride[0] + size[0] - 1) * columns + f * stride[1] + size[1] - 1
        for n, e, f in product(range(images), range(windows[0]), range(windows[1]))
    ]
    found = []
    for first in range(0, images * image, cut):
        count = min(cut, images * image - first)
        for pixel, step, times in closings(pool, columns, first, count, image):
            assert pixel >= 0
            assert pixel + (times - 1) * step < count
            found += [first + pixel + i * step for i in range(times)]
    assert found == last


@given(
    tile=st.tuples(st.integers(1, 7), st.integers(1, 7)), less=st.tuples(*[st.integers(0, 6)] * 2),
    images=st.integers(1, 3), cut=st.integers(1, 40),
)  # fmt: skip
def test_every_pixel_of_the_layer_is_found_once(tile, less, images, cut):
    rows, columns = tile
    own = max(1, rows - less[0]), max(1, columns - less[1])
    image = rows * columns
    expected = [
        n * image + e * columns + f
        for n, e, f in product(range(images), range(own[0]), range(own[1]))
    ]
    found = []
    for first in range(0, images * image, cut):
        count = min(cut, images * image - first)
        for pixel, pixels in own_pixels(own, columns, first, count, image):
            assert pixel >= 0
            assert 1 <= pixels <= count - pixel
            found += range(first + pixel, first + pixel + pixels)
    assert found == expected

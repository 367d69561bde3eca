import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.tensors import (
    from_signed,
    load_tensor,
    sign_offset,
    store_tensor,
    to_signed,
)
from stillflow.hw.tensor import blocked, packed

small = st.integers(1, 9)
sizes = st.sampled_from([1, 2])
seeds = st.integers(0, 2**32 - 1)


def draw_words(layout, seed):
    rng = np.random.default_rng(seed)
    shape = layout.N, layout.C, layout.H, layout.W
    return rng.integers(-128, 128, shape).astype(f"int{8 * layout.element_bytes}")


def peek(content, layout, n, c, h, w):
    """Word of one element, by the layout's distances."""
    size = layout.element_bytes
    group, channel = divmod(c, layout.C // layout.groups)
    plane = group * (layout.planes // layout.groups) + channel // layout.pixel
    start = n * layout.image_bytes + plane * layout.plane_bytes
    start += h * layout.row_bytes + (w * layout.pixel + channel % layout.pixel) * size
    return int.from_bytes(content[start : start + size], "little", signed=True)


def assert_every_element_lies_in_its_place(content, layout, words):
    assert len(content) == layout.bytes
    for index in np.ndindex(words.shape):
        assert peek(content, layout, *index) == words[index]
    # What lies between is zero: as many words differ from zero as in the tensor.
    stored = np.frombuffer(content, words.dtype)
    assert np.count_nonzero(stored) == np.count_nonzero(words)


@given(
    N=small, C=st.integers(1, 20), H=small, W=small, size=sizes, seed=seeds,
    block=st.sampled_from([1, 2, 4, 8, 16]), groups=st.integers(1, 4),
)  # fmt: skip
def test_a_blocked_tensor_is_stored_by_its_layout_and_comes_back(
    N, C, H, W, block, size, seed, groups
):
    layout = blocked(N, C * groups, H, W, block=block, element_bytes=size, groups=groups)
    words = draw_words(layout, seed)
    content = store_tensor(words, layout)
    assert_every_element_lies_in_its_place(content, layout, words)
    loaded = load_tensor(content, layout)
    assert loaded.dtype == words.dtype
    np.testing.assert_array_equal(loaded, words)


@given(
    N=small, C=small, H=small, W=small, size=sizes, seed=seeds,
    beat=st.sampled_from([4, 8, 64]),
)  # fmt: skip
def test_a_packed_tensor_is_stored_by_its_layout(N, C, H, W, beat, size, seed):
    layout = packed(N, C, H, W, beat=beat, element_bytes=size)
    words = draw_words(layout, seed)
    assert layout.row_bytes % beat == 0
    assert_every_element_lies_in_its_place(store_tensor(words, layout), layout, words)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_signed_words_differ_by_the_offset_and_come_back(dtype):
    info = np.iinfo(dtype)
    words = np.arange(info.min, info.max + 1).astype(dtype)
    signed = to_signed(words)
    assert np.issubdtype(signed.dtype, np.signedinteger)
    np.testing.assert_array_equal(signed.astype(int), words.astype(int) - sign_offset(dtype))
    back = from_signed(signed, dtype)
    assert back.dtype == words.dtype
    np.testing.assert_array_equal(back, words)


def test_only_unsigned_words_move():
    assert [sign_offset(dtype) for dtype in ("int8", "uint8", "int16")] == [0, 128, 0]

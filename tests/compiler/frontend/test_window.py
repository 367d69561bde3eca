"""Windows that ONNX's own checker would stop before they are read."""

import pytest

from stillflow.compiler.frontend.errors import FrontendError
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.window import read_window


def pooling(**attributes):
    return Node(
        file="m.onnx", name="pool", op="MaxPool", domain="", inputs=("x",), outputs=("y",),
        attributes=attributes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, r"kernel_shape must be at least 1, not \[0, 0\]"),
        (
            {"kernel_shape": [3, 3, 3]},
            r"kernel_shape must have 2 numbers \(2-D planes\), not \[3, 3, 3\]",
        ),
        ({"kernel_shape": [3, 3], "strides": [1, 0]}, r"strides must be at least 1, not \[1, 0\]"),
        (
            {"kernel_shape": [3, 3], "dilations": [0, 1]},
            r"dilations must be at least 1, not \[0, 1\]",
        ),
        (
            {"kernel_shape": [3, 3], "pads": [0, 0, -1, 0]},
            r"pads must be at least 0, not \[0, 0, -1, 0\]",
        ),
        (
            {"kernel_shape": [3, 3], "auto_pad": b"SAME"},
            r"auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, not 'SAME'",
        ),
    ],
)
def test_a_window_that_cannot_be_is_refused(attributes, message):
    with pytest.raises(FrontendError, match=rf"^m\.onnx: node 'pool' \(MaxPool\): {message}$"):
        read_window(pooling(**attributes), (8, 8), None)


def test_another_kernel_than_the_weights_is_refused():
    with pytest.raises(
        FrontendError,
        match=r"^m\.onnx: node 'pool' \(MaxPool\): kernel_shape must be the filters' \[5, 3\], "
        r"not \[3, 3\]$",
    ):
        read_window(pooling(kernel_shape=[3, 3]), (8, 8), (5, 3))


@pytest.mark.parametrize(
    ("mode", "pad"), [("SAME_UPPER", (0, 1, 1, 1)), ("SAME_LOWER", (1, 1, 0, 1))]
)
def test_same_padding_puts_the_odd_pixel_where_it_belongs(mode, pad):
    node = pooling(kernel_shape=[3, 3], strides=[2, 2], auto_pad=mode)
    assert read_window(node, (8, 7), None).pad == pad

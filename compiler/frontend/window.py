"""Filter and pooling windows: stride, dilation, and padding in all of ONNX's spellings."""

from dataclasses import dataclass

from stillflow.compiler.frontend.node import Node


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window over the plane; letters and order as in `ConvShape`."""

    R: int
    S: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int, int, int]


def read_window(node: Node, plane: tuple[int, int], kernel: tuple[int, int] | None) -> Window:
    """Read a window from a node's attributes.

    Parameters
    ----------
    node : Node
        Conv, QLinearConv or MaxPool.
    plane : tuple[int, int]
        Height and width of the ifmap.
    kernel : tuple[int, int] or None
        Filter plane where weights give it; ``kernel_shape`` must agree.

    Raises
    ------
    FrontendError
        If the attributes are unknown or contradict each other.
    """
    given = _pair(node, "kernel_shape", kernel or (0, 0), 1)
    if kernel is not None and given != kernel:
        raise node.error(f"kernel_shape must be the filters' {list(kernel)}, not {list(given)}")
    stride = _pair(node, "strides", (1, 1), 1)
    dilation = _pair(node, "dilations", (1, 1), 1)
    pads = read_pads(node)
    for name, value, low in (
        ("kernel_shape", given, 1), ("strides", stride, 1),
        ("dilations", dilation, 1), ("pads", pads, 0),
    ):  # fmt: skip
        if min(value) < low:
            raise node.error(f"{name} must be at least {low}, not {list(value)}")
    mode = node.text("auto_pad", "NOTSET")
    ceil = bool(node.integer("ceil_mode", 0))
    edges = []
    for axis in (0, 1):
        edges.append(
            _padding(
                node, mode, plane[axis], (given[axis] - 1) * dilation[axis] + 1, stride[axis],
                (pads[axis], pads[axis + 2]), ceil,
            )
        )  # fmt: skip
    (top, bottom), (left, right) = edges
    return Window(
        R=given[0],
        S=given[1],
        stride=(stride[0], stride[1]),
        dilation=(dilation[0], dilation[1]),
        pad=(top, left, bottom, right),
    )


def read_pads(node: Node) -> tuple[int, int, int, int]:
    """Read the padding that a node names: top, left, bottom, right; none above a row of pixels."""
    given = node.attributes.get("pads", ())
    if len(given) == 2:
        return 0, int(given[0]), 0, int(given[1])
    top, left, bottom, right = node.integers("pads", (0, 0, 0, 0))
    return top, left, bottom, right


def _pair(node: Node, name: str, default: tuple[int, int], vertical: int) -> tuple[int, int]:
    """Vertical and horizontal number of an attribute; a row of pixels has only the latter."""
    given = node.attributes.get(name, ())
    if len(given) == 1:
        return vertical, int(given[0])
    first, second = node.integers(name, default)
    return first, second


def _padding(
    node: Node, mode: str, size: int, extent: int, stride: int, pads: tuple[int, int], ceil: bool
) -> tuple[int, int]:
    """Pixels before and after one axis; ``extent`` is the window with its dilation."""
    if mode == "VALID":
        pads = (0, 0)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if mode == "SAME_UPPER" else (large, small)
    elif mode != "NOTSET":
        raise node.error(f"auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, not {mode!r}")
    if not ceil:
        return pads
    count = -(-(size + sum(pads) - extent) // stride) + 1
    if (count - 1) * stride >= size + pads[0]:  # ONNX Runtime drops windows of nothing but padding
        count -= 1
    return pads[0], max(pads[1], (count - 1) * stride + extent - size - pads[0])

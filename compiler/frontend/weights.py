"""Filters, biases and scales of convolutions and matrix products."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.builder import Quantisation
from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Constant, ScaledConstant


@dataclass(frozen=True, kw_only=True, eq=False)
class Filters:
    """Weights with zero point 0.

    Parameters
    ----------
    words : int8[...]
        As many axes as the operator's.
    scale : float32[M]
        Of each filter.
    """

    words: NDArray[np.int8]
    scale: NDArray[np.float32]

    def requant_scale(self, ifmap: Quantisation, ofmap: Quantisation) -> NDArray[np.float32]:
        """Scale of the psums in ofmap steps, rounded as ONNX Runtime rounds it: float32[M]."""
        return np.float32(ifmap.scale) * self.scale / np.float32(ofmap.scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bias:
    """What is added to the psums of each filter.

    Parameters
    ----------
    steps : float64[M]
        In steps of a psum; to be rounded where the layer is complete.
    real : bool
        Whether it was given as real values, so that ONNX Runtime may add those instead.
    """

    steps: NDArray[np.float64]
    real: bool = False


def real_filters(lowering: Lowering, node: Node, index: int, axis: int) -> Filters:
    """Weights behind a DequantizeLinear; ``axis`` counts the filters."""
    value = lowering.value(node, index)
    name = node.input(index)
    if isinstance(value, Constant):
        raise node.error(
            f"weights {name!r} are {value.array.dtype}: quantise them to int8 behind a "
            "DequantizeLinear"
        )
    if not isinstance(value, ScaledConstant):
        raise node.error(f"weights {name!r} must be constant, not computed")
    return signed_filters(node, name, value, axis)


def signed_filters(node: Node, name: str, constant: ScaledConstant, axis: int) -> Filters:
    """Re-express weights as int8 with zero point 0.

    Raises
    ------
    FrontendError
        If type, zero point or axis forbid it.
    """
    words, zero = constant.words, constant.zero_point
    axis %= max(words.ndim, 1)
    if words.dtype.name not in ("int8", "uint8"):
        raise node.error(f"weights {name!r} must be int8 or uint8, not {words.dtype}")
    centre = 128 if words.dtype == np.uint8 else 0
    if np.any(zero != centre):
        worst = int(zero[zero != centre][0])
        raise node.error(
            f"weights {name!r} must have zero point {centre} ({words.dtype}), not {worst}: "
            "quantise them symmetrically"
        )
    if constant.scale.size > 1 and constant.axis != axis:
        raise node.error(
            f"weights {name!r} must have a scale per filter (axis {axis}), not along axis "
            f"{constant.axis}"
        )
    return Filters(
        words=(words.astype(np.int16) - centre).astype(np.int8),
        scale=np.broadcast_to(constant.scale, words.shape[axis]).astype(np.float32),
    )


def real_bias(
    lowering: Lowering, node: Node, index: int, ifmap: Quantisation, filters: Filters
) -> Bias:
    """Bias of an operator on real values, in steps of ifmap scale * filter scale.

    Either int32 behind a DequantizeLinear with that scale, or float32, as training with
    quantisation in the loop leaves it.
    """
    count = filters.scale.size
    if not node.has(index):
        return Bias(steps=np.zeros(count))
    value = lowering.value(node, index)
    name = node.input(index)
    if isinstance(value, Constant) and value.array.dtype == np.float32:
        real = _spread(node, name, value.array, count)
        if not np.all(np.isfinite(real)):
            raise node.error(f"bias {name!r} must be finite")
        return Bias(steps=real / (ifmap.scale * filters.scale.astype(np.float64)), real=True)
    if not isinstance(value, ScaledConstant) or value.words.dtype != np.int32:
        raise node.error(
            f"bias {name!r} must be a constant, float32 or int32 behind a DequantizeLinear"
        )
    if np.any(value.zero_point):
        raise node.error(f"bias {name!r} must have zero point 0")
    expected = np.float32(ifmap.scale) * filters.scale
    if not np.allclose(np.broadcast_to(value.scale, count), expected, rtol=1e-5, atol=0):
        raise node.error(f"bias {name!r} must have the scale of ifmap times weights")
    return Bias(steps=_spread(node, name, value.words, count))


def integer_bias(lowering: Lowering, node: Node, index: int, count: int) -> Bias:
    """Bias of a QOperator node."""
    if not node.has(index):
        return Bias(steps=np.zeros(count))
    words = lowering.array(node, index)
    if words.dtype != np.int32:
        raise node.error(f"bias {node.input(index)!r} must be int32, not {words.dtype}")
    return Bias(steps=_spread(node, node.input(index), words, count))


def _spread(node: Node, name: str, numbers: NDArray[np.generic], count: int) -> NDArray[np.float64]:
    if numbers.size not in (1, count):
        raise node.error(f"bias {name!r} must have {count} numbers, not {numbers.size}")
    return np.broadcast_to(numbers.reshape(-1), count).astype(np.float64)

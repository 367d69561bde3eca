"""What the host does at the ports of a network, with ONNX Runtime's arithmetic."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import HostFunction, Port, Tensor


def quantize(port: Port, tensor: Tensor, array: NDArray[np.generic]) -> NDArray[np.integer]:
    """Turn a graph input into the words of its tensor.

    Float32 passes through QuantizeLinear: division in float32, rounded half to even, plus the zero
    point, saturated; not-a-number becomes the smallest word, as in ONNX Runtime.

    Parameters
    ----------
    port : Port
        The graph input.
    tensor : Tensor
        The tensor behind it.
    array : float32 or intx[port.shape]
        What a user gives.

    Returns
    -------
    intx[N, C, H, W]
        Words of ``tensor``'s dtype.

    Raises
    ------
    ValueError
        If dtype or shape are not the port's.
    """
    if array.dtype != np.dtype(port.dtype):
        raise ValueError(f"input {port.name} must be {port.dtype}, not {array.dtype}")
    if array.shape != port.shape:
        raise ValueError(
            f"input {port.name} must have shape {list(port.shape)}, not {list(array.shape)}"
        )
    if port.dtype != "float32":
        return array.reshape(tensor.shape)  # type: ignore[return-value]
    info = np.iinfo(tensor.dtype)
    with np.errstate(over="ignore"):
        steps = array.astype(np.float32) / np.float32(tensor.scale)
    low, high = info.min - tensor.zero_point, info.max - tensor.zero_point
    steps = np.rint(np.clip(np.nan_to_num(steps, nan=low, posinf=high, neginf=low), low, high))
    words = steps.astype(np.int64) + tensor.zero_point
    return words.astype(tensor.dtype).reshape(tensor.shape)


def dequantize(port: Port, tensor: Tensor, words: NDArray[np.integer]) -> NDArray[np.generic]:
    """Turn the words of a tensor into a graph output.

    Parameters
    ----------
    port : Port
        The graph output.
    tensor : Tensor
        The tensor behind it.
    words : intx[N, C, H, W]
        What the network computed.

    Returns
    -------
    float32 or intx[port.shape]
        As ONNX Runtime gives it.

    Raises
    ------
    ValueError
        If the words have another shape or dtype than the tensor.
    """
    if words.dtype != np.dtype(tensor.dtype) or words.shape != tensor.shape:
        raise ValueError(
            f"tensor {tensor.name} must be {tensor.dtype}{list(tensor.shape)}, "
            f"not {words.dtype}{list(words.shape)}"
        )
    if port.host is None and port.dtype != "float32":
        return words.reshape(port.shape)
    steps = (words.astype(np.int64) - tensor.zero_point).astype(np.float32)
    real = steps * np.float32(tensor.scale)
    if port.host is not None:
        real = _finish(port.host, real.reshape(port.host.shape))
    return real.reshape(port.shape)


def _finish(function: HostFunction, real: NDArray[np.float32]) -> NDArray[Any]:
    axis = function.axis
    if function.op == "argmax":
        return real.argmax(axis=axis).astype(np.int64)
    above = real - real.max(axis=axis, keepdims=True)
    total = np.exp(above).sum(axis=axis, keepdims=True)
    found = above - np.log(total) if function.op == "logsoftmax" else np.exp(above) / total
    if not function.step:
        return found
    step = np.float32(function.step)
    return (np.rint(found / step) * step).clip(function.low, function.high).astype(np.float32)

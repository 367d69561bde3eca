"""A quantised network as the compiler sees it: tensors, and layers in execution order."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stillflow.hw.layer import ConvShape, PoolShape


def clip_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest word of an activation type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A quantised activation tensor.

    Parameters
    ----------
    name : str
        Name in the graph.
    shape : tuple[int, int, int, int]
        N, C, H, W. A matrix [N, C] has H = W = 1.
    dtype : str
        ``int8``, ``uint8`` or ``int16``.
    scale : float
        Real value of one step.
    zero_point : int
        Word that stands for zero.
    """

    name: str
    shape: tuple[int, int, int, int]
    dtype: Literal["int8", "uint8", "int16"]
    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ConvLayer:
    """Convolution, fully connected layer or matrix product, requantised.

    ``ofmap = clip(round(f32(f32(psum) * scale)) + zero point, act_min, act_max)`` where ``psum`` is
    the exact sum of ``(ifmap - ifmap zero point) * filters`` plus the bias: mode ``f32-rne``.

    Parameters
    ----------
    name : str
        The ONNX node's or the table's name.
    op : str
        ``conv`` or ``fc``.
    shape : ConvShape
        Loop bounds. A fully connected layer behind a flatten covers the plane: R = H, S = W.
    ifmap, ofmap : str
        Tensor names.
    filters : intx[M, C / G, R, S]
        int8, or int16 with 16-bit weights.
    bias : int64[M]
        Added to the psum.
    scale : float32[M]
        f32(f32(x_scale * w_scale) / y_scale) of each filter.
    act_min, act_max : int
        Saturation bounds in ofmap words: the type's range, tightened by ReLU and Clip.
    fused : tuple[str, ...]
        Names of the nodes merged into this pass.
    """

    name: str
    op: Literal["conv", "fc"]
    shape: ConvShape
    ifmap: str
    ofmap: str
    filters: NDArray[np.signedinteger]
    bias: NDArray[np.int64]
    scale: NDArray[np.float32]
    act_min: int
    act_max: int
    fused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolLayer:
    """Pooling of each channel by itself.

    ``max``: padding never wins; scale and zero point of ifmap and ofmap are the same. ``avg``: the
    mean of the window with padding counted as zero, exact sum, one rounding in mode ``f32-rne`` by
    ``scale``.

    Parameters are those of `ConvLayer`, except

    Parameters
    ----------
    scale : float
        Of an average, exactly a float32: f32(x_scale / f32(y_scale * pixels)).
    act_min, act_max : int
        Saturation bounds in ofmap words, beside the type's range.
    """

    name: str
    op: Literal["maxpool", "avgpool"]
    shape: PoolShape
    ifmap: str
    ofmap: str
    scale: float = 1.0
    act_min: int = clip_range("int16")[0]
    act_max: int = clip_range("int16")[1]
    fused: tuple[str, ...] = ()


Layer = ConvLayer | PoolLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class Port:
    """A graph input or output and the tensor behind it.

    Parameters
    ----------
    name : str
        Name in the ONNX graph.
    shape : tuple[int, ...]
        Shape as ONNX Runtime takes or gives it.
    dtype : str
        NumPy dtype name as ONNX Runtime takes or gives it: ``float32`` passes through the model's
        QuantizeLinear or DequantizeLinear on the host, with ``tensor``'s scale and zero point.
    tensor : str
        Name of the quantised tensor.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    tensor: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Layers in execution order, with every tensor they read or write."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tensors: dict[str, Tensor]
    layers: tuple[Layer, ...] = field(default=())

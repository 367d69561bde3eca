"""A quantised network as the compiler sees it: tensors, and layers in execution order."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.endings import Joined, Pooled, Table
from stillflow.hw.layer import ConvShape, PoolShape


def clip_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest word of an activation type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


@dataclass(frozen=True)
class Part:
    """Where a tensor lies in another one: some of its channels, rows and columns.

    Parameters
    ----------
    whole : str
        The other tensor.
    channel, row, column : int
        Its first ones.
    """

    whole: str
    channel: int = 0
    row: int = 0
    column: int = 0


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
    part : Part, optional
        Where it lies in another tensor of the same type, scale and zero point.
    """

    name: str
    shape: tuple[int, int, int, int]
    dtype: Literal["int8", "uint8", "int16"]
    scale: float
    zero_point: int
    part: Part | None = None


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
        ``conv``, ``fc``, ``scale`` for a factor and an offset of each channel, ``gather`` where
        channels change places, or ``lrn`` for the sum of local response normalisation.
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
        Saturation bounds of the requantised words: the type's range, tightened by ReLU and Clip.
    table, joined, pooled : optional
        What becomes of these words before they are the ofmap's, in this order.
    tolerance : int
        Steps by which a requantised word may differ from what float arithmetic makes of it.
    fused : tuple[str, ...]
        Names of the nodes merged into this pass.
    """

    name: str
    op: Literal["conv", "fc", "scale", "gather", "lrn"]
    shape: ConvShape
    ifmap: str
    ofmap: str
    filters: NDArray[np.signedinteger]
    bias: NDArray[np.int64]
    scale: NDArray[np.float32]
    act_min: int
    act_max: int
    tolerance: int = 0
    table: Table | None = None
    joined: Joined | None = None
    pooled: Pooled | None = None
    fused: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolLayer:
    """Pooling of each channel by itself.

    ``max``: padding never wins; scale and zero point of ifmap and ofmap are the same. ``avg``: the
    mean of the window with padding counted as zero, exact sum, one rounding in mode ``f32-rne`` by
    ``scale``. An average of one pixel requantises words, or copies them.

    Parameters are those of `ConvLayer`, except

    Parameters
    ----------
    scale : float
        Of an average, exactly a float32: f32(x_scale / f32(y_scale * pixels)).
    act_min, act_max : int
        Saturation bounds in ofmap words, beside the type's range.
    fill : int
        What padding of an average counts as, in words above the zero point.
    """

    name: str
    op: Literal["maxpool", "avgpool"]
    shape: PoolShape
    ifmap: str
    ofmap: str
    scale: float = 1.0
    fill: int = 0
    act_min: int = clip_range("int16")[0]
    act_max: int = clip_range("int16")[1]
    table: Table | None = None
    joined: Joined | None = None
    fused: tuple[str, ...] = ()


Layer = ConvLayer | PoolLayer


def requantised(layer: Layer) -> str:
    """Tensor of the words as the requantiser gives them: the ofmap's, or of what follows."""
    if layer.table is not None:
        return layer.table.index
    return tabulated(layer)


def tabulated(layer: Layer) -> str:
    """Tensor of the words that are joined with others, or pooled: the ofmap's where none are."""
    return finished(layer) if layer.joined is None else layer.joined.own


def finished(layer: Layer) -> str:
    """Tensor of the words that are pooled: the ofmap's where none are."""
    pooled = pooling(layer)
    return layer.ofmap if pooled is None else pooled.own


def pooling(layer: Layer) -> Pooled | None:
    """Say how a layer pools its own words, if it does."""
    return layer.pooled if isinstance(layer, ConvLayer) else None


def read_tensors(layer: Layer) -> tuple[str, ...]:
    """Tensors that a layer reads from DRAM."""
    residual = (layer.joined.residual,) if layer.joined is not None else ()
    return (layer.ifmap, *residual)


@dataclass(frozen=True, kw_only=True)
class HostFunction:
    """What the host makes of a graph output.

    Parameters
    ----------
    name : str
        The node's.
    op : str
        ``softmax``, ``logsoftmax`` or ``argmax``.
    axis : int
        Not negative.
    shape : tuple[int, ...]
        Of its operand; the graph output may be seen with another one.
    step : float
        The result is rounded to multiples of it, as uint8 or int8 words would be; 0 if it is not.
    low, high : float
        Its bounds then.
    """

    name: str
    op: Literal["softmax", "logsoftmax", "argmax"]
    axis: int
    shape: tuple[int, ...]
    step: float = 0.0
    low: float = 0.0
    high: float = 0.0


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
    host : HostFunction, optional
        What the host does with the real values of an output.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    tensor: str
    host: HostFunction | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Layers in execution order, with every tensor they read or write."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    tensors: dict[str, Tensor]
    layers: tuple[Layer, ...] = field(default=())

    @property
    def stored(self) -> set[str]:
        """Names of the tensors that lie in DRAM."""
        ports = {port.tensor for port in (*self.inputs, *self.outputs)}
        return ports | self._moved | self.wholes

    @property
    def _moved(self) -> set[str]:
        return {name for layer in self.layers for name in (*read_tensors(layer), layer.ofmap)}

    @property
    def wholes(self) -> set[str]:
        """Names of the stored tensors that are made of parts."""
        return {part.whole for name in self._moved if (part := self.tensors[name].part) is not None}

    @property
    def results(self) -> list[str]:
        """Names of the tensors that the network computes, parts before what they make."""
        return [layer.ofmap for layer in self.layers] + sorted(self.wholes)

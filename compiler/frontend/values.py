"""What an ONNX value stands for while a graph is lowered."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.builder import NetworkBuilder, Quantisation
from stillflow.compiler.frontend.endings import tabulate
from stillflow.compiler.frontend.entries import Function, entries_of
from stillflow.compiler.graph import HostFunction


@dataclass(frozen=True, eq=False)
class Constant:
    """An initializer: ``array`` as it is stored."""

    array: NDArray[np.generic]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledConstant:
    """Integer words behind a DequantizeLinear.

    Parameters
    ----------
    words : intx[...]
        As they are stored.
    scale : float32[1] or float32[K]
        Per tensor, or along ``axis``.
    zero_point : int64[1] or int64[K]
        As many as scales.
    axis : int
        Axis of the scales, not negative.
    """

    words: NDArray[np.integer]
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int

    @property
    def real(self) -> NDArray[np.float32]:
        """The real values, float32."""
        spread = [1] * self.words.ndim
        if self.scale.size > 1:
            spread[self.axis] = -1
        steps = (self.words.astype(np.int64) - self.zero_point.reshape(spread)).astype(np.float32)
        return steps * self.scale.reshape(spread)


@dataclass(frozen=True, kw_only=True)
class Words:
    """A quantised activation: ``tensor`` of the network, seen with ``shape``."""

    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where and how a source is to put its words.

    Parameters
    ----------
    name : str
        Tensor to write.
    shape : tuple[int, ...]
        Shape in the ONNX graph.
    quantisation : Quantisation
        Of the words.
    low, high : float
        Real bounds of the values, from ReLU and Clip.
    fused : tuple[str, ...]
        Nodes that set the bounds.
    """

    name: str
    shape: tuple[int, ...]
    quantisation: Quantisation
    low: float = -inf
    high: float = inf
    fused: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[int, int]:
        """The bounds in words; rounding is monotone, so clipping before or after is the same."""
        return self.quantisation.word(self.low), self.quantisation.word(self.high)

    @property
    def bounded(self) -> bool:
        """Whether the bounds are narrower than the type."""
        return self.bounds != self.quantisation.range

    def entries(self, ifmap: Quantisation, function: Function) -> NDArray[np.integer]:
        """Words of a function of every word of a tensor, the smallest first: intx[256]."""
        return entries_of(ifmap, self.quantisation, function, self.low, self.high)


class Source(ABC):
    """What computes a real value; it becomes a layer when its quantisation is known."""

    @abstractmethod
    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add what computes the words of ``output`` and return the tensor that holds them."""


@dataclass(frozen=True, kw_only=True)
class Stored(Source):
    """A tensor behind a DequantizeLinear."""

    tensor: str

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Hand on the tensor itself; bounds go into the layer that computes it.

        Another quantisation, and bounds that others must not see, are a table of its words.
        """
        if builder.agrees(self.tensor, output.quantisation):
            if not output.bounded:
                return self.tensor
            if builder.may_tighten(self.tensor):
                return builder.tighten(self.tensor, output.name, *output.bounds, output.fused)
        held = builder.quantisation(self.tensor)
        shape = builder.tensors[self.tensor].shape
        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        name, fused = (output.fused or (output.name,))[0], output.fused[1:]
        tabulate(builder, name, self.tensor, tensor, output.entries(held, lambda x: x), fused)
        return tensor


@dataclass(frozen=True, kw_only=True)
class HostInput(Source):
    """A float32 input of the graph, quantised on the host."""

    name: str
    shape: tuple[int, ...]

    def store(self, builder: NetworkBuilder, output: Output) -> str:
        """Add the port and its tensor."""
        if output.bounds != output.quantisation.range:
            raise ValueError(f"graph input {self.name!r} must be quantised before it is clipped")
        try:
            shape = plane_shape(output.shape)
        except ValueError as error:
            raise ValueError(f"{output.name!r} {error}") from error
        tensor = builder.add_tensor(output.name, shape, output.quantisation)
        builder.add_input(self.name, self.shape, "float32", tensor)
        return tensor


@dataclass(frozen=True, kw_only=True)
class Real:
    """A float32 value of the graph: a source, seen with ``shape``, clipped to ``low..high``."""

    name: str
    shape: tuple[int, ...]
    source: Source
    low: float = -inf
    high: float = inf
    fused: tuple[str, ...] = ()

    def clipped(self, low: float, high: float, fused: Sequence[str], name: str) -> "Real":
        """Clip what this value already clips."""
        return replace(
            self,
            name=name,
            low=min(max(self.low, low), high),
            high=min(max(self.high, low), high),
            fused=(*self.fused, *fused),
        )

    def store(self, builder: NetworkBuilder, quantisation: Quantisation, name: str) -> str:
        """Quantise into tensor ``name``, or return the tensor that already holds these words."""
        key = (self.name, quantisation)
        if key not in builder.stored:
            output = Output(
                name=name,
                shape=self.shape,
                quantisation=quantisation,
                low=self.low,
                high=self.high,
                fused=self.fused,
            )
            builder.stored[key] = self.source.store(builder, output)
        return builder.stored[key]


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """What the host makes of a real value: it can only be a graph output.

    ``words`` while it stands between QuantizeLinear and DequantizeLinear.
    """

    real: Real
    shape: tuple[int, ...]
    dtype: str
    function: HostFunction
    words: bool = False


Value = Constant | ScaledConstant | Words | Real | Hosted


def plane_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Shape as N, C, H, W: planes of one row have three axes, a matrix has planes of one pixel.

    Raises
    ------
    ValueError
        If an axis is empty.
    """
    if min(shape, default=1) < 1:
        raise ValueError(f"must have no empty axis, not {list(shape)}")
    if len(shape) < 3:
        N, C = (1, *shape, 1)[:2] if len(shape) < 2 else shape
        return N, C, 1, 1
    N, C, *plane = shape
    H, W = (1, plane[0]) if len(plane) == 1 else (plane[0], prod(plane[1:]))
    return N, C, H, W


def seen_as(shape: tuple[int, int, int, int], rank: int) -> tuple[int, ...]:
    """Shape N, C, H, W with so many axes, 3 or 4: planes of one row lose theirs."""
    N, C, H, W = shape
    return (N, C, W) if rank == 3 else (N, C, H, W)


def reshaped(
    value: Words | Real | Hosted, shape: tuple[int, ...], name: str
) -> Words | Real | Hosted:
    """Show the same elements with another shape.

    Raises
    ------
    ValueError
        If the number of elements differs.
    """
    if prod(shape) != prod(value.shape) or min(shape, default=1) < 1:
        raise ValueError(f"{list(value.shape)} cannot be reshaped to {list(shape)}")
    if isinstance(value, Words | Hosted):
        return replace(value, shape=shape)
    return replace(value, shape=shape, name=name)

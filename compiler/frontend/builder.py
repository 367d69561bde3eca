"""The network under construction; knows nothing of ONNX."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from stillflow.compiler.frontend.clipped import clipped
from stillflow.compiler.graph import (
    HostFunction,
    Layer,
    Network,
    PoolLayer,
    Port,
    Tensor,
    clip_range,
)


@dataclass(frozen=True, kw_only=True)
class Quantisation:
    """How words stand for real values.

    Parameters
    ----------
    dtype : str
        ``int8`` or ``uint8``.
    scale : float
        Real value of one step, exactly a float32.
    zero_point : int
        Word of zero.
    """

    dtype: Literal["int8", "uint8"]
    scale: float
    zero_point: int

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest word."""
        return clip_range(self.dtype)

    def word(self, real: float) -> int:
        """Word of a real value, with the arithmetic of QuantizeLinear."""
        low, high = self.range
        with np.errstate(over="ignore"):
            steps = float(np.rint(np.float32(real) / np.float32(self.scale)))
        return int(min(max(steps + self.zero_point, low), high))

    def __str__(self) -> str:
        return f"{self.dtype} scale {self.scale:.6g} zero point {self.zero_point}"


class NetworkBuilder:
    """Tensors, layers and ports, added in execution order.

    Parameters
    ----------
    name : str
        The network's.
    uses : Counter[str]
        How often each ONNX value is read, graph outputs included.
    """

    def __init__(self, name: str, uses: Counter[str]) -> None:
        self.name = name
        self.uses = uses
        #: ONNX values that lead to a tensor without another layer.
        self.aliases: defaultdict[str, set[str]] = defaultdict(set)
        #: Tensors of real values that were quantised before.
        self.stored: dict[tuple[str, Quantisation], str] = {}
        self.tensors: dict[str, Tensor] = {}
        self._layers: list[Layer] = []
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []
        self._unsettled: set[str] = set()

    def add_tensor(
        self, name: str, shape: tuple[int, int, int, int], quantisation: Quantisation
    ) -> str:
        """Add a tensor and return its name."""
        self.tensors[name] = Tensor(
            name=name,
            shape=shape,
            dtype=quantisation.dtype,
            scale=quantisation.scale,
            zero_point=quantisation.zero_point,
        )
        return name

    def add_unsettled(
        self,
        name: str,
        shape: tuple[int, int, int, int],
        dtype: Literal["int8", "uint8"],
    ) -> str:
        """Add a tensor whose first reader will say how it is quantised."""
        self.add_tensor(name, shape, Quantisation(dtype=dtype, scale=1.0, zero_point=0))
        self._unsettled.add(name)
        return name

    def quantisation(self, tensor: str) -> Quantisation:
        """How a tensor is quantised.

        Raises
        ------
        ValueError
            If an activation took the tensor's place.
        """
        if tensor not in self.tensors:
            raise ValueError(f"activation behind {tensor!r} must be its only reader")
        found = self.tensors[tensor]
        assert found.dtype != "int16"
        return Quantisation(dtype=found.dtype, scale=found.scale, zero_point=found.zero_point)

    def settle(self, tensor: str, quantisation: Quantisation) -> None:
        """Check what a reader says of a tensor; the first one's word counts for an input.

        Raises
        ------
        ValueError
            If the tensor is quantised otherwise.
        """
        known = self.quantisation(tensor)
        if tensor in self._unsettled and known.dtype == quantisation.dtype:
            self._unsettled.remove(tensor)
            self.add_tensor(tensor, self.tensors[tensor].shape, quantisation)
            for layer in self._layers:  # max pooling hands its ifmap's quantisation on
                if isinstance(layer, PoolLayer) and tensor in (layer.ifmap, layer.ofmap):
                    for other in {layer.ifmap, layer.ofmap} & self._unsettled:
                        self.settle(other, quantisation)
        elif known != quantisation:
            raise ValueError(f"{tensor!r} must stay {known}, not become {quantisation}")

    def agrees(self, tensor: str, quantisation: Quantisation) -> bool:
        """Whether a tensor is quantised so, or its first reader may say so."""
        if tensor in self._unsettled and self.quantisation(tensor).dtype == quantisation.dtype:
            self.settle(tensor, quantisation)
        return self.quantisation(tensor) == quantisation

    def add_pooled(self, name: str, shape: tuple[int, int, int, int], ifmap: str) -> str:
        """Add a tensor that is quantised like ``ifmap``."""
        self.add_tensor(name, shape, self.quantisation(ifmap))
        if ifmap in self._unsettled:
            self._unsettled.add(name)
        return name

    def add_layer(self, layer: Layer) -> None:
        """Add a layer behind those it reads from."""
        self._layers.append(layer)

    def tighten(self, tensor: str, name: str, low: int, high: int, fused: tuple[str, ...]) -> str:
        """Clip a tensor in the layer that computes it, and call it ``name``: if it may."""
        index = self.maker(tensor)
        assert index is not None
        layer = clipped(self._layers[index], low, high)
        self.put(index, replace(layer, ofmap=name, fused=(*layer.fused, *fused)))
        self.tensors[name] = replace(self.tensors.pop(tensor), name=name)
        return name

    def may_tighten(self, tensor: str) -> bool:
        """Whether a layer computes a tensor, and nothing else reads it."""
        known = self.tensors[tensor]
        return not self.is_shared(tensor) and self.maker(tensor) is not None and not known.part

    def is_shared(self, tensor: str) -> bool:
        """Whether a tensor has several readers, graph outputs included."""
        return any(self.uses[alias] > 1 for alias in self.aliases[tensor])

    def maker(self, tensor: str) -> int | None:
        """Find the layer that computes a tensor; None where it is a graph input."""
        return next((i for i, layer in enumerate(self._layers) if layer.ofmap == tensor), None)

    def layer(self, index: int) -> Layer:
        """Give a layer by its number."""
        return self._layers[index]

    def put(self, index: int, layer: Layer) -> None:
        """Replace a layer."""
        self._layers[index] = layer

    def drop(self, index: int) -> None:
        """Take a layer out whose ofmap nothing reads."""
        del self.tensors[self._layers.pop(index).ofmap]

    def add_input(self, name: str, shape: tuple[int, ...], dtype: str, tensor: str) -> None:
        """Add a graph input.

        Raises
        ------
        ValueError
            If the input has a port already.
        """
        if any(port.name == name for port in self._inputs):
            raise ValueError(f"graph input {name!r} must be quantised once, not twice")
        self._inputs.append(Port(name=name, shape=shape, dtype=dtype, tensor=tensor))

    def add_output(
        self, name: str, shape: tuple[int, ...], dtype: str, tensor: str,
        host: HostFunction | None = None,
    ) -> None:  # fmt: skip
        """Add a graph output."""
        self._outputs.append(Port(name=name, shape=shape, dtype=dtype, tensor=tensor, host=host))

    def has_input(self, name: str) -> bool:
        """Whether a graph input has its port."""
        return any(port.name == name for port in self._inputs)

    def network(self) -> Network:
        """Everything that was added."""
        return Network(
            name=self.name,
            inputs=tuple(self._inputs),
            outputs=tuple(self._outputs),
            tensors=dict(self.tensors),
            layers=tuple(self._layers),
        )

"""Small networks with random contents, small enough for cycle-by-cycle simulation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import (
    ConvLayer,
    Layer,
    Network,
    PoolLayer,
    Port,
    Tensor,
    clip_range,
)
from stillflow.hw.layer import ConvShape, PoolShape

Shape = ConvShape | PoolShape
DType = Literal["int8", "uint8", "int16"]

#: Shapes of the layers by the network's name; each takes what the one before gives.
SHAPES: dict[str, tuple[Shape, ...]] = {
    "conv": (ConvShape(C=4, M=4, H=5, W=6, R=3, S=3, pad=(1, 1, 1, 1)),),
    "chain": (
        ConvShape(C=3, M=6, H=8, W=7, R=3, S=3, pad=(1, 1, 1, 1)),
        PoolShape(C=6, H=8, W=7, R=2, S=2, stride=(2, 2)),
        ConvShape(C=6, M=5, H=4, W=3, R=4, S=3),
    ),
    "odd": (
        ConvShape(N=2, G=3, C=6, M=9, H=6, W=5, R=3, S=2, stride=(2, 1), pad=(0, 1, 2, 0)),
        ConvShape(N=2, C=9, M=7, H=3, W=5, dilation=(1, 1)),
    ),
}
DTYPES: dict[str, DType] = {"conv": "int8", "chain": "uint8", "odd": "int8"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A network and its input.

    Parameters
    ----------
    network : Network
        Layers one after the other; the input is tensor ``t0``.
    inputs : dict of str to intx[N, C, H, W]
        Words of ``t0``.
    """

    network: Network
    inputs: dict[str, NDArray[np.integer]]


def make_case(name: str, *, seed: int, dtype: DType | None = None) -> Case:
    """Draw a network of `SHAPES` and its input.

    Parameters
    ----------
    name : str
        Key of `SHAPES`.
    seed : int
        The same seed gives the same numbers.
    dtype : str, optional
        Type of every tensor; by default `DTYPES`.
    """
    draw = np.random.default_rng(seed)
    shapes, dtype = SHAPES[name], dtype or DTYPES[name]
    low, high = clip_range(dtype)
    first = shapes[0]
    zero_point = int(draw.integers(low // 8, high // 8 + 1))
    tensors = {
        "t0": Tensor(
            name="t0",
            shape=(first.N, first.C, first.H, first.W),
            dtype=dtype,
            scale=1.0,
            zero_point=zero_point,
        )
    }
    layers: list[Layer] = []
    for number, shape in enumerate(shapes, 1):
        source, target = f"t{number - 1}", f"t{number}"
        channels = shape.C
        if isinstance(shape, ConvShape):
            channels, zero_point = shape.M, int(draw.integers(low // 8, high // 8 + 1))
        tensors[target] = Tensor(
            name=target,
            shape=(shape.N, channels, shape.E, shape.F),
            dtype=dtype,
            scale=1.0,
            zero_point=zero_point,
        )
        layers.append(_layer(shape, source, target, dtype, draw))
    last = tensors[f"t{len(shapes)}"]
    network = Network(
        name=name,
        inputs=(_port("x", tensors["t0"]),),
        outputs=(_port("y", last),),
        tensors=tensors,
        layers=tuple(layers),
    )
    words = draw.integers(low, high + 1, tensors["t0"].shape).astype(dtype)
    return Case(network=network, inputs={"t0": words})


def _port(name: str, tensor: Tensor) -> Port:
    return Port(name=name, shape=tensor.shape, dtype=tensor.dtype, tensor=tensor.name)


def _layer(
    shape: Shape, source: str, target: str, dtype: DType, draw: np.random.Generator
) -> Layer:
    """Draw a layer whose ofmap rarely saturates."""
    if isinstance(shape, PoolShape):
        return PoolLayer(name=target, op="maxpool", shape=shape, ifmap=source, ofmap=target)
    low, high = clip_range(dtype)
    terms = shape.C // shape.G * shape.R * shape.S
    spread = np.sqrt(terms) * 74 * (high - low) / 3.5  # of the psums
    scale = draw.uniform(0.5, 1.5, shape.M) * (high - low) / 6 / spread
    filters = draw.integers(-128, 128, (shape.M, shape.C // shape.G, shape.R, shape.S))
    return ConvLayer(
        name=target,
        op="conv",
        shape=shape,
        ifmap=source,
        ofmap=target,
        filters=filters.astype(np.int8),
        bias=draw.integers(-1000, 1000, shape.M),
        scale=scale.astype(np.float32),
        act_min=low,
        act_max=high,
    )

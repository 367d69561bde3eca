"""Hypothesis strategies: layers of every kind, alone or in a chain, with their words."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from stillflow.compiler.graph import ConvLayer, Layer, Network, PoolLayer, Port, Tensor, clip_range
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import ConvShape, PoolShape

MOST_WORK = 250_000  # products of a layer, counted as the slowest map takes them
Plane = tuple[int, int, int, int]
Draw = st.DrawFn

small = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A network with the words of its first tensor.

    Parameters
    ----------
    network : Network
        One layer or a chain of them.
    words : dict[str, ndarray]
        Of the first tensor, by its name.
    shapes : tuple
        Of the layers, for people.
    """

    network: Network
    words: dict[str, NDArray[np.integer]]
    shapes: tuple[ConvShape | PoolShape, ...]

    def __repr__(self) -> str:
        """Say what matters of the layers."""
        tensors = [f"{t.dtype} zero {t.zero_point}" for t in self.network.tensors.values()]
        ops = [f"{layer.op} {layer.shape}" for layer in self.network.layers]
        kind = "input" if self.network.inputs else "blocked"
        return f"<{kind} {tensors[0]}; " + "; ".join(
            f"{op} to {tensor}" for op, tensor in zip(ops, tensors[1:], strict=True)
        ) + ">"  # fmt: skip


@st.composite
def _pads(draw: Draw, most: tuple[int, int]) -> tuple[int, int, int, int]:
    """Draw padding: none, the same on both sides, or any."""
    kind = draw(st.sampled_from(["none", "symmetric", "any"]))
    if kind == "none":
        return 0, 0, 0, 0
    top, left, bottom, right = (draw(st.integers(0, most[axis])) for axis in (0, 1, 0, 1))
    return (top, left, top, left) if kind == "symmetric" else (top, left, bottom, right)


@st.composite
def _strides(draw: Draw, window: tuple[int, int]) -> tuple[int, int]:
    """Draw a stride: one, up to the window, beyond it, or any."""
    R, S = window
    kind = draw(st.sampled_from(["one", "within", "beyond", "any"]))
    ranges = {"one": (1, 1), "within": (min(2, R, S), min(R, S, 5)), "beyond": (2, 5)}
    low, high = ranges.get(kind, (1, 5))
    down, right = draw(st.integers(low, high)), draw(st.integers(low, high))
    return (down, max(right, min(S + 1, 7))) if kind == "beyond" else (down, right)


@st.composite
def _taps(draw: Draw, padded: int) -> tuple[int, int]:
    """Draw filter size and dilation along an axis that fit a padded ifmap."""
    taps = draw(st.one_of(st.integers(1, min(5, padded)), st.integers(1, padded), st.just(padded)))
    most = (padded - 1) // (taps - 1) if taps > 1 else 3
    return taps, draw(st.one_of(st.just(1), st.integers(1, max(1, min(3, most)))))


@st.composite
def conv_shapes(draw: Draw, plane: Plane) -> ConvShape:
    """Draw a convolution of an ifmap: dense, grouped, depthwise, or fully connected."""
    N, C, H, W = plane
    kind = draw(st.sampled_from(["dense", "dense", "grouped", "depthwise", "pointwise", "fc"]))
    if kind == "fc":
        return ConvShape(N=N, C=C, H=H, W=W, M=draw(st.integers(1, 24)), R=H, S=W)
    if kind == "pointwise":
        stride = draw(st.tuples(*[st.sampled_from([1, 1, 2, 3])] * 2))
        return ConvShape(N=N, C=C, H=H, W=W, M=draw(st.integers(1, 24)), stride=stride)
    G = {"dense": 1, "depthwise": C}.get(kind) or draw(
        st.sampled_from([g for g in range(1, C + 1) if C % g == 0])
    )
    per_group = draw(st.sampled_from([1, 1, 2, 3])) if G > 1 else draw(st.integers(1, 24))
    pad = draw(_pads((3, 3)))
    R, dilation_h = draw(_taps(H + pad[0] + pad[2]))
    S, dilation_w = draw(_taps(W + pad[1] + pad[3]))
    return ConvShape(
        N=N, G=G, C=C, H=H, W=W, M=G * per_group, R=R, S=S, stride=draw(_strides((R, S))),
        dilation=(dilation_h, dilation_w), pad=pad,
    )  # fmt: skip


@st.composite
def pool_shapes(draw: Draw, plane: Plane) -> PoolShape:
    """Draw a pooling of an ifmap, global pooling among them."""
    N, C, H, W = plane
    if draw(st.integers(0, 4)) == 0:
        return PoolShape(N=N, C=C, H=H, W=W, R=H, S=W)
    R, S = draw(st.integers(1, min(6, H))), draw(st.integers(1, min(6, W)))
    pad = draw(_pads(((R - 1) // 2, (S - 1) // 2)))
    return PoolShape(N=N, C=C, H=H, W=W, R=R, S=S, stride=draw(_strides((R, S))), pad=pad)


@st.composite
def _tensor(draw: Draw, name: str, shape: Plane, config: AcceleratorConfig) -> Tensor:
    dtype: Literal["int8", "uint8", "int16"] = "int16"
    if config.act_bits == 8:
        dtype = "uint8" if draw(st.booleans()) else "int8"
    low, high = clip_range(dtype)
    zero_point = draw(st.one_of(st.sampled_from([0, low, high]), st.integers(low, high)))
    return Tensor(name=name, shape=shape, dtype=dtype, scale=1.0, zero_point=zero_point)


@st.composite
def _conv(
    draw: Draw, name: str, source: Tensor, config: AcceleratorConfig
) -> tuple[ConvLayer, Tensor]:
    shape = draw(conv_shapes(source.shape))
    target = draw(_tensor(f"{name}:ofmap", (shape.N, shape.M, shape.E, shape.F), config))
    rng = np.random.default_rng(draw(seeds))
    weight_type = np.int8 if config.weight_bits == 8 else np.int16
    weight = np.iinfo(weight_type)
    terms = shape.C // shape.G * shape.R * shape.S
    spread = np.sqrt(terms) * 2.0 ** (config.act_bits + config.weight_bits - 2) / 3
    low, high = clip_range(target.dtype)
    if draw(st.booleans()):  # ReLU, or ReLU6
        low = target.zero_point
        high = draw(st.sampled_from([high, max(low, high - 30)]))
    unit = rng.uniform(0.5, 1.5, shape.M if draw(st.booleans()) else 1)
    layer = ConvLayer(
        name=name, op="conv", shape=shape, ifmap=source.name, ofmap=target.name,
        filters=rng.integers(
            weight.min, weight.max, (shape.M, shape.C // shape.G, shape.R, shape.S), endpoint=True
        ).astype(weight_type),
        bias=np.rint(rng.normal(0, spread, shape.M)).astype(np.int64),
        scale=np.broadcast_to(unit * 2.0 ** (config.act_bits - 2) / spread, shape.M).astype("f"),
        act_min=low, act_max=high,
    )  # fmt: skip
    return layer, target


@st.composite
def _pool(
    draw: Draw, name: str, source: Tensor, config: AcceleratorConfig
) -> tuple[PoolLayer, Tensor]:
    shape = draw(pool_shapes(source.shape))
    ofmap = (shape.N, shape.C, shape.E, shape.F)
    maximum = draw(st.booleans())
    target = replace(source, name=f"{name}:ofmap", shape=ofmap)
    scale = 1.0
    if not maximum:
        target = draw(_tensor(target.name, ofmap, config))
        scale = float(np.float32(draw(st.floats(0.5, 2)) / (shape.R * shape.S)))
    low, high = clip_range(target.dtype)
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    layer = PoolLayer(
        name=name, op="maxpool" if maximum else "avgpool", shape=shape, ifmap=source.name,
        ofmap=target.name, scale=scale, act_min=low, act_max=high,
    )  # fmt: skip
    return layer, target


def work_of(shape: ConvShape | PoolShape, config: AcceleratorConfig) -> int:
    """Products that a layer costs at the worst: groups as dense blocks, pooling as identities."""
    pixels = shape.N * shape.E * shape.F * shape.R * shape.S
    if isinstance(shape, PoolShape):
        return pixels * shape.C * config.channel_block
    per_group = shape.C // shape.G + config.channel_block * 2
    return pixels * max(shape.M, config.m_block) * per_group


@st.composite
def cases(draw: Draw, config: AcceleratorConfig) -> Case:
    """Draw a network of one to three layers for an accelerator, and its words."""
    plane = (
        draw(st.sampled_from([1, 1, 1, 2, 3])),
        draw(st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 40, 65]))),
        draw(st.integers(1, 14)),
        draw(st.integers(1, 14)),
    )
    source = draw(_tensor("ifmap", plane, config))
    tensors, layers = [source], list[Layer]()
    for number in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        make = draw(st.sampled_from([_conv, _conv, _pool]))
        layer, target = draw(make(f"layer{number}", tensors[-1], config))
        if work_of(layer.shape, config) > MOST_WORK and layers:
            break
        layers.append(layer)
        tensors.append(target)
    low, high = clip_range(source.dtype)
    rng = np.random.default_rng(draw(seeds))
    words = rng.integers(low, high, plane, endpoint=True).astype(source.dtype)
    ports = [
        Port(name=tensor.name, shape=tensor.shape, dtype=tensor.dtype, tensor=tensor.name)
        for tensor in tensors
    ]
    network = Network(
        name="fuzz",
        # A graph input of few channels may lie packed, any other tensor in channel blocks.
        inputs=(ports[0],) if draw(st.booleans()) else (),
        outputs=(ports[-1],),
        tensors={tensor.name: tensor for tensor in tensors},
        layers=tuple(layers),
    )
    shapes = tuple(layer.shape for layer in layers)
    return Case(network=network, words={source.name: words}, shapes=shapes)

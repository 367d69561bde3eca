"""Hypothesis strategies: layers of every kind, alone or in a chain, with their words."""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from stillflow.compiler.graph import (
    ConvLayer,
    Layer,
    Network,
    PoolLayer,
    Port,
    Tensor,
    clip_range,
    pooling,
)
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.sim.fuzz.coverage import BINS
from stillflow.sim.fuzz.endings import ended, pooled

MOST_WORK = 250_000  # products of a layer, counted as the slowest map takes them
Plane = tuple[int, int, int, int]
Draw = st.DrawFn

small = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Bins that a layer is to fall into; see `stillflow.sim.fuzz.coverage.BINS`."""

    op: str
    stride: str
    padding: str
    group: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A network with the words of the tensors that no layer computes.

    Parameters
    ----------
    network : Network
        One layer or a chain of them.
    words : dict[str, ndarray]
        Of these tensors, by name.
    shapes : tuple
        Of the layers, for people.
    """

    network: Network
    words: dict[str, NDArray[np.integer]]
    shapes: tuple[ConvShape | PoolShape, ...]

    def __repr__(self) -> str:
        """Say what matters of the layers."""
        tensors = self.network.tensors
        parts = [
            f"{layer.op} {layer.shape} to {tensors[layer.ofmap].dtype}"
            f"{' by table' if layer.table is not None else ''}"
            f"{f' {layer.joined}' if layer.joined is not None else ''}"
            f"{f' {pool.shape}' if (pool := pooling(layer)) is not None else ''}"
            for layer in self.network.layers
        ]
        kind = "input" if self.network.inputs else "blocked"
        return f"<{kind} {next(iter(tensors.values())).dtype}; {'; '.join(parts)}>"


@st.composite
def _pads(draw: Draw, most: tuple[int, int], kind: str) -> tuple[int, int, int, int]:
    """Draw padding of a kind, as far as there may be any."""
    if kind == "none":
        return 0, 0, 0, 0
    top, left, bottom, right = (draw(st.integers(0, most[axis])) for axis in (0, 1, 0, 1))
    if kind == "symmetric":
        top = max(top, min(1, most[0]))
        return top, left, top, left
    if (top, left) == (bottom, right):
        top = top - 1 if top else min(1, most[0])
    return top, left, bottom, right


@st.composite
def _strides(draw: Draw, window: tuple[int, int], kind: str) -> tuple[int, int]:
    """Draw a stride of a kind, as far as the window allows it."""
    if kind == "one":
        return 1, 1
    if kind == "beyond the window":
        down, right = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        return (window[0] + 1, right) if draw(st.booleans()) else (down, window[1] + 1)
    down, right = (draw(st.integers(1, min(side, 5))) for side in window)
    return (down, min(window[1], 2)) if down == 1 else (down, right)


@st.composite
def _taps(draw: Draw, padded: int) -> tuple[int, int]:
    """Draw filter size and dilation along an axis that fit a padded ifmap."""
    taps = draw(st.one_of(st.integers(1, min(5, padded)), st.integers(1, padded), st.just(padded)))
    most = (padded - 1) // (taps - 1) if taps > 1 else 3
    return taps, draw(st.one_of(st.just(1), st.integers(1, max(1, min(3, most)))))


@st.composite
def conv_shapes(draw: Draw, plane: Plane, aim: Aim) -> ConvShape:
    """Draw a convolution of an ifmap: dense, grouped, depthwise, or fully connected."""
    N, C, H, W = plane
    divisors = [g for g in range(2, C) if C % g == 0] or [1]
    G = {"dense": 1, "depthwise": C}.get(aim.group) or draw(st.sampled_from(divisors))
    per_group = draw(st.sampled_from([1, 1, 2, 3])) if G > 1 else draw(st.integers(1, 24))
    pad = draw(_pads((3, 3), aim.padding))
    kind = draw(st.sampled_from(["any", "any", "any", "pointwise", "fc"]))
    (R, dilation_h), (S, dilation_w) = (
        draw(_taps(side + pad[axis] + pad[axis + 2])) for axis, side in enumerate((H, W))
    )
    if kind == "pointwise":
        R, S, dilation_h, dilation_w = 1, 1, 1, 1
    if kind == "fc":
        R, S, dilation_h, dilation_w = H + pad[0] + pad[2], W + pad[1] + pad[3], 1, 1
    return ConvShape(
        N=N, G=G, C=C, H=H, W=W, M=G * per_group, R=R, S=S, dilation=(dilation_h, dilation_w),
        stride=draw(_strides((R, S), aim.stride)), pad=pad,
    )  # fmt: skip


@st.composite
def pool_shapes(draw: Draw, plane: Plane, aim: Aim) -> PoolShape:
    """Draw a pooling of an ifmap, global pooling among them."""
    N, C, H, W = plane
    if aim.padding == "none" and aim.stride == "one" and draw(st.integers(0, 2)) == 0:
        return PoolShape(N=N, C=C, H=H, W=W, R=H, S=W)
    R, S = (draw(st.integers(min(2, side), min(6, side))) for side in (H, W))
    if aim.padding == "none" and draw(st.booleans()):
        R = 1
    pad = draw(_pads((R - 1, S - 1), aim.padding))
    return PoolShape(
        N=N, C=C, H=H, W=W, R=R, S=S, stride=draw(_strides((R, S), aim.stride)), pad=pad
    )


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
    draw: Draw, name: str, source: Tensor, config: AcceleratorConfig, aim: Aim
) -> tuple[ConvLayer, Tensor]:
    shape = draw(conv_shapes(source.shape, aim))
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
    draw: Draw, name: str, source: Tensor, config: AcceleratorConfig, aim: Aim
) -> tuple[PoolLayer, Tensor]:
    shape = draw(pool_shapes(source.shape, aim))
    ofmap = (shape.N, shape.C, shape.E, shape.F)
    maximum = aim.op == "maxpool"
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
def aims(draw: Draw) -> Aim:
    """Draw what kind a layer is to be of."""
    return Aim(**{f.name: draw(st.sampled_from(BINS[f.name])) for f in fields(Aim)})


@st.composite
def cases(draw: Draw, config: AcceleratorConfig, aim: Aim) -> Case:
    """Draw a network for an accelerator, and its words: a layer as aimed at, up to two behind."""
    plane = (
        draw(st.sampled_from([1, 1, 1, 2, 3])),
        draw(st.one_of(st.integers(1, 20), st.sampled_from([6, 8, 12, 16, 24, 32, 33, 40, 65]))),
        draw(st.integers(2 if aim.stride == "up to the window" else 1, 14)),
        draw(st.integers(1, 14)),
    )
    source = draw(_tensor("ifmap", plane, config))
    tensors, layers, hidden = [source], list[Layer](), list[Tensor]()
    for number in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        kind = draw(aims()) if layers else aim
        make = _conv if kind.op == "conv" else _pool
        layer, target = draw(make(f"layer{number}", tensors[-1], config, kind))
        if work_of(layer.shape, config) > MOST_WORK and layers:
            break
        layer, made = draw(ended(layer, target, tensors, config))
        layer, target, own = draw(pooled(layer, tensors[-1], target, config))
        hidden += [*made, *own]
        layers.append(layer)
        tensors.append(target)
    rng = np.random.default_rng(draw(seeds))
    ports = [
        Port(name=tensor.name, shape=tensor.shape, dtype=tensor.dtype, tensor=tensor.name)
        for tensor in tensors
    ]
    network = Network(
        name="fuzz",
        # A graph input of few channels may lie packed, any other tensor in channel blocks.
        inputs=(ports[0],) if draw(st.booleans()) else (),
        outputs=(ports[-1],),
        tensors={tensor.name: tensor for tensor in (*tensors, *hidden)},
        layers=tuple(layers),
    )
    outside = network.stored - {layer.ofmap for layer in layers}
    words = {
        name: rng.integers(*clip_range(tensor.dtype), tensor.shape, endpoint=True).astype(
            tensor.dtype
        )
        for name, tensor in network.tensors.items()
        if name in outside
    }
    return Case(network=network, words=words, shapes=tuple(layer.shape for layer in layers))

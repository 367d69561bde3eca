"""Hypothesis strategies: what a layer's words go on to, a table, a second tensor, pooling."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from stillflow.compiler.endings import Joined, Pooled, Table
from stillflow.compiler.graph import ConvLayer, Layer, Tensor, clip_range
from stillflow.compiler.mapper import MappingError, choose_mapping
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import PoolShape
from stillflow.hw.residual import TABLE_BITS, encode_join
from stillflow.hw.tensor import blocked
from stillflow.hw.work import Windows

seeds = st.integers(0, 2**32 - 1)


@st.composite
def _words(draw: st.DrawFn, name: str, like: Tensor, *, fixed: bool) -> Tensor:
    """Draw the quantisation of words on their way to a tensor; or it stays, if ``fixed``."""
    if fixed:
        return replace(like, name=name)
    dtype: Literal["int8", "uint8", "int16"] = like.dtype
    if dtype != "int16":
        dtype = draw(st.sampled_from(["int8", "uint8"]))
    return replace(like, name=name, dtype=dtype, zero_point=draw(st.integers(*clip_range(dtype))))


@st.composite
def _joined(draw: st.DrawFn, own: Tensor, residual: Tensor, ofmap: Tensor) -> Joined:
    low, high = clip_range(ofmap.dtype)
    bounds = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    if draw(st.booleans()):
        bounds = [low, high]
    bits = 16 if ofmap.dtype == "int16" else 8
    op: Literal["add", "mul"] = draw(st.sampled_from(["add", "add", "mul"]))
    scales = 0, 0, draw(st.integers(bits - 4, bits))
    if op == "add":
        real = st.floats(2.0**-12, 8)
        scales = encode_join(draw(real), draw(real))
    return Joined(
        op=op, own=own.name, residual=residual.name, own_scale=scales[0],
        residual_scale=scales[1], shift=scales[2], act_min=bounds[0], act_max=bounds[1],
    )  # fmt: skip


@st.composite
def ended(
    draw: st.DrawFn, layer: Layer, target: Tensor, known: Sequence[Tensor],
    config: AcceleratorConfig,
) -> tuple[Layer, list[Tensor]]:  # fmt: skip
    """Let a layer end in a table, in joining with a second tensor, in both, or as it is.

    The second tensor is one of ``known`` of the ofmap's shape, or called ``NAME:residual``: then it
    comes from outside. A maximum keeps its quantisation. Gives the layer and the new tensors.
    """
    fixed = layer.op == "maxpool"
    made: list[Tensor] = []
    after = target
    if draw(st.integers(0, 2)) == 0:
        own = draw(_words(f"{layer.name}:own", target, fixed=fixed))
        outside = draw(_words(f"{layer.name}:residual", target, fixed=False))
        alike = [tensor for tensor in known if tensor.shape == target.shape]
        residual = draw(st.sampled_from([outside, *alike]))
        layer = replace(layer, joined=draw(_joined(own, residual, target)))
        made += [own, outside] if residual is outside else [own]
        after = own
    if config.act_bits == TABLE_BITS and draw(st.integers(0, 3)) == 0:
        index = draw(_words(f"{layer.name}:index", target, fixed=fixed))
        random = np.random.default_rng(draw(seeds))
        entries = random.integers(*clip_range(after.dtype), 256, endpoint=True)
        table = Table(index=index.name, entries=entries.astype(after.dtype))
        layer = replace(layer, table=table)
        made.append(index)
        after = index
    if made:
        low, high = clip_range(after.dtype)
        layer = replace(layer, act_min=low, act_max=high)
    return layer, made


@st.composite
def _windows(draw: st.DrawFn, extent: int) -> tuple[int, int, int, int]:
    """Draw size, stride and padding of windows that a pass can pool, along an axis."""
    size = draw(st.integers(2, max(2, min(5, extent))))
    before = draw(st.integers(0, size - 1))
    behind = draw(st.integers(max(0, size - extent - before), size - 1))
    return size, size - draw(st.integers(0, 1)), before, behind


@st.composite
def _mean_windows(draw: st.DrawFn, extent: int, *, whole: bool) -> tuple[int, int]:
    """Draw size and stride of windows without padding along an axis, the largest if ``whole``."""
    most = min(16, extent)
    size = most if whole else draw(st.integers(2, most))
    return size, size - draw(st.integers(0, 1))


@st.composite
def pooled(
    draw: st.DrawFn, layer: Layer, source: Tensor, target: Tensor, config: AcceleratorConfig
) -> tuple[Layer, Tensor, list[Tensor]]:
    """Let a layer pool its words, if it may. Gives the layer, its ofmap and new tensors."""
    if not (config.pools and isinstance(layer, ConvLayer) and draw(st.booleans())):
        return layer, target, []
    pooled, ofmap = draw(_pooled(target, config, joined=layer.joined is not None))
    fused = replace(layer, ofmap=ofmap.name, pooled=pooled)
    ifmap = blocked(*source.shape, block=config.channel_block, element_bytes=config.act_bytes)
    try:
        choose_mapping(plan_layer(fused, ifmap, config), config)
    except MappingError:  # a window is too large for the buffers
        return layer, target, []
    return fused, ofmap, [target]


@st.composite
def _pooled(
    draw: st.DrawFn, target: Tensor, config: AcceleratorConfig, *, joined: bool
) -> tuple[Pooled, Tensor]:
    """Draw a pooling of words and its ofmap."""
    N, C, H, W = target.shape
    if min(H, W) >= 2 and draw(st.booleans()):
        mean = draw(_means(target, config))
        if mean is not None:
            return mean
    (R, down, top, bottom), (S, right, left, last) = draw(_windows(H)), draw(_windows(W))
    if joined:  # residuals are read from the first pixel on
        top = left = 0
        bottom, last = max(bottom, R - H), max(last, S - W)
    shape = PoolShape(
        N=N, C=C, H=H, W=W, R=R, S=S, stride=(down, right), pad=(top, left, bottom, last)
    )
    ofmap = replace(target, name=f"{target.name}:pooled", shape=(N, C, shape.E, shape.F))
    return Pooled(own=target.name, shape=shape), ofmap


@st.composite
def _means(
    draw: st.DrawFn, target: Tensor, config: AcceleratorConfig
) -> tuple[Pooled, Tensor] | None:
    """Draw means of windows, if these are far enough from each other."""
    N, C, H, W = target.shape
    whole = draw(st.booleans())
    (R, down), (S, right) = (draw(_mean_windows(size, whole=whole)) for size in (H, W))
    shape = PoolShape(N=N, C=C, H=H, W=W, R=R, S=S, stride=(down, right))
    windows = Windows(size=(R, S), stride=(down, right))
    columns = [windows.pixels(1, count + 1) for count in range(shape.F)]
    if min(map(windows.distance, columns)) * config.pace < config.m_block:
        return None
    like = draw(_words(f"{target.name}:pooled", target, fixed=False))
    ofmap = replace(like, shape=(N, C, shape.E, shape.F))
    low, high = clip_range(ofmap.dtype)
    bounds = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    real = draw(st.floats(0.25, 2)) / (R * S)
    pooled = Pooled(
        own=target.name, shape=shape, scale=float(np.float32(real)), act_min=bounds[0],
        act_max=bounds[1],
    )  # fmt: skip
    return pooled, ofmap

"""Hypothesis strategies: what a layer's words go on to, a table, a second tensor, pooling."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from stillflow.compiler.endings import Joined, Pooled, Table
from stillflow.compiler.graph import ConvLayer, Layer, Tensor, clip_range
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import PoolShape
from stillflow.hw.residual import TABLE_BITS, encode_join

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
def pooled(
    draw: st.DrawFn, layer: Layer, target: Tensor, config: AcceleratorConfig
) -> tuple[Layer, Tensor, list[Tensor]]:
    """Let a layer pool its words, if it may. Gives the layer, its ofmap and new tensors."""
    may = config.pools and isinstance(layer, ConvLayer) and layer.joined is None
    if not (may and isinstance(layer, ConvLayer) and draw(st.booleans())):
        return layer, target, []
    N, C, H, W = target.shape
    (R, down, top, bottom), (S, right, left, last) = draw(_windows(H)), draw(_windows(W))
    shape = PoolShape(
        N=N, C=C, H=H, W=W, R=R, S=S, stride=(down, right), pad=(top, left, bottom, last)
    )
    ofmap = replace(target, name=f"{target.name}:pooled", shape=(N, C, shape.E, shape.F))
    fused = replace(layer, ofmap=ofmap.name, pooled=Pooled(own=target.name, shape=shape))
    return fused, ofmap, [target]

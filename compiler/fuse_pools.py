"""Pooling in the pass of the layer before, where the accelerator can and it pays."""

from collections.abc import Sequence
from dataclasses import replace

from stillflow.compiler.endings import Pooled
from stillflow.compiler.estimate import cost
from stillflow.compiler.graph import (
    ConvLayer,
    Layer,
    Network,
    Part,
    PoolLayer,
    Tensor,
    clip_range,
    read_tensors,
)
from stillflow.compiler.layouts import choose_layouts
from stillflow.compiler.mapper import MappingError, choose_mapping
from stillflow.compiler.objective import Objective
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import POOL_BITS
from stillflow.hw.layer import PoolShape
from stillflow.hw.tensor import TensorLayout


def fuse_pools(network: Network, config: AcceleratorConfig, objective: Objective) -> Network:
    """Let layers pool their own words.

    Parameters
    ----------
    network : Network
        Any.
    config : AcceleratorConfig
        The accelerator; without ``pool_windows`` nothing changes.
    objective : Objective
        What decides.

    Returns
    -------
    Network
        The same, without the pooling layers that others take on.
    """
    if not config.pools:
        return network
    layouts = choose_layouts(network, config)
    layers, tensors = list(network.layers), dict(network.tensors)
    for pool in network.layers:
        if not isinstance(pool, PoolLayer) or not _may_be_fused(pool):
            continue
        pieces, parts = _pieces(network, pool)
        makers = [_maker(network, layers, pool, piece.ifmap) for piece in pieces]
        before = [layer for layer in makers if layer is not None and _may_pool(layer, pool)]
        if len(before) < len(pieces):
            continue
        fused = [_fused(layer, piece) for layer, piece in zip(before, pieces, strict=True)]
        if _pays([*before, pool], fused, layouts, config, objective):
            for layer, better in zip(before, fused, strict=True):
                layers[layers.index(layer)] = better
            layers.remove(pool)
            tensors |= parts
    return replace(network, layers=tuple(layers), tensors=tensors)


def _pieces(network: Network, pool: PoolLayer) -> tuple[list[PoolLayer], dict[str, Tensor]]:
    """Give the pooling itself, or one for each part of what it reads, with parts of its ofmap."""
    found = [
        tensor
        for tensor in network.tensors.values()
        if tensor.part is not None and tensor.part.whole == pool.ifmap
    ]
    ofmap = network.tensors[pool.ofmap]
    covered = sum(tensor.shape[1] for tensor in found)
    if covered != pool.shape.C or ofmap.part is not None:
        return [pool], {}
    pieces, parts = list[PoolLayer](), dict[str, Tensor]()
    for tensor in found:
        assert tensor.part is not None
        N, C, H, W = tensor.shape
        if (tensor.part.row, tensor.part.column, H, W) != (0, 0, pool.shape.H, pool.shape.W):
            return [pool], {}
        name = f"{pool.ofmap}/{tensor.part.channel}"
        parts[name] = replace(
            ofmap, name=name, shape=(N, C, *ofmap.shape[2:]),
            part=Part(pool.ofmap, channel=tensor.part.channel),
        )  # fmt: skip
        shape = replace(pool.shape, C=C)
        pieces.append(replace(pool, shape=shape, ifmap=tensor.name, ofmap=name))
    return pieces, parts


def _may_pool(layer: ConvLayer, pool: PoolLayer) -> bool:
    """Whether nothing is in the way: residuals are read from the first pixel on."""
    return layer.pooled is None and (layer.joined is None or not any(pool.shape.pad[:2]))


def _fused(before: ConvLayer, pool: PoolLayer) -> ConvLayer:
    """Let a layer pool its words."""
    means = pool.op == "avgpool"
    pooled = Pooled(
        own=pool.ifmap, shape=_disjoint(pool.shape), scale=pool.scale if means else None,
        act_min=pool.act_min, act_max=pool.act_max,
    )  # fmt: skip
    return replace(before, ofmap=pool.ofmap, fused=(*before.fused, pool.name), pooled=pooled)


def _disjoint(shape: PoolShape) -> PoolShape:
    """Let the stride of an axis that has one window be the window's size."""
    strides = (
        size if count == 1 and step < size else step
        for size, count, step in zip(
            (shape.R, shape.S), (shape.E, shape.F), shape.stride, strict=True
        )
    )
    down, right = strides
    return replace(shape, stride=(down, right))


def _may_be_fused(pool: PoolLayer) -> bool:
    """Whether the hardware can follow the windows: see `stillflow.hw.sequencer.pool_walk`."""
    shape = _disjoint(pool.shape)
    sizes = shape.R, shape.S
    overlaps = [size - step for size, step in zip(sizes, shape.stride, strict=True)]
    unbounded = (pool.act_min, pool.act_max) == clip_range("int16")
    return (
        all(overlap in (0, 1) for overlap in overlaps)
        and 2 <= min(sizes) <= max(sizes) <= 1 << POOL_BITS
        and shape.dilation == (1, 1)
        and min(shape.pad) >= 0
        and all(pad < size for pad, size in zip(shape.pad, (*sizes, *sizes), strict=True))
        and (pool.table, pool.joined) == (None, None)
        and (unbounded if pool.op == "maxpool" else not any(shape.pad))
    )


def _maker(
    network: Network, layers: Sequence[Layer], pool: PoolLayer, ifmap: str
) -> ConvLayer | None:
    """Find the layer that computes an ifmap, or a part of one; nothing else reads that, or both."""
    ports = {port.tensor for port in (*network.inputs, *network.outputs)}
    names = {ifmap, pool.ifmap}
    readers = [layer for layer in layers if names & set(read_tensors(layer))]
    part = network.tensors[pool.ifmap].part
    if len(readers) > 1 or names & ports or ifmap in network.wholes or part is not None:
        return None
    makers = (layer for layer in layers if layer.ofmap == ifmap)
    layer = next(makers, None)
    return layer if isinstance(layer, ConvLayer) else None


def _pays(
    apart: Sequence[Layer], fused: Sequence[Layer], layouts: dict[str, TensorLayout],
    config: AcceleratorConfig, objective: Objective,
) -> bool:  # fmt: skip
    """Whether fewer passes are better, by the mapper's estimates."""

    def costs(layers: Sequence[Layer]) -> tuple[float, float]:
        first = second = 0.0
        for layer in layers:
            plan = plan_layer(layer, layouts[layer.ifmap], config)
            rate = cost(choose_mapping(plan, config, objective=objective), objective)
            first, second = first + rate[0], second + rate[1]
        return first, second

    try:
        return costs(fused) < costs(apart)
    except MappingError:
        return False

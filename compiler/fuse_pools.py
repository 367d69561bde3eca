"""Pooling in the pass of the layer before, where the accelerator can and it pays."""

from dataclasses import replace

from stillflow.compiler.endings import Pooled
from stillflow.compiler.estimate import cost
from stillflow.compiler.graph import (
    ConvLayer,
    Layer,
    Network,
    PoolLayer,
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
    layers = list(network.layers)
    for pool in network.layers:
        if not isinstance(pool, PoolLayer) or not _may_be_fused(pool):
            continue
        index = _maker(network, layers, pool)
        if index is None:
            continue
        before = layers[index]
        assert isinstance(before, ConvLayer)
        if before.joined is not None and max(pool.shape.pad[:2]) > 0:
            continue  # residuals are read from the first pixel on
        means = pool.op == "avgpool"
        fused = replace(
            before, ofmap=pool.ofmap, fused=(*before.fused, pool.name),
            pooled=Pooled(
                own=pool.ifmap, shape=_disjoint(pool.shape), scale=pool.scale if means else None,
                act_min=pool.act_min, act_max=pool.act_max,
            ),
        )  # fmt: skip
        if _pays((before, pool), fused, layouts, config, objective):
            layers[index] = fused
            layers.remove(pool)
    return replace(network, layers=tuple(layers))


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


def _maker(network: Network, layers: list[Layer], pool: PoolLayer) -> int | None:
    """Find the layer that computes a pooling's ifmap and may pool it: nothing else reads that."""
    ports = {port.tensor for port in (*network.inputs, *network.outputs)}
    readers = [layer for layer in layers if pool.ifmap in read_tensors(layer)]
    tensor = network.tensors[pool.ifmap]
    if len(readers) > 1 or pool.ifmap in ports | network.wholes or tensor.part is not None:
        return None
    for index, layer in enumerate(layers):
        if layer.ofmap == pool.ifmap:
            return index if isinstance(layer, ConvLayer) and layer.pooled is None else None
    return None


def _pays(
    apart: tuple[ConvLayer, PoolLayer], fused: ConvLayer, layouts: dict[str, TensorLayout],
    config: AcceleratorConfig, objective: Objective,
) -> bool:  # fmt: skip
    """Whether one pass is better than two, by the mapper's estimates."""

    def costs(*layers: Layer) -> tuple[float, float]:
        first = second = 0.0
        for layer in layers:
            plan = plan_layer(layer, layouts[layer.ifmap], config)
            rate = cost(choose_mapping(plan, config, objective=objective), objective)
            first, second = first + rate[0], second + rate[1]
        return first, second

    try:
        return costs(fused) < costs(*apart)
    except MappingError:
        return False

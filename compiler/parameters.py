"""A layer's weights, biases and scales as the groups of its work have them."""

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import ConvLayer, PoolLayer, Tensor
from stillflow.compiler.tensors import sign_offset
from stillflow.compiler.work import Plan
from stillflow.hw.config import AcceleratorConfig


def group_parameters(
    layer: ConvLayer, plan: Plan, tensors: dict[str, Tensor]
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64], NDArray[np.float32]]:
    """Split into filters [G, M, C, R, S], biases and scales [G, M] of the work's groups."""
    shape, merged = layer.shape, plan.merged
    if plan.work.depthwise:
        return _channel_parameters(layer, plan, tensors)
    if plan.halo:
        return _window_parameters(layer, plan, tensors)
    groups, per_c, per_m = plan.work.G, shape.C // shape.G, shape.M // shape.G
    filters = np.zeros(
        (groups, merged, per_m, merged, per_c, shape.R, shape.S), dtype=layer.filters.dtype
    )
    split = np.zeros((groups * merged * per_m, *layer.filters.shape[1:]), layer.filters.dtype)
    split[: shape.M] = layer.filters
    split = split.reshape(groups, merged, per_m, per_c, shape.R, shape.S)
    for i in range(merged):
        filters[:, i, :, i] = split[:, i]
    filters = filters.reshape(groups, merged * per_m, merged * per_c, shape.R, shape.S)
    source = tensors[layer.ifmap]
    zero_point = source.zero_point - sign_offset(source.dtype)
    sums = filters.astype(np.int64).sum(axis=(2, 3, 4))
    bias = np.zeros(groups * merged * per_m, np.int64)
    scale = np.ones(groups * merged * per_m, np.float32)
    bias[: shape.M], scale[: shape.M] = layer.bias, layer.scale
    return filters, bias.reshape(groups, -1) - zero_point * sums, scale.reshape(groups, -1)


def _channel_parameters(
    layer: ConvLayer, plan: Plan, tensors: dict[str, Tensor]
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64], NDArray[np.float32]]:
    """Split a depthwise layer's into filters [G, M, 1, R, S], biases and scales [G, M]."""
    shape, w = layer.shape, plan.work
    channels = w.G * w.M
    filters = np.zeros((channels, 1, shape.R, shape.S), dtype=layer.filters.dtype)
    filters[: shape.M] = layer.filters
    source = tensors[layer.ifmap]
    zero_point = source.zero_point - sign_offset(source.dtype)
    bias, scale = np.zeros(channels, np.int64), np.ones(channels, np.float32)
    bias[: shape.M] = layer.bias - zero_point * layer.filters.astype(np.int64).sum(axis=(1, 2, 3))
    scale[: shape.M] = layer.scale
    by_group = (w.G, w.M)
    return (
        filters.reshape(*by_group, 1, shape.R, shape.S),
        bias.reshape(by_group),
        scale.reshape(by_group),
    )


def _window_parameters(
    layer: ConvLayer, plan: Plan, tensors: dict[str, Tensor]
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64], NDArray[np.float32]]:
    """Cut a layer's band of weights: each group's filters see its own channels and the halo."""
    shape, w = layer.shape, plan.work
    before = plan.halo * w.M
    padded = np.zeros((w.G * w.M, w.G * w.M + 2 * before), layer.filters.dtype)
    padded[: shape.M, before : before + shape.C] = layer.filters[:, :, 0, 0]
    filters = np.stack([padded[g * w.M :][: w.M, g * w.M :][:, : w.C] for g in range(w.G)])
    bias, scale = np.zeros(w.G * w.M, np.int64), np.ones(w.G * w.M, np.float32)
    bias[: shape.M], scale[: shape.M] = layer.bias, layer.scale
    source = tensors[layer.ifmap]
    zero_point = source.zero_point - sign_offset(source.dtype)
    sums = filters.astype(np.int64).sum(axis=2)
    by_group = (w.G, w.M)
    return (
        filters[:, :, :, None, None],
        bias.reshape(by_group) - zero_point * sums,
        scale.reshape(by_group),
    )


def check_widths(bias: NDArray[np.int64], terms: int, config: AcceleratorConfig) -> None:
    """Refuse a layer whose psums might not fit ``acc_bits``."""
    largest = terms << (config.act_bits + config.weight_bits - 2)
    bound = largest + int(np.abs(bias).max())
    if bound.bit_length() + 1 > config.acc_bits:
        raise ValueError(
            f"psums of {terms} products need {bound.bit_length() + 1} bits; "
            f"acc_bits is {config.acc_bits}"
        )


def pool_parameters(
    layer: PoolLayer, plan: Plan, zero_point: int
) -> tuple[NDArray[np.signedinteger], NDArray[np.int64], NDArray[np.float32]]:
    """Write a pooling window as filters: channel c of the block passes to column c."""
    w = plan.work
    identity = np.eye(w.C, dtype=np.int64)[None, :, :, None, None]
    filters = np.broadcast_to(identity, (w.G, w.C, w.C, w.R, w.S))
    sum_of_zeros = zero_point * w.R * w.S if layer.op == "avgpool" else 0
    bias = np.full((w.G, w.C), -sum_of_zeros, dtype=np.int64)
    scale = np.full((w.G, w.C), layer.scale if layer.op == "avgpool" else 1.0, dtype=np.float32)
    return filters, bias, scale

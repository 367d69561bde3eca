"""Whole layers and networks, in the words of the tensors' own types."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.endings import Pooled
from stillflow.compiler.graph import (
    ConvLayer,
    Layer,
    Network,
    Part,
    Tensor,
    clip_range,
    finished,
    pooling,
    read_tensors,
    requantised,
    tabulated,
)
from stillflow.sim.golden.conv import conv
from stillflow.sim.golden.finish import join, look_up
from stillflow.sim.golden.pool import average_pool, max_pool
from stillflow.sim.golden.requantize import requantize


def run_layer(
    layer: Layer, ifmap: NDArray[np.integer], ifmap_tensor: Tensor, words_tensor: Tensor
) -> NDArray[np.integer]:
    """Compute one layer up to the requantiser's words.

    Parameters
    ----------
    layer : ConvLayer or PoolLayer
        What to compute.
    ifmap : intx[N, C, H, W]
        Words of ``ifmap_tensor``.
    ifmap_tensor, words_tensor : Tensor
        Shapes, types and zero points; the latter's name is what `requantised` says.

    Returns
    -------
    intx[N, M, E, F]
        Words of ``words_tensor``.

    Raises
    ------
    ValueError
        If the ifmap or the words are not of their tensor's shape and type, if maximum pooling
        changes type or zero point, or if the layer's own numbers are out of range.
    """
    _check_tensor(ifmap_tensor, ifmap)
    if isinstance(layer, ConvLayer):
        psums = conv(ifmap, layer.filters, layer.bias, layer.shape, ifmap_tensor.zero_point)
        words = requantize(
            psums,
            layer.scale,
            words_tensor.zero_point,
            layer.act_min,
            layer.act_max,
            words_tensor.dtype,
        )
    elif layer.op == "avgpool":
        words = average_pool(
            ifmap,
            layer.shape,
            layer.scale,
            ifmap_tensor.zero_point,
            words_tensor.zero_point,
            words_tensor.dtype,
            fill=layer.fill,
        )
    else:
        before, after = ifmap_tensor.zero_point, words_tensor.zero_point
        if before != after:
            raise ValueError(f"zero point of {words_tensor.name} must be {before}, not {after!r}")
        words = max_pool(ifmap, layer.shape)
    _check_tensor(words_tensor, words)
    low, high = clip_range(words_tensor.dtype)
    return words.clip(max(low, layer.act_min), min(high, layer.act_max))


def finish_layer(
    layer: Layer, words: dict[str, NDArray[np.integer]], tensors: Mapping[str, Tensor]
) -> None:
    """Add what a layer makes of the requantiser's words, which are there."""
    if layer.table is not None:
        after = tabulated(layer)
        words[after] = look_up(layer.table, words[layer.table.index])
        _check_tensor(tensors[after], words[after])
    if (joined := layer.joined) is not None:
        after = finished(layer)
        words[after] = join(
            joined, words[joined.own], words[joined.residual], tensors[joined.own],
            tensors[joined.residual], tensors[after],
        )  # fmt: skip
        _check_tensor(tensors[after], words[after])
    if (pooled := pooling(layer)) is not None:
        words[layer.ofmap] = _pool(
            pooled, words[pooled.own], tensors[pooled.own], tensors[layer.ofmap]
        )
        _check_tensor(tensors[layer.ofmap], words[layer.ofmap])


def _pool(
    pooled: Pooled, own: NDArray[np.integer], own_tensor: Tensor, ofmap_tensor: Tensor
) -> NDArray[np.integer]:
    """Take the largest words of windows, or their means."""
    if pooled.scale is None:
        return max_pool(own, pooled.shape)
    words = average_pool(
        own, pooled.shape, pooled.scale, own_tensor.zero_point, ofmap_tensor.zero_point,
        ofmap_tensor.dtype,
    )  # fmt: skip
    low, high = clip_range(ofmap_tensor.dtype)
    return words.clip(max(low, pooled.act_min), min(high, pooled.act_max))


def run_network(
    network: Network, inputs: Mapping[str, NDArray[np.integer]]
) -> dict[str, NDArray[np.integer]]:
    """Compute every tensor of a network.

    Parameters
    ----------
    network : Network
        Layers in execution order.
    inputs : mapping of str to intx[N, C, H, W]
        Words of every tensor that no layer computes, by the tensor's name. A matrix [N, C] is
        [N, C, 1, 1].

    Returns
    -------
    dict of str to intx[N, M, E, F]
        Words of every tensor by its name, the inputs included, and those that are never stored.

    Raises
    ------
    ValueError
        If an input is missing, is no tensor that the network reads from outside, or does not have
        its tensor's shape and type; and as `run_layer`.
    """
    computed = set(network.results)
    needed = sorted(
        (
            {port.tensor for port in network.inputs}
            | {name for layer in network.layers for name in read_tensors(layer)}
        )
        - computed
    )
    if sorted(inputs) != needed:
        raise ValueError(f"inputs must be the words of {needed}, not of {sorted(inputs)!r}")
    for name in needed:
        _check_tensor(network.tensors[name], inputs[name])

    words = dict(inputs)
    for layer in network.layers:
        first = requantised(layer)
        words[first] = run_layer(
            layer, words[layer.ifmap], network.tensors[layer.ifmap], network.tensors[first]
        )
        finish_layer(layer, words, network.tensors)
        words |= assembled(network, words)
    return words


def assembled(
    network: Network, words: Mapping[str, NDArray[np.integer]]
) -> dict[str, NDArray[np.integer]]:
    """Put tensors together whose parts are all there.

    Parameters
    ----------
    network : Network
        Says which tensors are parts.
    words : mapping of str to intx[N, C, H, W]
        Words of tensors by name.

    Returns
    -------
    dict of str to intx[N, C, H, W]
        Words of the tensors that are made of parts, by name.
    """
    parts: dict[str, list[tuple[Part, str]]] = {}
    for name, tensor in network.tensors.items():
        if tensor.part is not None:
            parts.setdefault(tensor.part.whole, []).append((tensor.part, name))
    made = {}
    for whole, found in parts.items():
        if all(name in words for _, name in found):
            tensor = network.tensors[whole]
            made[whole] = np.zeros(tensor.shape, tensor.dtype)  # blocks may leave channels over
            for part, name in found:
                starts = (0, part.channel, part.row, part.column)
                place = tuple(
                    slice(start, start + size)
                    for start, size in zip(starts, words[name].shape, strict=True)
                )
                made[whole][place] = words[name]
    return made


def _check_tensor(tensor: Tensor, words: NDArray[np.integer]) -> None:
    if words.shape != tensor.shape or words.dtype != tensor.dtype:
        raise ValueError(
            f"{tensor.name} must be {tensor.dtype}{list(tensor.shape)}, "
            f"not {words.dtype.name}{list(words.shape)}"
        )

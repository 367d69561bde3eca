"""Whole layers and networks, in the words of the tensors' own types."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import ConvLayer, Layer, Network, Tensor, clip_range
from stillflow.sim.golden.conv import conv
from stillflow.sim.golden.pool import average_pool, max_pool
from stillflow.sim.golden.requantize import requantize


def run_layer(
    layer: Layer, ifmap: NDArray[np.integer], ifmap_tensor: Tensor, ofmap_tensor: Tensor
) -> NDArray[np.integer]:
    """Compute one layer.

    Parameters
    ----------
    layer : ConvLayer or PoolLayer
        What to compute.
    ifmap : intx[N, C, H, W]
        Words of ``ifmap_tensor``.
    ifmap_tensor, ofmap_tensor : Tensor
        Shapes, types and zero points.

    Returns
    -------
    intx[N, M, E, F]
        Words of ``ofmap_tensor``.

    Raises
    ------
    ValueError
        If the ifmap or the ofmap is not of its tensor's shape and type, if maximum pooling changes
        type or zero point, or if the layer's own numbers are out of range.
    """
    _check_tensor(ifmap_tensor, ifmap)
    if isinstance(layer, ConvLayer):
        psums = conv(ifmap, layer.filters, layer.bias, layer.shape, ifmap_tensor.zero_point)
        ofmap = requantize(
            psums,
            layer.scale,
            ofmap_tensor.zero_point,
            layer.act_min,
            layer.act_max,
            ofmap_tensor.dtype,
        )
    elif layer.op == "avgpool":
        ofmap = average_pool(
            ifmap,
            layer.shape,
            layer.scale,
            ifmap_tensor.zero_point,
            ofmap_tensor.zero_point,
            ofmap_tensor.dtype,
        )
    else:
        before, after = ifmap_tensor.zero_point, ofmap_tensor.zero_point
        if before != after:
            raise ValueError(f"zero point of {layer.ofmap} must be {before}, not {after!r}")
        ofmap = max_pool(ifmap, layer.shape)
    _check_tensor(ofmap_tensor, ofmap)
    low, high = clip_range(ofmap_tensor.dtype)
    return ofmap.clip(max(low, layer.act_min), min(high, layer.act_max))


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
        Words of every tensor by its name, the inputs included.

    Raises
    ------
    ValueError
        If an input is missing, is no tensor that the network reads from outside, or does not have
        its tensor's shape and type; and as `run_layer`.
    """
    computed = {layer.ofmap for layer in network.layers}
    needed = sorted(
        ({port.tensor for port in network.inputs} | {layer.ifmap for layer in network.layers})
        - computed
    )
    if sorted(inputs) != needed:
        raise ValueError(f"inputs must be the words of {needed}, not of {sorted(inputs)!r}")
    for name in needed:
        _check_tensor(network.tensors[name], inputs[name])

    words = dict(inputs)
    for layer in network.layers:
        words[layer.ofmap] = run_layer(
            layer, words[layer.ifmap], network.tensors[layer.ifmap], network.tensors[layer.ofmap]
        )
    return words


def _check_tensor(tensor: Tensor, words: NDArray[np.integer]) -> None:
    if words.shape != tensor.shape or words.dtype != tensor.dtype:
        raise ValueError(
            f"{tensor.name} must be {tensor.dtype}{list(tensor.shape)}, "
            f"not {words.dtype.name}{list(words.shape)}"
        )

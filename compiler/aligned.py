"""Parts of tensors that begin within a channel block of the accelerator."""

from dataclasses import replace

import numpy as np

from stillflow.compiler.graph import ConvLayer, Layer, Network, Part, Tensor, clip_range
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import ConvShape


def aligned(network: Network, config: AcceleratorConfig) -> Network:
    """Let every part of a tensor begin with a channel block.

    A tensor with others gets a wider one, in which each part begins with a block of its own, and a
    layer that gathers the channels: a 1x1 convolution with a one for each of them.

    Parameters
    ----------
    network : Network
        Any.
    config : AcceleratorConfig
        The accelerator.

    Returns
    -------
    Network
        The same, unless a part begins within a block.
    """
    block = config.channel_block
    for whole in sorted(network.wholes):
        parts = _parts(network, whole)
        if any(part.channel % block for _, part in parts):
            network = _gathered(network, network.tensors[whole], parts, block)
    return network


def _parts(network: Network, whole: str) -> list[tuple[str, Part]]:
    """Parts of a tensor in the order of their channels."""
    found = [
        (name, tensor.part)
        for name, tensor in network.tensors.items()
        if tensor.part is not None and tensor.part.whole == whole
    ]
    return sorted(found, key=lambda entry: entry[1].channel)


def _gathered(
    network: Network, whole: Tensor, parts: list[tuple[str, Part]], block: int
) -> Network:
    N, C, H, W = whole.shape
    name = f"{whole.name}/apart"
    tensors = dict(network.tensors)
    wide, places = 0, np.zeros(C, np.int64)  # of each channel in the wider tensor
    for part_name, part in parts:
        channels = tensors[part_name].shape[1]
        places[part.channel : part.channel + channels] = wide + np.arange(channels)
        tensors[part_name] = replace(tensors[part_name], part=Part(name, wide))
        wide += -(-channels // block) * block
    tensors[name] = replace(whole, name=name, shape=(N, wide, H, W))
    filters = np.zeros((C, wide, 1, 1), np.int8)
    filters[np.arange(C), places] = 1
    low, high = clip_range(whole.dtype)
    gather = ConvLayer(
        name=f"{whole.name}/gather", op="gather", shape=ConvShape(N=N, C=wide, M=C, H=H, W=W),
        ifmap=name, ofmap=whole.name, filters=filters, bias=np.zeros(C, np.int64),
        scale=np.ones(C, np.float32), act_min=low, act_max=high,
    )  # fmt: skip
    return replace(network, tensors=tensors, layers=_inserted(network, gather, parts))


def _inserted(
    network: Network, gather: ConvLayer, parts: list[tuple[str, Part]]
) -> tuple[Layer, ...]:
    """Layers with one more behind the last that computes a part."""
    names = {name for name, _ in parts}
    last = max(i for i, layer in enumerate(network.layers) if layer.ofmap in names)
    return (*network.layers[: last + 1], gather, *network.layers[last + 1 :])

"""Copies in DRAM of tensors in the activation memory: how the host reads and writes those."""

from collections.abc import Iterable
from dataclasses import replace

from stillflow.compiler.graph import Network, PoolLayer
from stillflow.hw.layer import PoolShape


def copy_name(name: str) -> str:
    """Name of a tensor's copy in DRAM."""
    return f"{name}/copy"


def with_copies(network: Network, names: Iterable[str]) -> Network:
    """Append two layers for each tensor: one copies it to DRAM, the next one copies it back."""
    tensors, layers = dict(network.tensors), list(network.layers)
    for name in names:
        copy = copy_name(name)
        tensors[copy] = replace(tensors[name], name=copy)
        N, C, H, W = tensors[name].shape
        window = PoolShape(N=N, C=C, H=H, W=W, R=1, S=1)
        layers += [
            PoolLayer(name=f"{name} to DRAM", op="maxpool", shape=window, ifmap=name, ofmap=copy),
            PoolLayer(name=f"{name} on chip", op="maxpool", shape=window, ifmap=copy, ofmap=name),
        ]
    return replace(network, tensors=tensors, layers=tuple(layers))

"""Transpose where it moves no element, or channels only."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.frontend.lowering import Lowering
from stillflow.compiler.frontend.node import Node
from stillflow.compiler.frontend.values import Stored, Words, reshaped
from stillflow.compiler.graph import ConvLayer
from stillflow.hw.layer import ConvShape


def lower_transpose(lowering: Lowering, node: Node) -> None:
    """Transpose: a view where axes longer than one keep their order, or a shuffle of channels.

    Channels that are seen as several axes, as ShuffleNet sees its groups, are shuffled by a 1x1
    convolution with a one for each.
    """
    value = lowering.activation(node, 0)
    rank = len(value.shape)
    given = node.attributes.get("perm", list(reversed(range(rank))))
    order = [int(axis) for axis in given]
    shape = tuple(value.shape[axis] for axis in order)
    moving = [axis for axis in order if value.shape[axis] > 1]
    if moving == sorted(moving):
        lowering.bind(node.output, reshaped(value, shape, node.output))
        return
    words = lowering.words(node, 0)
    N, C, _, _ = lowering.builder.tensors[words.tensor].shape
    places = _shuffle(words.shape, order, N, C)
    if places is None:
        raise node.error(
            f"perm {order} of {list(value.shape)} must only move axes of one element, or axes that "
            "are channels together"
        )
    tensor = _gather(lowering, node, words, places)
    if isinstance(value, Words):
        lowering.bind(node.output, Words(tensor=tensor, shape=shape))
    else:
        lowering.produce(node, shape, Stored(tensor=tensor))


def _shuffle(shape: tuple[int, ...], order: list[int], N: int, C: int) -> NDArray[np.int64] | None:
    """Channel of the ifmap for each of the ofmap, if nothing but channels moves."""
    inner = next((i for i in range(2, len(shape) + 1) if prod(shape[1:i]) == C), None)
    if (
        shape[0] != N
        or inner is None
        or order[0] != 0
        or order[inner:] != [*range(inner, len(shape))]
    ):
        return None
    channels = np.arange(C).reshape(shape[1:inner])
    return channels.transpose([axis - 1 for axis in order[1:inner]]).reshape(-1)


def _gather(lowering: Lowering, node: Node, words: Words, places: NDArray[np.int64]) -> str:
    builder = lowering.builder
    N, C, H, W = shape = builder.tensors[words.tensor].shape
    held = builder.quantisation(words.tensor)
    ofmap = builder.add_tensor(node.output, shape, held)
    filters = np.zeros((C, C, 1, 1), np.int8)
    filters[np.arange(C), places] = 1
    low, high = held.range
    builder.add_layer(
        ConvLayer(
            name=node.name, op="gather", shape=ConvShape(N=N, C=C, M=C, H=H, W=W),
            ifmap=words.tensor, ofmap=ofmap, filters=filters, bias=np.zeros(C, np.int64),
            scale=np.ones(C, np.float32), act_min=low, act_max=high,
        )
    )  # fmt: skip
    return ofmap


HANDLERS = {("", "Transpose"): lower_transpose}

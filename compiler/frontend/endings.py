"""What a layer's words may go on to: a second tensor, a table, a place in another tensor.

Where the layer that computes them cannot take it on, a pass of its own does.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.frontend.builder import NetworkBuilder
from stillflow.compiler.graph import Layer, Part, PoolLayer, clip_range
from stillflow.hw.layer import PoolShape


def join(
    builder: NetworkBuilder, name: str, operands: tuple[str, str], output: str,
    make: Callable[[str, str], Joined], fused: tuple[str, ...],
) -> None:  # fmt: skip
    """Join two tensors in the layer that computes the later of them.

    Parameters
    ----------
    builder : NetworkBuilder
        With both tensors.
    name : str
        The node's.
    operands : tuple[str, str]
        Tensors of the same shape.
    output : str
        Tensor that they become, known already.
    make : callable
        Gives what joins own words with a residual tensor, from the tensors' names.
    fused : tuple[str, ...]
        Nodes that set the bounds.
    """
    residual, own = sorted(
        operands, key=lambda tensor: -1 if (i := builder.maker(tensor)) is None else i
    )
    index = _free(builder, own)
    if index is not None and builder.layer(index).joined is None:
        layer = builder.layer(index)
        joined = make(own, residual)
        builder.put(
            index, replace(layer, ofmap=output, joined=joined, fused=(*layer.fused, name, *fused))
        )
        return
    copy = _copy(builder, name, own, f"{output}/{own}", fused)
    builder.add_layer(replace(copy, ofmap=output, joined=make(copy.ofmap, residual)))


def tabulate(
    builder: NetworkBuilder, name: str, ifmap: str, output: str, entries: NDArray[np.integer],
    fused: tuple[str, ...],
) -> None:  # fmt: skip
    """Look a tensor's words up in the layer that computes it.

    ``entries`` are for its words, the smallest first.
    """
    index = _free(builder, ifmap)
    if index is not None:
        layer = builder.layer(index)
        if layer.joined is None and layer.table is None:
            table = Table(index=ifmap, entries=entries)
            builder.put(
                index, replace(layer, ofmap=output, table=table, fused=(*layer.fused, name, *fused))
            )
            return
    add_table(builder, name, ifmap, output, entries, fused)


def add_table(
    builder: NetworkBuilder, name: str, ifmap: str, output: str, entries: NDArray[np.integer],
    fused: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Look a tensor's words up in a pass of its own."""
    copy = _copy(builder, name, ifmap, f"{output}/{ifmap}", fused)
    table = Table(index=copy.ofmap, entries=entries)
    builder.add_layer(replace(copy, ofmap=output, table=table))


def make_part(builder: NetworkBuilder, tensor: str, part: Part) -> bool:
    """Let a tensor lie in another one, if a layer computes it and it may."""
    known = builder.tensors[tensor]
    wholes = {other.part.whole for other in builder.tensors.values() if other.part}
    index = builder.maker(tensor)
    if index is None or known.part is not None or tensor in wholes:
        return False
    apart = known.shape[0] > 1 or known.shape[2:] != builder.tensors[part.whole].shape[2:]
    if builder.layer(index).joined is not None and apart:
        return False  # its residuals lie as a tensor of its own does
    builder.tensors[tensor] = replace(known, part=part)
    return True


def add_part(
    builder: NetworkBuilder, name: str, shape: tuple[int, int, int, int], part: Part
) -> str:
    """Add a tensor that lies in another one."""
    whole = builder.tensors[part.whole]
    builder.tensors[name] = replace(whole, name=name, shape=shape, part=part)
    return name


def hand_on(builder: NetworkBuilder, name: str, tensor: str) -> str:
    """Copy a tensor in a pass, into one called after ``name``."""
    copy = _copy(builder, name, tensor, f"{name}/copy", ())
    builder.add_layer(copy)
    return copy.ofmap


def take_padding(builder: NetworkBuilder, tensor: str) -> tuple[str, tuple[int, int, int, int]]:
    """Take back a pass that pads a tensor with zeros, for a reader who pads as well.

    Returns
    -------
    str, tuple[int, int, int, int]
        Tensor before it, and the padding: none if there was no such pass, or others read it.
    """
    index = _free(builder, tensor)
    if (
        index is not None
        and _only_pads(layer := builder.layer(index))
        and builder.quantisation(layer.ifmap) == builder.quantisation(tensor)
    ):
        builder.drop(index)
        return layer.ifmap, layer.shape.pad
    return tensor, (0, 0, 0, 0)


def _only_pads(layer: Layer) -> bool:
    shape = layer.shape
    return (
        isinstance(layer, PoolLayer)
        and layer.op == "avgpool"
        and shape.R == shape.S == 1
        and shape.stride == (1, 1)
        and min(shape.pad) >= 0
        and (layer.scale, layer.fill, layer.table, layer.joined) == (1.0, 0, None, None)
        and not layer.fused
    )


def _free(builder: NetworkBuilder, tensor: str) -> int | None:
    """Find the layer that computes a tensor, if it may go on with it: there is one reader."""
    known = builder.tensors[tensor]
    if builder.is_shared(tensor) or known.part is not None:
        return None
    return builder.maker(tensor)


def _copy(
    builder: NetworkBuilder, name: str, ifmap: str, own: str, fused: tuple[str, ...]
) -> PoolLayer:
    """Make a layer that hands words on as they are, into a tensor ``own``."""
    source = builder.tensors[ifmap]
    N, C, H, W = source.shape
    builder.tensors[own] = replace(source, name=own, part=None)
    low, high = clip_range(source.dtype)
    return PoolLayer(
        name=name, op="avgpool", shape=PoolShape(N=N, C=C, H=H, W=W, R=1, S=1), ifmap=ifmap,
        ofmap=own, act_min=low, act_max=high, fused=fused,
    )  # fmt: skip

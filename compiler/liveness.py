"""Places in DRAM for tensors that are not needed at the same time."""

from collections.abc import Mapping

from stillflow.compiler.graph import Network, read_tensors


def lifetimes(network: Network) -> dict[str, tuple[int, int]]:
    """First and last layer during which each tensor must be in DRAM.

    Graph inputs are there before layer 0, graph outputs stay behind the last one. Tensors that are
    made of parts live as long as any of these; parts have no place of their own.
    """
    layers = network.layers
    first: dict[str, int] = {}
    last: dict[str, int] = {}

    def touch(name: str, index: int) -> None:
        part = network.tensors[name].part
        name = name if part is None else part.whole
        first[name] = min(first.get(name, index), index)
        last[name] = max(last.get(name, index), index)

    for index, layer in enumerate(layers):
        for name in (*read_tensors(layer), layer.ofmap):
            touch(name, index)
    for port in network.inputs:
        touch(port.tensor, -1)
    for port in network.outputs:
        touch(port.tensor, len(layers))
    return {name: (first[name], last[name]) for name in first}


def shared_places(
    lives: Mapping[str, tuple[int, int]], sizes: Mapping[str, int], *, alignment: int
) -> tuple[dict[str, int], int]:
    """Offsets at which no two tensors overlap that live at the same time.

    The largest tensor is placed first, each as low as it fits.

    Parameters
    ----------
    lives : mapping of str to (int, int)
        First and last moment of each tensor, both included.
    sizes : mapping of str to int
        Bytes of each.
    alignment : int
        Of every offset.

    Returns
    -------
    dict of str to int, int
        Offsets, and bytes in all.
    """
    placed: list[tuple[int, int, str]] = []  # offset, end, name
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        offset = lowest_place(placed, lives, name, sizes[name], alignment=alignment)
        placed.append((offset, offset + sizes[name], name))
    total = max((end for _, end, _ in placed), default=0)
    return {name: offset for offset, _, name in placed}, total


def lowest_place(
    placed: list[tuple[int, int, str]],
    lives: Mapping[str, tuple[int, int]],
    name: str,
    size: int,
    *,
    alignment: int,
) -> int:
    """Lowest offset for a tensor beside those that are placed: their offsets, ends and names."""
    first, last = lives[name]
    offset = 0
    for begin, end, other in sorted(placed):
        apart = lives[other][1] < first or last < lives[other][0]
        if apart or end <= offset:
            continue
        if begin >= offset + size:
            break
        offset = -(-end // alignment) * alignment
    return offset

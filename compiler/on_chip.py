"""Which tensors stay in the activation memory between the layers."""

from collections.abc import Mapping

from stillflow.compiler.graph import Network, read_tensors
from stillflow.compiler.liveness import lifetimes, lowest_place

Life = tuple[int, int]


def on_chip_places(
    network: Network, sizes: Mapping[str, int], *, capacity: int, alignment: int
) -> dict[str, int]:
    """Offsets in the activation memory of the tensors that it takes.

    Tensors between layers, whole, as long as they live; what the host writes or reads is in DRAM.
    The first are those that save most traffic for a byte and a layer's time, those that save most,
    or the shortest-lived: whichever order saves most in all.

    Parameters
    ----------
    network : Network
        What is compiled.
    sizes : mapping of str to int
        Bytes of each tensor that may be on chip.
    capacity : int
        Bytes of the memory.
    alignment : int
        Of every offset.
    """
    lives = {
        name: life
        for name, life in lifetimes(network).items()
        if name in sizes and life[0] >= 0 and life[1] < len(network.layers)
        and name not in _given(network)
    }  # fmt: skip
    saved = _saved(network, sizes)

    def span(name: str) -> int:
        first, last = lives[name]
        return last - first + 1

    orders = (
        lambda name: (-saved[name] / (sizes[name] * span(name)), -saved[name], name),
        lambda name: (-saved[name], span(name), name),
        lambda name: (span(name), -saved[name], name),
    )
    choices = [
        _placed(sorted(lives, key=order), lives, sizes, capacity=capacity, alignment=alignment)
        for order in orders
    ]
    return max(choices, key=lambda places: sum(saved[name] for name in places))


def _whole(network: Network, name: str) -> str:
    part = network.tensors[name].part
    return name if part is None else part.whole


def _given(network: Network) -> set[str]:
    """Tensors of which no layer makes all that is read."""
    made = {layer.ofmap for layer in network.layers}
    read = {name for layer in network.layers for name in read_tensors(layer)}
    parts = {name for name, tensor in network.tensors.items() if tensor.part is not None}
    return {_whole(network, name) for name in (read | parts) - made - network.wholes}


def _saved(network: Network, sizes: Mapping[str, int]) -> dict[str, int]:
    """Bytes that need not move between DRAM and chip, each tensor and each use once."""
    saved = dict.fromkeys(sizes, 0)
    for layer in network.layers:
        for name in (*read_tensors(layer), layer.ofmap):
            whole = _whole(network, name)
            if whole in saved:
                shape, all_of = network.tensors[name].shape, network.tensors[whole].shape
                saved[whole] += sizes[whole] * _elements(shape) // _elements(all_of)
    return saved


def _elements(shape: tuple[int, int, int, int]) -> int:
    N, C, H, W = shape
    return N * C * H * W


def _placed(
    names: list[str],
    lives: Mapping[str, Life],
    sizes: Mapping[str, int],
    *,
    capacity: int,
    alignment: int,
) -> dict[str, int]:
    """Place what finds room, one after the other."""
    placed: list[tuple[int, int, str]] = []
    for name in names:
        offset = lowest_place(placed, lives, name, sizes[name], alignment=alignment)
        if offset + sizes[name] <= capacity:
            placed.append((offset, offset + sizes[name], name))
    return {name: offset for offset, _, name in placed}

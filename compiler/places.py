"""Places of a network's tensors, in DRAM and in the activation memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from stillflow.compiler.graph import Network
from stillflow.compiler.liveness import lifetimes, shared_places
from stillflow.compiler.on_chip import on_chip_places
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.tensor import TensorLayout


@dataclass
class Allocator:
    """Hands out DRAM from address 0 upwards."""

    alignment: int
    top: int = 0

    def take(self, size: int) -> int:
        """Give the address of so many bytes."""
        address = self.top
        self.top += -(-size // self.alignment) * self.alignment
        return address


def _own_sizes(
    network: Network, layouts: Mapping[str, TensorLayout], margins: Mapping[str, int]
) -> dict[str, int]:
    """Bytes of each tensor that has a place of its own, with its margins."""
    return {
        name: layouts[name].bytes + 2 * margins.get(name, 0)
        for name, tensor in network.tensors.items()
        if name in layouts and tensor.part is None
    }


def choose_on_chip(
    network: Network,
    layouts: Mapping[str, TensorLayout],
    margins: Mapping[str, int],
    config: AcceleratorConfig,
) -> dict[str, int]:
    """Addresses of tensors in the activation memory. The host writes margins: none with them."""
    if not config.activation_kib:
        return {}
    sizes = _own_sizes(network, layouts, margins)
    offsets = on_chip_places(
        network,
        {name: size for name, size in sizes.items() if name not in margins},
        capacity=config.activation_kib * 1024,
        alignment=config.axi_bytes,
    )
    return {name: config.activation_base + offset for name, offset in offsets.items()}


def place_tensors(
    network: Network,
    layouts: Mapping[str, TensorLayout],
    config: AcceleratorConfig,
    margins: Mapping[str, int],
    on_chip: Mapping[str, int],
    allocator: Allocator,
    *,
    reuse: bool,
) -> dict[str, int]:
    """Give every tensor that is not on chip its DRAM address; parts lie in what they make.

    ``margins`` are bytes before and behind tensors that are read, too. With ``reuse`` tensors that
    are not needed at the same time share their places.
    """
    sizes = _own_sizes(network, layouts, margins)
    outside = {name: size for name, size in sizes.items() if name not in on_chip}
    if reuse:
        offsets, total = shared_places(lifetimes(network), outside, alignment=allocator.alignment)
        base = allocator.take(total)
        places = {name: base + offset for name, offset in offsets.items()}
    else:
        places = {name: allocator.take(size) for name, size in outside.items()}
    addresses = dict(on_chip)
    addresses |= {name: place + margins.get(name, 0) for name, place in places.items()}
    for name, tensor in network.tensors.items():
        if (part := tensor.part) is not None and name in layouts:
            planes, rest = divmod(part.channel, config.channel_block)
            assert rest == 0, "see stillflow.compiler.aligned"
            layout = layouts[name]
            addresses[name] = (
                addresses[part.whole] + planes * layout.plane_bytes + part.row * layout.row_bytes
                + part.column * layout.pixel * layout.element_bytes
            )  # fmt: skip
    return addresses

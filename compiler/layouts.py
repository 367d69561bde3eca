"""How the tensors of a network lie in DRAM."""

from collections.abc import Sequence

from stillflow.compiler.estimate import estimate_cycles
from stillflow.compiler.graph import ConvLayer, Network, Tensor, read_tensors
from stillflow.compiler.mapper import MappingError, choose_mapping
from stillflow.compiler.work import merged_groups, plan_layer, suits_chains
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.tensor import TensorLayout, blocked, packed, part_of


def choose_layouts(network: Network, config: AcceleratorConfig) -> dict[str, TensorLayout]:
    """Layout of every tensor by name.

    What the hardware writes, or packed where the host does and it is faster. The groups of a
    grouped convolution begin in channel blocks of their own where no other layer sees the tensors
    and it is faster than to compute several groups as one.
    """
    stored = network.stored
    layouts = {
        name: _layout(network, tensor, config)
        for name, tensor in network.tensors.items()
        if name in stored and tensor.part is None
    }
    parts = {
        name: t.part
        for name, t in network.tensors.items()
        if t.part is not None and t.part.whole in stored
    }
    touched = [name for layer in network.layers for name in (*read_tensors(layer), layer.ofmap)]
    for layer in network.layers:
        if not isinstance(layer, ConvLayer) or layer.ifmap == layer.ofmap or layer.joined:
            continue
        if any(name in parts or name in network.wholes for name in (layer.ifmap, layer.ofmap)):
            continue
        if all(touched.count(name) == 1 for name in (layer.ifmap, layer.ofmap)):
            layouts |= _in_groups(layer, network, layouts[layer.ifmap], config)
    return layouts | {
        name: part_of(layouts[part.whole], network.tensors[name].shape)
        for name, part in parts.items()
    }


def _in_groups(
    layer: ConvLayer, network: Network, ifmap: TensorLayout, config: AcceleratorConfig
) -> dict[str, TensorLayout]:
    """Layouts of both tensors of a layer in its groups, if that is faster."""
    shape, block = layer.shape, config.channel_block
    if merged_groups(shape, block) == 1 or suits_chains(shape, config, packed=False):
        return {}
    grouped = {
        name: blocked(
            *network.tensors[name].shape, block=block, element_bytes=config.act_bytes,
            groups=shape.G,
        )
        for name in (layer.ifmap, layer.ofmap)
    }  # fmt: skip
    apart, together = (_cycles_with(at, [layer], config) for at in (grouped[layer.ifmap], ifmap))
    return grouped if apart < together else {}


def _layout(network: Network, tensor: Tensor, config: AcceleratorConfig) -> TensorLayout:
    """Layout of a tensor whose channels follow each other.

    A graph input that only dense convolutions read may be packed: chunks of the reduction then run
    across filter columns and rows, which pays if the channels do not fill their blocks.
    """
    N, C, H, W = tensor.shape
    size = config.act_bytes
    in_blocks = blocked(N, C, H, W, block=config.channel_block, element_bytes=size)
    is_input = any(port.tensor == tensor.name for port in network.inputs)
    is_output = any(port.tensor == tensor.name for port in network.outputs)
    users = [layer for layer in network.layers if tensor.name in read_tensors(layer)]
    dense = [
        user
        for user in users
        if isinstance(user, ConvLayer)
        and user.shape.G == 1
        and user.ifmap == tensor.name
        and not user.joined
    ]
    if not is_input or is_output or not users or len(dense) < len(users):
        return in_blocks
    if C % config.channel_block == 0 or H * W == 1:
        return in_blocks
    in_pixels = packed(N, C, H, W, beat=config.axi_bytes, element_bytes=size)
    return min((in_pixels, in_blocks), key=lambda layout: _cycles_with(layout, dense, config))


def _cycles_with(
    layout: TensorLayout, users: Sequence[ConvLayer], config: AcceleratorConfig
) -> float:
    try:
        return sum(
            estimate_cycles(choose_mapping(plan_layer(user, layout, config), config))
            for user in users
        )
    except MappingError:
        return float("inf")


def margins_of(
    network: Network, layouts: dict[str, TensorLayout], config: AcceleratorConfig
) -> dict[str, int]:
    """Bytes before and behind tensors that are read, too; their weights are zero."""
    plans = {
        layer.ifmap: plan_layer(layer, layouts[layer.ifmap], config)
        for layer in network.layers
        if layer.op == "lrn"
    }
    return {name: p.halo * layouts[name].plane_bytes for name, p in plans.items() if p.halo}

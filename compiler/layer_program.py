"""One layer, compiled: its nest, its descriptor and its filter stream."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from stillflow.compiler.filters import filter_stream
from stillflow.compiler.finish import finish_fields
from stillflow.compiler.graph import ConvLayer, Layer, Network, PoolLayer, clip_range, requantised
from stillflow.compiler.limits import check_end, check_fields
from stillflow.compiler.lower import lower, pack
from stillflow.compiler.parameters import check_widths, group_parameters, pool_parameters
from stillflow.compiler.placement import Placement
from stillflow.compiler.tensors import sign_offset
from stillflow.compiler.work import Plan, plan_layer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import Op
from stillflow.hw.mapping import Mapping
from stillflow.hw.tensor import TensorLayout
from stillflow.hw.work import OnChip


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerProgram:
    """One layer, compiled.

    Parameters
    ----------
    layer : Layer
        What it computes.
    plan : Plan
        Its work.
    mapping : Mapping
        Its nest.
    descriptor : dict[str, int]
        Fields of its descriptor.
    """

    layer: Layer
    plan: Plan
    mapping: Mapping
    descriptor: dict[str, int]


def plan_placed(
    layer: Layer,
    layouts: dict[str, TensorLayout],
    addresses: dict[str, int],
    config: AcceleratorConfig,
) -> Plan:
    """Work of a layer with its tensors where they are."""
    plan = plan_layer(layer, layouts[layer.ifmap], config, layouts[layer.ofmap])
    if not config.activation_kib:
        return plan
    residual = layer.joined is not None and config.on_chip(addresses[layer.joined.residual])
    on_chip = OnChip(
        ifmap=config.on_chip(addresses[layer.ifmap]), residual=residual,
        ofmap=config.on_chip(addresses[layer.ofmap]),
    )  # fmt: skip
    return replace(plan, work=replace(plan.work, on_chip=on_chip))


def compile_layer(
    layer: Layer,
    network: Network,
    config: AcceleratorConfig,
    layouts: dict[str, TensorLayout],
    addresses: dict[str, int],
    table_address: int,
    filters_address: int,
    choose: Callable[[Plan, AcceleratorConfig], Mapping],
    contents: bool,
) -> tuple[LayerProgram, bytes]:
    """Compile a layer whose tensors have their places: the program, and its filter stream.

    ``choose`` gives the nest; without ``contents`` the filter stream stays empty.

    Raises
    ------
    ValueError
        If the layer does not fit the accelerator's words or buffers.
    """
    check_end(layer, config)
    source, target = network.tensors[layer.ifmap], network.tensors[requantised(layer)]
    plan = plan_placed(layer, layouts, addresses, config)
    w = plan.work
    offset = sign_offset(target.dtype)
    zero_in = source.zero_point - sign_offset(source.dtype)
    zero_out = target.zero_point - offset
    low, high = clip_range(target.dtype)
    low, high = max(layer.act_min, low), min(layer.act_max, high)
    op, pad = Op.ACCUMULATE, zero_in
    if isinstance(layer, PoolLayer):
        pad += layer.fill
    if layer.op == "maxpool":
        op, pad, zero_out = Op.MAXIMUM, -(1 << (config.act_bits - 1)), 0
    mapping = choose(plan, config)
    place = Placement(
        ifmap=addresses[layer.ifmap], filters=filters_address, ofmap=addresses[layer.ofmap],
        ifmap_layout=layouts[layer.ifmap], ofmap_layout=layouts[layer.ofmap], op=op,
        pad_value=pad, zero_point=zero_out, act_min=low - offset, act_max=high - offset,
        residual_layout=None if layer.joined is None else layouts[layer.joined.residual],
        finish=finish_fields(layer, network.tensors, addresses, table_address),
    )  # fmt: skip
    descriptor = lower(mapping, plan, place)
    pack(descriptor)
    check_fields(descriptor, config)
    compiled = LayerProgram(layer=layer, plan=plan, mapping=mapping, descriptor=descriptor)
    if not contents:
        return compiled, b""
    if isinstance(layer, ConvLayer):
        filters, bias, scale = group_parameters(layer, plan, network.tensors)
    else:
        filters, bias, scale = pool_parameters(layer, plan, zero_in)
    channels = layer.shape.C // layer.shape.G if isinstance(layer, ConvLayer) else 1
    check_widths(bias, channels * w.R * w.S, config)
    return compiled, filter_stream(mapping, filters, bias, scale)

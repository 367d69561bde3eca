"""A network as an image in DRAM: descriptors, filter streams, and places for its tensors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from stillflow.compiler.aligned import aligned
from stillflow.compiler.filters import filter_stream
from stillflow.compiler.finish import finish_fields, table_bytes
from stillflow.compiler.graph import ConvLayer, Layer, Network, PoolLayer, clip_range, requantised
from stillflow.compiler.layouts import choose_layouts, margins_of
from stillflow.compiler.limits import check_limits
from stillflow.compiler.liveness import lifetimes, shared_places
from stillflow.compiler.lower import lower, pack
from stillflow.compiler.mapper import choose_mapping
from stillflow.compiler.objective import CYCLES, Objective
from stillflow.compiler.parameters import check_widths, group_parameters, pool_parameters
from stillflow.compiler.placement import Placement
from stillflow.compiler.tensors import sign_offset
from stillflow.compiler.work import Plan, plan_layer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import RECORD_BYTES
from stillflow.hw.descriptor import BYTES, Op
from stillflow.hw.mapping import Mapping
from stillflow.hw.tensor import TensorLayout

ALIGNMENT = 4096  # of everything in DRAM: bursts start on a page
LEAST_ALIGNMENT = RECORD_BYTES  # records may not lie anywhere else


class CompileError(ValueError):
    """A network that cannot run on this accelerator; the message names the layer."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Everything the driver loads and needs to know.

    Parameters
    ----------
    network : Network
        What was compiled.
    config : AcceleratorConfig
        For which accelerator.
    objective : Objective
        What the nests were chosen for; its costs are the reports'.
    layers : tuple[LayerProgram, ...]
        In execution order.
    layouts : dict[str, TensorLayout]
        Of each tensor.
    addresses : dict[str, int]
        DRAM byte address of each tensor.
    program_address, record_address : int
        Of the descriptors and of the counter records.
    segments : dict[int, bytes]
        Constant contents by address: descriptors and filter streams.
    size : int
        Bytes of DRAM in use, from address 0.
    """

    network: Network
    config: AcceleratorConfig
    objective: Objective
    layers: tuple[LayerProgram, ...]
    layouts: dict[str, TensorLayout]
    addresses: dict[str, int]
    program_address: int
    record_address: int
    segments: dict[int, bytes]
    size: int


@dataclass
class _Allocator:
    """Hands out DRAM from address 0 upwards."""

    alignment: int
    top: int = 0

    def take(self, size: int) -> int:
        address = self.top
        self.top += -(-size // self.alignment) * self.alignment
        return address


def compile_network(
    network: Network,
    config: AcceleratorConfig,
    *,
    objective: Objective = CYCLES,
    contents: bool = True,
    reuse: bool = False,
    alignment: int = ALIGNMENT,
    progress: Callable[[str], None] | None = None,
    choose: Callable[[Plan, AcceleratorConfig], Mapping] | None = None,
) -> Program:
    """Compile a network for an accelerator.

    Parameters
    ----------
    network : Network
        Quantised layers.
    config : AcceleratorConfig
        The accelerator.
    objective : Objective
        What the mapper minimises: ``cycles`` or ``dram``.
    contents : bool
        False where only nests and addresses matter: no filter streams are made.
    reuse : bool
        Let tensors that are not needed at the same time share their places. Otherwise every tensor
        can be read when the program has run.
    alignment : int
        Of everything in DRAM: a power of two from `LEAST_ALIGNMENT` on. With less the program is
        smaller, and pages may cut bursts.
    progress : callable, optional
        Called with each layer's name.
    choose : callable, optional
        Gives a layer's nest instead of the mapper.

    Raises
    ------
    CompileError
        If there is no layer, or one does not fit the accelerator's words or buffers.
    ValueError
        If the alignment cannot be.
    """
    if alignment < LEAST_ALIGNMENT or alignment & (alignment - 1):
        raise ValueError(f"alignment must be a power of two from 128 on, not {alignment!r}")
    if not network.layers:
        raise CompileError(f"{network.name}: there must be at least one layer")
    network = aligned(network, config)
    allocator = _Allocator(alignment)
    program_address = allocator.take(BYTES * len(network.layers))
    record_address = allocator.take(RECORD_BYTES * (len(network.layers) + 1))
    layouts = choose_layouts(network, config)
    margins = margins_of(network, layouts, config)
    addresses = _places(network, layouts, config, margins, allocator, reuse=reuse)
    if choose is None:
        choose = partial(choose_mapping, objective=objective)
    segments: dict[int, bytes] = {}
    for name, margin in margins.items():
        segments[addresses[name] - margin] = bytes(margin)
        segments[addresses[name] + layouts[name].bytes] = bytes(margin)
    layers = []
    for layer in network.layers:
        if progress is not None:
            progress(layer.name)
        try:
            table = table_bytes(layer, config)
            table_address = allocator.take(len(table)) if table else 0
            compiled, stream = _compile_layer(
                layer, network, config, layouts, addresses, table_address, allocator.top, choose,
                contents,
            )  # fmt: skip
        except ValueError as error:
            raise CompileError(f"{layer.name}: {error}") from error
        if table:
            segments[table_address] = table
        size = compiled.mapping.filter_lines * config.filter_line_bytes
        segments[allocator.take(size)] = stream
        layers.append(compiled)
    if allocator.top > 1 << config.address_bits:
        bits = config.address_bits
        raise CompileError(f"{network.name}: {allocator.top} bytes exceed {bits} address bits")
    segments[program_address] = b"".join(pack(layer.descriptor) for layer in layers)
    return Program(
        network=network, config=config, objective=objective, layers=tuple(layers),
        layouts=layouts, addresses=addresses, program_address=program_address,
        record_address=record_address, segments=segments, size=allocator.top,
    )  # fmt: skip


def _places(
    network: Network,
    layouts: dict[str, TensorLayout],
    config: AcceleratorConfig,
    margins: dict[str, int],
    allocator: "_Allocator",
    *,
    reuse: bool,
) -> dict[str, int]:
    """Give every tensor its DRAM address; parts lie in what they make."""
    tensors = network.tensors
    sizes = {
        name: layout.bytes + 2 * margins.get(name, 0)
        for name, layout in layouts.items()
        if tensors[name].part is None
    }
    if reuse:
        offsets, total = shared_places(lifetimes(network), sizes, alignment=allocator.alignment)
        base = allocator.take(total)
        addresses = {name: base + offset + margins.get(name, 0) for name, offset in offsets.items()}
    else:
        addresses = {name: allocator.take(n) + margins.get(name, 0) for name, n in sizes.items()}
    for name, layout in layouts.items():
        if (part := tensors[name].part) is not None:
            planes, rest = divmod(part.channel, config.channel_block)
            assert rest == 0, "see stillflow.compiler.aligned"
            addresses[name] = (
                addresses[part.whole] + planes * layout.plane_bytes + part.row * layout.row_bytes
                + part.column * layout.pixel * layout.element_bytes
            )  # fmt: skip
    return addresses


def map_network(
    network: Network, config: AcceleratorConfig, *, objective: Objective = CYCLES
) -> Iterator[tuple[Layer, Mapping]]:
    """Choose each layer's nest without making a program.

    Raises
    ------
    CompileError
        If a layer does not fit the accelerator's buffers.
    """
    network = aligned(network, config)
    layouts = choose_layouts(network, config)
    for layer in network.layers:
        plan = plan_layer(layer, layouts[layer.ifmap], config, layouts[layer.ofmap])
        try:
            yield layer, choose_mapping(plan, config, objective=objective)
        except ValueError as error:
            raise CompileError(f"{layer.name}: {error}") from error


def _compile_layer(
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
    source, target = network.tensors[layer.ifmap], network.tensors[requantised(layer)]
    plan = plan_layer(layer, layouts[layer.ifmap], config, layouts[layer.ofmap])
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
        finish=finish_fields(layer, network.tensors, addresses, table_address),
    )  # fmt: skip
    descriptor = lower(mapping, plan, place)
    pack(descriptor)
    check_limits(layer, descriptor, config)
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

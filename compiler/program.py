"""A network as an image in DRAM: descriptors, filter streams, and places for its tensors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from stillflow.compiler.aligned import aligned
from stillflow.compiler.copies import copy_name, with_copies
from stillflow.compiler.finish import table_bytes
from stillflow.compiler.fuse_pools import fuse_pools
from stillflow.compiler.graph import Layer, Network
from stillflow.compiler.layer_program import LayerProgram, compile_layer, plan_placed
from stillflow.compiler.layouts import choose_layouts, margins_of
from stillflow.compiler.lower import pack
from stillflow.compiler.mapper import choose_mapping
from stillflow.compiler.objective import CYCLES, Objective
from stillflow.compiler.places import Allocator, choose_on_chip, place_tensors
from stillflow.compiler.work import Plan
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import RECORD_BYTES
from stillflow.hw.descriptor import BYTES
from stillflow.hw.mapping import Mapping
from stillflow.hw.tensor import TensorLayout

ALIGNMENT = 4096  # of everything in DRAM: bursts start on a page
LEAST_ALIGNMENT = RECORD_BYTES  # records may not lie anywhere else


class CompileError(ValueError):
    """A network that cannot run on this accelerator; the message names the layer."""


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
        Byte address of each tensor, in DRAM or in the activation memory.
    program_address, record_address : int
        Of the descriptors and of the counter records.
    segments : dict[int, bytes]
        Constant contents by address: descriptors and filter streams.
    size : int
        Bytes of DRAM in use, from address 0.
    copies : dict[str, int]
        For tensors in the activation memory, the number of the descriptor that copies it to DRAM;
        the one behind copies it back. They are no layers of the network.
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
    copies: dict[str, int]

    def whole(self, name: str) -> str:
        """Give the tensor that one lies in: itself, unless it is a part."""
        part = self.network.tensors[name].part
        return name if part is None else part.whole

    def on_chip(self, name: str) -> bool:
        """Whether a tensor is in the activation memory."""
        return self.config.on_chip(self.addresses[name])

    def host_address(self, name: str) -> int:
        """DRAM byte address at which the host finds a tensor, or its copy.

        Raises
        ------
        ValueError
            If it has neither.
        """
        if not self.on_chip(name):
            return self.addresses[name]
        whole = self.whole(name)
        if whole not in self.copies:
            raise ValueError(f"{name} stays on chip")
        return self.addresses[copy_name(whole)] + self.addresses[name] - self.addresses[whole]


def compile_network(
    network: Network,
    config: AcceleratorConfig,
    *,
    objective: Objective = CYCLES,
    contents: bool = True,
    reuse: bool = False,
    on_chip: bool = True,
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
        in DRAM can be read when the program has run, and those in the activation memory, where
        places are always shared, can be copied.
    on_chip : bool
        Let tensors stay in the activation memory, if there is one.
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
    network = fuse_pools(aligned(network, config), config, objective)
    layouts = choose_layouts(network, config)
    margins = margins_of(network, layouts, config)
    kept = choose_on_chip(network, layouts, margins, config) if on_chip else {}
    copied = () if reuse else tuple(kept)
    everything = with_copies(network, copied)
    layouts |= {copy_name(name): layouts[name] for name in copied}
    allocator = Allocator(alignment)
    program_address = allocator.take(BYTES * len(everything.layers))
    record_address = allocator.take(RECORD_BYTES * (len(network.layers) + 1))
    addresses = place_tensors(network, layouts, config, margins, kept, allocator, reuse=reuse)
    addresses |= {copy_name(name): allocator.take(layouts[name].bytes) for name in copied}
    if choose is None:
        choose = partial(choose_mapping, objective=objective)
    segments: dict[int, bytes] = {}
    for name, margin in margins.items():
        segments[addresses[name] - margin] = bytes(margin)
        segments[addresses[name] + layouts[name].bytes] = bytes(margin)
    layers = []
    for layer in everything.layers:
        if progress is not None:
            progress(layer.name)
        try:
            table = table_bytes(layer, config)
            table_address = allocator.take(len(table)) if table else 0
            compiled, stream = compile_layer(
                layer, everything, config, layouts, addresses, table_address, allocator.top,
                choose, contents,
            )  # fmt: skip
        except ValueError as error:
            raise CompileError(f"{layer.name}: {error}") from error
        if table:
            segments[table_address] = table
        size = compiled.mapping.filter_lines * config.filter_line_bytes
        segments[allocator.take(size)] = stream
        layers.append(compiled)
    if allocator.top > 1 << config.dram_bits:
        bits = config.dram_bits
        raise CompileError(f"{network.name}: {allocator.top} bytes exceed {bits} address bits")
    segments[program_address] = b"".join(pack(layer.descriptor) for layer in layers)
    return Program(
        network=network, config=config, objective=objective,
        layers=tuple(layers[: len(network.layers)]), layouts=layouts, addresses=addresses,
        program_address=program_address, record_address=record_address, segments=segments,
        size=allocator.top,
        copies={name: len(network.layers) + 2 * i for i, name in enumerate(copied)},
    )  # fmt: skip


def map_network(
    network: Network, config: AcceleratorConfig, *, objective: Objective = CYCLES
) -> Iterator[tuple[Layer, Mapping]]:
    """Choose each layer's nest without making a program.

    Raises
    ------
    CompileError
        If a layer does not fit the accelerator's buffers.
    """
    network = fuse_pools(aligned(network, config), config, objective)
    layouts = choose_layouts(network, config)
    margins = margins_of(network, layouts, config)
    on_chip = choose_on_chip(network, layouts, margins, config)
    addresses = place_tensors(
        network, layouts, config, margins, on_chip, Allocator(ALIGNMENT), reuse=True
    )
    for layer in network.layers:
        plan = plan_placed(layer, layouts, addresses, config)
        try:
            yield layer, choose_mapping(plan, config, objective=objective)
        except ValueError as error:
            raise CompileError(f"{layer.name}: {error}") from error

"""Counters and shapes as the figures of a report."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import inf

from stillflow.compiler.graph import Layer, pooling
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.csr import Counter
from stillflow.hw.layer import ConvShape
from stillflow.hw.work import OnChip

OPERANDS = ("ifmap", "filter", "psum")
#: Kinds of accesses that cost as much as one of the global buffer.
GLB_KINDS = (
    "glb_reads", "glb_writes", "glb_fills", "glb_spills", "activation_reads", "activation_writes",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EnergyCosts:
    """Energy of an access, in MACs: the survey's normalised costs (figure 25), or others.

    Raises
    ------
    ValueError
        If a cost is no finite number or negative.
    """

    spad: float = 1.0
    noc: float = 2.0
    glb: float = 6.0
    dram: float = 200.0

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 <= value < inf):
                raise ValueError(f"{key.name} must be a number from 0 on, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class Accesses:
    """Words that moved, by level and operand; ofmap words count as psums.

    ``activation_reads`` and ``activation_writes`` are those of the activation memory, whole beats.
    """

    glb_reads_ifmap: int = 0
    glb_reads_filter: int = 0
    glb_reads_psum: int = 0
    glb_writes_ifmap: int = 0
    glb_writes_filter: int = 0
    glb_writes_psum: int = 0
    glb_fills_ifmap: int = 0
    glb_fills_filter: int = 0
    glb_fills_psum: int = 0
    glb_spills_ifmap: int = 0
    glb_spills_filter: int = 0
    glb_spills_psum: int = 0
    activation_reads_ifmap: int = 0
    activation_reads_filter: int = 0
    activation_reads_psum: int = 0
    activation_writes_ifmap: int = 0
    activation_writes_filter: int = 0
    activation_writes_psum: int = 0
    spad_reads_ifmap: int = 0
    spad_reads_filter: int = 0
    spad_reads_psum: int = 0
    spad_writes_ifmap: int = 0
    spad_writes_filter: int = 0
    spad_writes_psum: int = 0
    noc_transfers_ifmap: int = 0
    noc_transfers_filter: int = 0
    noc_transfers_psum: int = 0

    def of(self, kind: str) -> int:
        """Sum over the operands, e.g. of ``glb_reads``."""
        return sum(getattr(self, f"{kind}_{operand}") for operand in OPERANDS)

    def as_report(self) -> dict[str, int]:
        """Give sums and parts under their report names."""
        kinds = dict.fromkeys(entry.name.rsplit("_", 1)[0] for entry in fields(self))
        parts = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {kind: self.of(kind) for kind in kinds} | parts


def accesses(
    counters: Mapping[Counter, int],
    config: AcceleratorConfig,
    *,
    depthwise: bool = False,
    activations: tuple[int, int] = (0, 0),
) -> Accesses:
    """Word counts of a layer from its hardware counters.

    Weight stationary: a PE reads its weight with every activation that its row carries, takes a new
    one at every swap, and passes a weight on with every shift of the chain; activations and sums
    travel on broadcast wires and adder trees, not from PE to PE. Where pixels move through the
    chains (``depthwise``), activations pass from PE to PE as well.

    No local reuse: a PE keeps nothing and passes nothing on.

    Row stationary: a PE reads an ifmap word, a weight and a psum and writes the psum with every
    product; the words that fill its scratchpads are counted apart. A psum that leaves the array
    passes all PEs of its column.

    Output stationary: a PE writes its psum with every product and reads it with every product but
    the first, and once more when it leaves; the weights move from row to row.

    ``activations`` are the words that are read from and written to the activation memory.
    """
    columns = config.m_block
    products = counters[Counter.MAC_LANES] * columns
    if config.dataflow == Dataflow.NO_LOCAL_REUSE:
        moves = {}
    elif config.dataflow == Dataflow.ROW_STATIONARY:
        macs = counters[Counter.MAC_LANES]
        sums = counters[Counter.PSUM_WRITES] + counters[Counter.OFMAP_WRITES]
        moves = {
            "spad_reads_ifmap": macs,
            "spad_reads_filter": macs,
            "spad_reads_psum": macs,
            "spad_writes_ifmap": counters[Counter.WEIGHT_SWAPS],
            "spad_writes_filter": counters[Counter.CHAIN_SHIFTS],
            "spad_writes_psum": macs,
            "noc_transfers_psum": sums * (config.rows - 1),
        }
    elif config.dataflow == Dataflow.OUTPUT_STATIONARY:
        moves = {"spad_reads_psum": products, "spad_writes_psum": products}
    else:
        links = (config.rows - 1) * columns
        moves = {
            "spad_reads_filter": products,
            "spad_writes_filter": counters[Counter.WEIGHT_SWAPS] * config.rows * columns,
            "noc_transfers_ifmap": counters[Counter.MAC_CYCLES] * links if depthwise else 0,
        }
    shifts = 0 if config.has_pe_sets else counters[Counter.CHAIN_SHIFTS]
    return Accesses(
        **moves,
        glb_reads_ifmap=counters[Counter.IFMAP_READS],
        glb_reads_filter=counters[Counter.FILTER_READS],
        glb_reads_psum=counters[Counter.PSUM_READS],
        glb_writes_psum=counters[Counter.PSUM_WRITES] + counters[Counter.OFMAP_WRITES],
        glb_fills_ifmap=counters[Counter.IFMAP_FILLS],
        glb_fills_filter=counters[Counter.FILTER_FILLS],
        glb_spills_psum=counters[Counter.OFMAP_SPILLS],
        activation_reads_ifmap=activations[0],
        activation_writes_psum=activations[1],
        noc_transfers_filter=shifts * (config.rows - 1) * columns,
    )


def used_positions(size: int, out: int, window: int, stride: int, dilation: int, pad: int) -> int:
    """Ifmap rows (or columns) that some window touches."""
    touched = {
        position
        for o in range(out)
        for w in range(window)
        if 0 <= (position := o * stride + w * dilation - pad) < size
    }
    return len(touched)


@dataclass(frozen=True, kw_only=True)
class Compulsory:
    """Bytes that a layer cannot do without: each element that is used, once, at its stored width.

    Parameters
    ----------
    dram : int
        Between DRAM and chip.
    local_reads, local_writes : int
        Out of the activation memory and into it.
    """

    dram: int
    local_reads: int = 0
    local_writes: int = 0


def compulsory_bytes(
    layer: Layer, config: AcceleratorConfig, on_chip: OnChip | None = None
) -> Compulsory:
    """Bytes of the ifmap, the filters, the ofmap and a second tensor, where they lie."""
    on_chip = on_chip or OnChip()
    shape = layer.shape
    top, left, _, _ = shape.pad
    dilation = shape.dilation
    rows = used_positions(shape.H, shape.E, shape.R, shape.stride[0], dilation[0], top)
    columns = used_positions(shape.W, shape.F, shape.S, shape.stride[1], dilation[1], left)
    channels = shape.M if isinstance(shape, ConvShape) else shape.C
    stored = shape if (pooled := pooling(layer)) is None else pooled.shape
    ofmap = shape.N * channels * stored.E * stored.F * config.act_bytes
    residual = shape.N * channels * shape.E * shape.F * config.act_bytes
    reads = {False: 0, True: 0}  # by whether it is on chip
    reads[on_chip.ifmap] += shape.N * shape.C * rows * columns * config.act_bytes
    reads[on_chip.residual] += residual if layer.joined is not None else 0
    filters = 0
    if isinstance(shape, ConvShape) and layer_macs(layer):  # others' weights choose channels
        weights = shape.M * (shape.C // shape.G) * shape.R * shape.S
        filters = weights * config.weight_bits // 8
    return Compulsory(
        dram=reads[False] + filters + (0 if on_chip.ofmap else ofmap),
        local_reads=reads[True],
        local_writes=ofmap if on_chip.ofmap else 0,
    )


def layer_macs(layer: Layer) -> int:
    """MACs of a layer; 0 for pooling and normalisation."""
    multiplies = layer.op in ("conv", "fc")
    return layer.shape.macs if isinstance(layer.shape, ConvShape) and multiplies else 0


def energy(macs: int, moved: Accesses, dram_words: int, costs: EnergyCosts) -> float:
    """Energy in MACs."""
    glb = sum(moved.of(kind) for kind in GLB_KINDS)
    spad = moved.of("spad_reads") + moved.of("spad_writes")
    return (
        macs
        + costs.spad * spad
        + costs.noc * moved.of("noc_transfers")
        + costs.glb * glb
        + costs.dram * dram_words
    )

"""Parameters of the hardware. Plain Python: no Amaranth, no NumPy."""

from dataclasses import dataclass, fields

from stillflow.hw.config_check import Dataflow, ceil_log2, check
from stillflow.hw.depths import Depths, depths
from stillflow.hw.lazy import lazy


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """One accelerator. Everything that is generated follows from these keys.

    Parameters
    ----------
    name : str
        Shown in reports; a preset's name or the TOML file's stem.
    rows, cols : int
        PEs of the array, 1 to 128 each: filters over the columns; over the rows the reduction
        (weight stationary, no local reuse) or ofmap pixels (output stationary). Row stationary:
        filter rows of channels over the rows, ofmap rows over the columns.
    dataflow : Dataflow
        What stays in a PE.
    act_bits, weight_bits : int
        Width of activations and weights in two's complement, 8 or 16.
    acc_bits : int
        Width of a psum, 24 to 48.
    glb_kib : int
        All memory outside the PEs, in KiB: ifmap 1/2, psum 1/4, filter 3/16, ofmap 1/16; row
        stationary: ifmap 5/32, filter 1/16 or a full pass, of the rest psum 8/9, ofmap 1/9.
    axi_data_bits : int
        Width of the AXI4 master's data channels, 32 to 512.
    requant_lanes : int
        Psums requantised per cycle; must divide the filters of a block (see ``m_block``).
    requant_serial : bool
        Whether a lane multiplies bit by bit: small, slow, the same bits.
    max_burst_beats, outstanding_reads : int
        Longest AXI burst, 1 to 256 beats, none across 4 KiB; read segments in flight, 2 to 256.
    axi_slices : bool
        Whether the AXI4 master's channels pass through register slices: no path through its ports,
        and two cycles more until the memory's answer.
    operand_registers : bool
        Whether operands pass registers behind the buffers' memories and before the multipliers:
        shorter paths, and two or three cycles more from a pixel to its ofmap words.
    pool_windows : int
        Windows side by side that pooling may have open on the way to the ofmap buffer, 2 to 1024;
        0: it always takes a pass of its own, as in row-stationary arrays.
    activation_kib : int
        Memory for tensors between layers, besides ``glb_kib``; it has the upper half of addresses.
    ifmap_spad, filter_spad, psum_spad : int
        Words of a row-stationary PE's scratchpads: 1 to 64, 2 to 1024 (a ring) and 1 to 64.
    depthwise_chains : bool
        Whether the pixels of depthwise layers may pass through the weight chains (weight stationary
        only). Without, such layers take an array row for each tap.
    finisher : bool
        Whether layers may end in a table or join a second tensor; networks may need it.
    address_bits, count_bits, counter_bits : int
        Width of DRAM addresses, 16 to 32; of loop counts (and so of ifmap rows), 8 to 16; of
        performance counters, 16 to 48: the less, the smaller and faster the control.

    Raises
    ------
    TypeError
        If a key has the wrong kind.
    ValueError
        If a key is out of range, or keys cannot work together.
    """

    name: str = "custom"
    rows: int
    cols: int
    dataflow: Dataflow = Dataflow.WEIGHT_STATIONARY
    act_bits: int = 8
    weight_bits: int = 8
    acc_bits: int = 32
    glb_kib: int
    axi_data_bits: int
    requant_lanes: int
    requant_serial: bool = False
    max_burst_beats: int = 16
    outstanding_reads: int = 32
    axi_slices: bool = False
    operand_registers: bool = False
    pool_windows: int = 0
    activation_kib: int = 0
    ifmap_spad: int = 12
    filter_spad: int = 224
    psum_spad: int = 24
    depthwise_chains: bool = True
    finisher: bool = True
    address_bits: int = 32
    count_bits: int = 16
    counter_bits: int = 48

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "dataflow", Dataflow(self.dataflow))

    @lazy
    def pes(self) -> int:
        """Processing elements."""
        return self.rows * self.cols

    @lazy
    def length_bits(self) -> int:
        """Width of a number of ifmap elements, or of beats of a segment."""
        row = self.count_bits + ceil_log2(self.channel_block)
        segment = ceil_log2(self.ifmap_elements * self.filter_line_bytes // self.axi_bytes)
        return min(24, max(row, segment) + 1)

    @lazy
    def act_bytes(self) -> int:
        """Bytes of an activation in DRAM."""
        return self.act_bits // 8

    @lazy
    def axi_bytes(self) -> int:
        """Bytes of one beat."""
        return self.axi_data_bits // 8

    @lazy
    def axi_elements(self) -> int:
        """Activations in one beat."""
        return self.axi_bytes // self.act_bytes

    @lazy
    def beat_pixels(self) -> int:
        """Pixels of a channel block that one beat brings, at most."""
        return max(1, self.axi_elements // self.channel_block)

    @lazy
    def channel_block(self) -> int:
        """Channels side by side in DRAM: a power of two up to 16 that wastes few columns and rows.

        At most an eighth of the columns; row stationary, where these are ofmap rows, one.
        """
        if self.has_pe_sets:
            return 1
        block = 16
        while block > min(self.rows, self.cols) or (self.cols % block) * 8 > self.cols:
            block //= 2
        return block

    @lazy
    def m_block(self) -> int:
        """Columns in use: filters computed side by side; row stationary, ofmap rows."""
        return self.cols - self.cols % self.channel_block

    @lazy
    def block_units(self) -> int:
        """Channel blocks in the ofmap channels of one filter block."""
        return self.m_block // self.channel_block

    @lazy
    def ifmap_banks(self) -> int:
        """Banks of the ifmap buffer, one activation wide: a power of two."""
        return max(1 << ceil_log2(self.rows), self.axi_elements)

    @lazy
    def ifmap_depth(self) -> int:
        """Activations in each ifmap bank."""
        return self._depths.ifmap

    @lazy
    def ifmap_elements(self) -> int:
        """Activations that the ifmap buffer holds."""
        return self.ifmap_banks * self.ifmap_depth

    @lazy
    def filter_line_bytes(self) -> int:
        """Bytes of a line, whole beats: the weights of an array row; rs, one for each row."""
        if self.has_pe_sets:
            return -(-self.rows * self.weight_bits // self.axi_data_bits) * self.axi_bytes
        return max(1 << ceil_log2(self.m_block * self.weight_bits // 8), self.axi_bytes)

    @lazy
    def reads_weights(self) -> bool:
        """Whether every vector reads its weights from the filter buffer, a line for each row."""
        return self.dataflow == Dataflow.NO_LOCAL_REUSE

    @lazy
    def has_pe_sets(self) -> bool:
        """Whether the array is row stationary: PEs with scratchpads, in sets."""
        return self.dataflow == Dataflow.ROW_STATIONARY

    @lazy
    def line_words(self) -> int:
        """Words of a filter line."""
        return self.rows if self.has_pe_sets else self.m_block

    @lazy
    def has_chains(self) -> bool:
        """Whether the weight chains of the columns can take the pixels of depthwise layers."""
        return self.depthwise_chains and self.dataflow == Dataflow.WEIGHT_STATIONARY

    @lazy
    def pools(self) -> bool:
        """Whether layers may pool their words; not in row-stationary arrays."""
        return self.pool_windows > 0 and not self.has_pe_sets

    @lazy
    def filter_banks(self) -> int:
        """Banks of the filter buffer: lines that are read at once."""
        return self.rows if self.reads_weights else 1

    @lazy
    def filter_lines(self) -> int:
        """Lines that the filter buffer holds: as many in each bank."""
        return self._depths.filters

    @lazy
    def psum_depth(self) -> int:
        """Vectors of psums that fit on chip."""
        return self._depths.psums

    @lazy
    def ofmap_depth(self) -> int:
        """Vectors of words that the ofmap buffer holds: as many, but for row stationary."""
        return self._depths.ofmap

    @lazy
    def _depths(self) -> Depths:
        return depths(self)

    @lazy
    def store_pixels(self) -> int:
        """Ofmap pixels that are stored in one go, at most: a burst's worth."""
        burst = self.max_burst_beats * self.axi_bytes
        return max(1, min(burst // (self.channel_block * self.act_bytes), self.ofmap_depth // 2))

    @lazy
    def activation_lines(self) -> int:
        """Lines of the activation memory, a beat each."""
        return self.activation_kib * 1024 // self.axi_bytes

    @lazy
    def dram_bits(self) -> int:
        """Width of addresses in DRAM: the activation memory has the upper half of all."""
        return self.address_bits - (self.activation_kib > 0)

    @lazy
    def activation_base(self) -> int:
        """Address of the activation memory's first byte."""
        return 1 << (self.address_bits - 1)

    def on_chip(self, address: int) -> bool:
        """Whether an address is the activation memory's."""
        return self.activation_kib > 0 and address >= self.activation_base

    @lazy
    def psum_bits(self) -> int:
        """Width of the sum of one column's products."""
        return self.act_bits + self.weight_bits + ceil_log2(self.rows)

    @lazy
    def sum_bits(self) -> int:
        """Width of what a column of the array hands to the accumulator."""
        trees = (Dataflow.WEIGHT_STATIONARY, Dataflow.NO_LOCAL_REUSE)
        return self.psum_bits if self.dataflow in trees else self.acc_bits

    @lazy
    def requant_groups(self) -> int:
        """Psums of a vector that each lane of the requantiser takes in turn."""
        return self.m_block // self.requant_lanes

    @lazy
    def requant_cycles(self) -> int:
        """Cycles of a psum in a requantiser's lane; serial, one a bit, the word's, and two more."""
        return self.acc_bits + self.act_bits + 2 if self.requant_serial else 1

    @lazy
    def pace(self) -> int:
        """Cycles in which the requantiser takes one vector of psums."""
        return self.requant_groups * self.requant_cycles

    @lazy
    def bias_lines(self) -> int:
        """Filter-stream lines with the biases of a block; row stationary, of one filter."""
        slices = -(-self.acc_bits // self.weight_bits)
        return -(-slices // self.rows) if self.has_pe_sets else slices

    @lazy
    def scale_lines(self) -> int:
        """The same with the scales."""
        slices = 32 // self.weight_bits
        return -(-slices // self.rows) if self.has_pe_sets else slices

    def keys(self) -> dict[str, int | str]:
        """Give every key with its value, for reports and manifests."""
        return {name: getattr(self, name) for name in CONFIG_KEYS}


#: Keys that a file or ``--set`` may give.
CONFIG_KEYS = tuple(key.name for key in fields(AcceleratorConfig))

__all__ = ["CONFIG_KEYS", "AcceleratorConfig", "Dataflow", "ceil_log2"]

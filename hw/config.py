"""Parameters of the hardware. Plain Python: no Amaranth, no NumPy."""

from dataclasses import dataclass, fields
from enum import StrEnum

from stillflow.hw.lazy import lazy


class Dataflow(StrEnum):
    """Which operand stays in the PE (survey, section V-B)."""

    WEIGHT_STATIONARY = "ws"
    OUTPUT_STATIONARY = "os"
    NO_LOCAL_REUSE = "nlr"
    ROW_STATIONARY = "rs"


def ceil_log2(value: int) -> int:
    """Exponent of the smallest power of two that is at least ``value``."""
    return (value - 1).bit_length()


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
        stationary: ifmap 1/4, filter 1/8, the rest psum and ofmap with as many entries.
    axi_data_bits : int
        Width of the AXI4 master's data channels, 32 to 512.
    requant_lanes : int
        Psums requantised per cycle; must divide the filters of a block (see ``m_block``).
    max_burst_beats : int
        Longest AXI burst, 1 to 256 beats. It never crosses 4 KiB.
    outstanding_reads : int
        Read segments in flight, 2 to 256: enough to cover the latency of the memory.
    ifmap_spad, filter_spad, psum_spad : int
        Words of a row-stationary PE's scratchpads: 1 to 64, 2 to 1024 (in two halves) and 1 to 64.

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
    max_burst_beats: int = 16
    outstanding_reads: int = 32
    ifmap_spad: int = 12
    filter_spad: int = 224
    psum_spad: int = 24

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if key.type is int and not whole:
                raise TypeError(f"{key.name} must be an integer, not {value!r}")
        if self.dataflow not in tuple(Dataflow):
            known = ", ".join(Dataflow)
            raise ValueError(f"dataflow must be one of {known}, not {str(self.dataflow)!r}")
        object.__setattr__(self, "dataflow", Dataflow(self.dataflow))
        for name, low, high in (
            ("rows", 1, 128), ("cols", 1, 128), ("acc_bits", 24, 48), ("glb_kib", 1, 1 << 16),
            ("max_burst_beats", 1, 256), ("outstanding_reads", 2, 256), ("ifmap_spad", 1, 64),
            ("filter_spad", 2, 1024), ("psum_spad", 1, 64),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in {low}..{high}, not {value!r}")
        for name, allowed in (
            ("act_bits", (8, 16)), ("weight_bits", (8, 16)),
            ("axi_data_bits", (32, 64, 128, 256, 512)),
        ):  # fmt: skip
            value = getattr(self, name)
            if value not in allowed:
                choices = ", ".join(map(str, allowed))
                raise ValueError(f"{name} must be one of {choices}, not {value!r}")
        if self.requant_lanes < 1 or self.m_block % self.requant_lanes:
            raise ValueError(
                f"requant_lanes must divide the {self.m_block} filters of a block, "
                f"not {self.requant_lanes!r}"
            )
        if self.max_burst_beats * self.axi_bytes > 4096:
            raise ValueError(
                f"max_burst_beats must be at most {4096 // self.axi_bytes} "
                f"with {self.axi_data_bits}-bit data, not {self.max_burst_beats!r}"
            )
        if self.acc_bits < self.psum_bits + 4:
            raise ValueError(
                f"acc_bits must be at least {self.psum_bits + 4} to add {self.rows} products "
                f"of {self.act_bits}x{self.weight_bits} bits, not {self.acc_bits!r}"
            )
        # A block holds its lines until it starts; its last ones may come with a burst of more.
        spare = (self.filter_lines - self.most_lines) * self.filter_line_bytes // self.axi_bytes
        # Half of the ofmap buffer takes a drain of the array, or a beat of a second tensor.
        drain = self.rows if self.dataflow == Dataflow.OUTPUT_STATIONARY else 1
        if (
            self.ifmap_depth < 16
            or self.psum_depth < max(16, 2 * drain, 2 * self.beat_pixels)
            or spare < self.max_burst_beats
        ):
            raise ValueError(
                f"glb_kib must be larger for {self.rows}x{self.cols} PEs, not {self.glb_kib!r}"
            )

    # -- derived sizes ---------------------------------------------------------------------------

    @lazy
    def pes(self) -> int:
        """Processing elements."""
        return self.rows * self.cols

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
        """Channels that lie side by side in DRAM: a power of two up to 16 that suits the array.

        The largest that wastes at most an eighth of the columns and has a row for each channel;
        row stationary, where columns are ofmap rows, one.
        """
        if self.has_pe_sets:
            return 1
        block = 16
        while block > 1 and (
            block > self.rows or block > self.cols or (self.cols % block) * 8 > self.cols
        ):
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
        share = 4 if self.has_pe_sets else 2
        return self.glb_kib * 1024 // share // (self.ifmap_banks * self.act_bytes)

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
        return self.dataflow == Dataflow.WEIGHT_STATIONARY

    @lazy
    def filter_banks(self) -> int:
        """Banks of the filter buffer: lines that are read at once."""
        return self.rows if self.reads_weights else 1

    @lazy
    def filter_lines(self) -> int:
        """Lines that the filter buffer holds: as many in each bank."""
        lines = self.glb_kib * 1024 * (2 if self.has_pe_sets else 3) // 16 // self.filter_line_bytes
        return lines - lines % self.filter_banks

    @lazy
    def psum_depth(self) -> int:
        """Ofmap pixels whose psums fit on chip, and entries of the ofmap buffer."""
        if self.has_pe_sets:
            entry_bits = self.m_block * (self.acc_bits + self.act_bits)
            return self.glb_kib * 1024 * 8 * 5 // 8 // entry_bits
        psum = self.glb_kib * 1024 * 8 // 4 // (self.m_block * self.acc_bits)
        ofmap = self.glb_kib * 1024 * 8 // 16 // (self.m_block * self.act_bits)
        return min(psum, ofmap)

    @lazy
    def store_pixels(self) -> int:
        """Ofmap pixels that are stored in one go, at most: a burst's worth."""
        burst = self.max_burst_beats * self.axi_bytes
        return max(1, min(burst // (self.channel_block * self.act_bytes), self.psum_depth // 2))

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
    def pace(self) -> int:
        """Cycles in which the requantiser takes one vector of psums."""
        return self.m_block // self.requant_lanes

    @lazy
    def bias_lines(self) -> int:
        """Filter-stream lines with the biases of a block; row stationary, of one filter."""
        slices = -(-self.acc_bits // self.weight_bits)
        return -(-slices // self.rows) if self.has_pe_sets else slices

    @lazy
    def scale_lines(self) -> int:
        """Filter-stream lines with the scales of a block; row stationary, of one filter."""
        slices = 32 // self.weight_bits
        return -(-slices // self.rows) if self.has_pe_sets else slices

    @lazy
    def most_lines(self) -> int:
        """Most lines that a weight block and its parameters hold in the filter buffer."""
        parameters = self.bias_lines + self.scale_lines
        if self.has_pe_sets:
            return self.filter_spad // 2 + self.psum_spad * parameters
        return self.rows + parameters

    def keys(self) -> dict[str, int | str]:
        """Every key with its value, for reports and manifests."""
        return {key.name: getattr(self, key.name) for key in fields(self)}


#: Keys that a file or ``--set`` may give.
CONFIG_KEYS = tuple(key.name for key in fields(AcceleratorConfig))

__all__ = ["CONFIG_KEYS", "AcceleratorConfig", "Dataflow", "ceil_log2"]

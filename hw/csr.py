"""Register map: the one source of the hardware's decoder, the driver's offsets and the C header.

Plain Python.
"""

from dataclasses import dataclass
from enum import IntEnum


class Access(IntEnum):
    """What software may do with a register."""

    READ_ONLY = 0
    READ_WRITE = 1
    WRITE_PULSE = 2  # reads as zero; a written one acts once
    WRITE_ONE_CLEARS = 3


class ErrorCode(IntEnum):
    """Why a job stopped; ``ERROR_ADDRESS`` says where."""

    NONE = 0
    DESCRIPTOR = 1  # magic, checksum or a field is wrong; address of the descriptor
    READ_SLVERR = 2  # address of the beat
    READ_DECERR = 3
    WRITE_SLVERR = 4  # address of the burst
    WRITE_DECERR = 5
    WATCHDOG = 6  # nothing moved for WATCHDOG cycles; address of the descriptor
    PROGRAM = 7  # PROGRAM_ADDRESS, PROGRAM_LENGTH or RECORD_ADDRESS cannot be; the first of them


class Counter(IntEnum):
    """Performance counters since the doorbell, 64 bits each, in the order of the record."""

    CYCLES = 0
    DRAM_READ_BYTES = 1
    DRAM_WRITE_BYTES = 2
    IFMAP_READS = 3  # elements to the array
    IFMAP_FILLS = 4  # elements written by the DMA, padding included
    FILTER_READS = 5  # weights to the array (and bias and scale slices)
    FILTER_FILLS = 6
    PSUM_READS = 7  # psum words
    PSUM_WRITES = 8
    OFMAP_WRITES = 9  # requantised words into the ofmap buffer
    OFMAP_SPILLS = 10  # ... out of it, to be stored
    CHAIN_SHIFTS = 11  # cycles in which the weight chain moved; rs: weights written into PEs
    WEIGHT_SWAPS = 12  # weight blocks made active; rs: activations written into PEs
    MAC_CYCLES = 13  # cycles in which an ifmap vector met the weights
    MAC_LANES = 14  # the same, counted per row that held a weight for it
    LAYERS = 15  # descriptors completed


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    ``bits`` are those that exist; the others read as zero and ignore writes.
    """

    name: str
    offset: int
    access: Access
    bits: int
    reset: int
    doc: str


ID_VALUE = 0x5F10_F10E
COUNTER_BASE = 0x80
CSR_ADDRESS_BITS = 9
COUNTER_BYTES = 8  # of a counter in a record
RECORD_BYTES = COUNTER_BYTES * len(Counter)  # of a record in DRAM

_RO, _RW = Access.READ_ONLY, Access.READ_WRITE

REGISTERS = (
    Register("ID", 0x00, _RO, 32, ID_VALUE, "fixed value that identifies the core"),
    Register("ARRAY", 0x04, _RO, 32, 0, "rows in bits 15:0, columns in bits 31:16"),
    Register("CONTROL", 0x08, Access.WRITE_PULSE, 2, 0, "bit 0 start, bit 1 soft reset"),
    Register("STATUS", 0x0C, _RO, 3, 0, "bit 0 busy, bit 1 done, bit 2 error"),
    Register("IRQ_ENABLE", 0x10, _RW, 2, 0, "bit 0 done, bit 1 error"),
    Register("IRQ_STATUS", 0x14, Access.WRITE_ONE_CLEARS, 2, 0, "bit 0 done, bit 1 error"),
    Register("PROGRAM_ADDRESS", 0x18, _RW, 32, 0, "of the first descriptor; 64-byte aligned"),
    Register("PROGRAM_LENGTH", 0x1C, _RW, 16, 0, "descriptors"),
    Register(
        "RECORD_ADDRESS",
        0x20,
        _RW,
        32,
        0,
        "where counter records go, one before the first layer and one "
        "after each; 128-byte aligned, 0 for none",
    ),
    Register("WATCHDOG", 0x24, _RW, 32, 1 << 20, "cycles without progress; 0 never"),
    Register("ERROR_CODE", 0x28, _RO, 4, 0, "an error code"),
    Register("ERROR_ADDRESS", 0x2C, _RO, 32, 0, "where"),
    Register("LAYER", 0x30, _RO, 16, 0, "descriptors completed"),
)

#: Offset of each register by its name.
OFFSETS = {register.name: register.offset for register in REGISTERS}

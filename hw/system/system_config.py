"""What a system is made of. Plain Python."""

from dataclasses import dataclass

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.system.sdram_timing import BEAT_BITS, SdramTiming


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """A system.

    Parameters
    ----------
    accelerator : AcceleratorConfig
        The accelerator.
    memory : int | SdramTiming
        Bytes of memory on the chip, or an SDRAM beside it.
    bit_cycles : int
        Cycles of a bit on the UART, at least 4.

    Raises
    ------
    ValueError
        If the memory on the chip does not consist of whole beats, or an SDRAM has no burst as long
        as a beat.
    """

    accelerator: AcceleratorConfig
    memory: int | SdramTiming
    bit_cycles: int

    def __post_init__(self) -> None:
        if self.memory_bytes % self.accelerator.axi_bytes or not self.memory_bytes:
            raise ValueError(f"memory must have whole beats, not {self.memory_bytes} bytes")
        bits = self.accelerator.axi_data_bits
        if isinstance(self.memory, SdramTiming) and bits not in BEAT_BITS:
            choices = ", ".join(map(str, BEAT_BITS))
            raise ValueError(f"axi_data_bits must be one of {choices} for an SDRAM, not {bits}")

    @property
    def memory_bytes(self) -> int:
        """Bytes of the memory."""
        return self.memory if isinstance(self.memory, int) else self.memory.size

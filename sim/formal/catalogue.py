"""The proofs of a configuration."""

from collections.abc import Callable

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.timing import BEATS_AHEAD, INBOX, OUTSTANDING_WRITES
from stillflow.sim.formal.control import RegistersProof, TilesProof
from stillflow.sim.formal.movers import PackerProof, ReaderProof, SplitterProof, WriterProof
from stillflow.sim.formal.proof import Proof
from stillflow.sim.formal.queues import buffered_queue, queue


def proofs(config: AcceleratorConfig) -> dict[str, Callable[[], Proof]]:
    """Makers of a configuration's proofs, by name."""
    return {
        "inbox": lambda: queue(INBOX),
        "write queue": lambda: queue(BEATS_AHEAD),
        "segment queue": lambda: buffered_queue(config.outstanding_reads),
        "answer queue": lambda: buffered_queue(OUTSTANDING_WRITES),
        "burst splitter": lambda: SplitterProof(config),
        "reader": lambda: ReaderProof(config),
        "writer": lambda: WriterProof(config),
        "packer": lambda: PackerProof(config),
        "registers": lambda: RegistersProof(config),
        "tile slots": lambda: TilesProof(config),
    }

"""The proofs hold, and each fails when its block has a bug."""

import inspect
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from amaranth.lib import fifo

from stillflow.boards.formal import prove
from stillflow.hw.control import csr_block
from stillflow.hw.dma import burst, packer, reader, write_channels, writer
from stillflow.hw.presets import EDGE8, TINY
from stillflow.hw.sequencer import read_walker
from stillflow.sim.formal.catalogue import proofs
from stillflow.sim.formal.control import RegistersProof, TilesProof
from stillflow.sim.formal.movers import PackerProof, ReaderProof, SplitterProof, WriterProof
from stillflow.sim.formal.proof import Proof
from stillflow.sim.formal.queues import buffered_queue, queue

#: Assertions that must reach the solver: Yosys may drop some without a word.
ASSERTIONS = {
    "inbox": 9,
    "write queue": 9,
    "segment queue": 8,
    "answer queue": 8,
    "burst splitter": 12,
    "reader": 16,
    "writer": 23,
    "packer": 7,
    "registers": 9,
    "tile slots": 2,
}


@pytest.mark.parametrize("config", [TINY, EDGE8], ids=lambda config: config.name)
@pytest.mark.parametrize("name", ASSERTIONS)
def test_properties_hold(name, config):
    proved = prove(proofs(config)[name]())
    assert not proved.failure
    assert proved.assertions == ASSERTIONS[name]


def test_every_proof_is_counted():
    assert set(proofs(TINY)) == set(ASSERTIONS)


def with_channels(block):
    """Proof of a writer with other write channels."""
    with mock.patch.object(writer, "WriteChannels", block):
        return WriterProof(TINY)


@dataclass(frozen=True)
class Bug:
    """A line of a module, changed, and the proof of one of its classes."""

    module: ModuleType
    name: str
    old: str
    new: str
    proof: Any

    def block(self) -> Any:
        """Class with the bug, from a changed copy of the module's source."""
        text = inspect.getsource(self.module)
        assert text.count(self.old) >= 1
        start = text.index(f"class {self.name}(")
        changed = text[:start] + text[start:].replace(self.old, self.new, 1)
        assert changed != text
        copy = ModuleType(f"{self.module.__name__}_with_a_bug")
        copy.__file__ = self.module.__file__
        copy.__package__ = self.module.__package__
        sys.modules[copy.__name__] = copy
        try:
            exec(compile(changed, self.module.__file__ or "", "exec"), vars(copy))
        finally:
            del sys.modules[copy.__name__]
        return getattr(copy, self.name)


BUGS = (
    Bug(fifo, "SyncFIFO", "self.w_rdy.eq(self.level != self.depth)", "self.w_rdy.eq(1)",
        lambda block: queue(4, block)),
    Bug(fifo, "SyncFIFO", "consume.eq(_incr(consume, self.depth))", "consume.eq(consume)",
        lambda block: queue(4, block)),
    Bug(fifo, "SyncFIFOBuffered", "(~self.r_rdy | self.r_en)", "1",
        lambda block: buffered_queue(4, block)),
    Bug(burst, "BurstSplitter", "offset[low:].all() & offset[:low]", "offset[:low]",
        lambda block: SplitterProof(TINY, block)),
    Bug(burst, "BurstSplitter", "<= limit)", "< limit)",
        lambda block: SplitterProof(TINY, block)),
    Bug(reader, "Reader", "(given >= lack)", "(free != 0)",
        lambda block: ReaderProof(TINY, block)),
    Bug(reader, "Reader", "(~self.i_abort | held)", "~self.i_abort",
        lambda block: ReaderProof(TINY, block)),
    Bug(write_channels, "WriteChannels", "is_planned | outstanding[", "Const(0, 8)[",
        with_channels),
    Bug(writer, "Writer", "~waits & ~record.valid", "~waits",
        lambda block: WriterProof(TINY, block)),
    Bug(write_channels, "WriteChannels", "self.i_abort & ~held", "self.i_abort",
        with_channels),
    Bug(packer, "Packer", "beats.w_level + push + issue <", "beats.w_level + push <",
        lambda block: PackerProof(TINY, block)),
    Bug(csr_block, "CsrBlock", "has_address & has_data & ~self.s_axil_bvalid",
        "has_address & has_data", lambda block: RegistersProof(TINY, block)),
    Bug(read_walker, "ReadWalker", "used < layer.slots", "used <= layer.slots",
        lambda block: TilesProof(TINY, block)),
)  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.name}: {bug.new}")
def test_a_bug_breaks_the_proof(bug):
    proof: Proof = bug.proof(bug.block())
    assert prove(proof).failure

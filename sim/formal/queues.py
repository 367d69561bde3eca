"""The queues: order and contents, by following one entry that the solver picks."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib.fifo import SyncFIFO, SyncFIFOBuffered
from amaranth.lib.wiring import In

from stillflow.sim.formal.proof import Proof, check, implies

WIDTH = 4  # an entry is data that no logic looks at


class QueueProof(Proof):
    """Entries come out as they went in, in order, none lost and none made up.

    The solver marks any one entry as it goes in. While it waits, its place behind the head is
    known; at the head it must be what was written.
    """

    def __init__(self, queue: Any) -> None:
        super().__init__(queue, {"mark": In(1)})

    def inputs(self) -> dict[str, Value]:
        """List the inputs of the queue, which is no component."""
        return {name: getattr(self.block, name) for name in ("w_en", "w_data", "r_en")}

    def prepare(self) -> None:
        """Look into the memory."""
        storage = self.inner._named_submodules["storage"][0]
        self.probe = storage.read_port(domain="comb")
        self.words = storage.depth

    def state(self, m: Module) -> None:
        """State the properties."""
        queue, depth = self.block, self.block.depth
        writes, reads = queue.w_en & queue.w_rdy, queue.r_en & queue.r_rdy

        # What is stored: a ring of `words`, behind an output register in the buffered queue.
        buffered = self.words < depth
        ahead = queue.r_rdy if buffered else Const(0)
        stored = queue.level - ahead
        check_ring(m, self.registers, stored, self.words)
        check(
            m,
            queue.level <= depth,
            queue.w_rdy == (stored != self.words),
            implies(queue.r_rdy, queue.level != 0),
        )
        if not buffered:
            check(m, queue.r_rdy == (queue.level != 0))

        waits, place, entry = Signal(), Signal(range(depth + 1)), Signal(WIDTH)
        marked = writes & self.i.mark & ~waits
        with m.If(marked):
            m.d.sync += [waits.eq(1), entry.eq(queue.w_data), place.eq(queue.level - reads)]
        with m.Elif(waits & reads):
            m.d.sync += [waits.eq(place != 0), place.eq(place - 1)]
        at_output = (place == 0) & queue.r_rdy
        behind = self.registers["consume"] + place - ahead
        m.d.comb += self.probe.addr.eq(wrapped(behind.as_unsigned(), self.words))
        check(
            m,
            implies(waits, place < queue.level),
            implies(waits, Mux(at_output, queue.r_data, self.probe.data) == entry),
        )


def check_ring(
    m: Module, registers: dict[str, Signal], stored: Value, words: int, path: str = ""
) -> None:
    """Assert that a queue's pointers are as far apart as it has entries in its memory."""
    consume, produce = registers[f"{path}consume"], registers[f"{path}produce"]
    check(m, stored <= words, consume < words, produce == wrapped(consume + stored, words))


def wrapped(place: Value, words: int) -> Value:
    """Reduce a place in two rounds of a ring to one round."""
    return Mux(place >= words, place - words, place)


def queue(depth: int, block: Any = SyncFIFO) -> QueueProof:
    """Proof of the queue whose head is read from the memory in the same cycle."""
    return QueueProof(block(width=WIDTH, depth=depth))


def buffered_queue(depth: int, block: Any = SyncFIFOBuffered) -> QueueProof:
    """Proof of the queue with an output register."""
    return QueueProof(block(width=WIDTH, depth=depth))

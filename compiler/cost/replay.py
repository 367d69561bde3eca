"""Cycles of a program, replayed burst by burst and step by step."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Fields
from itertools import pairwise

from stillflow.compiler.cost.beats import BeatSide
from stillflow.compiler.cost.compute import Computer
from stillflow.compiler.cost.depthwise import DepthwiseComputer
from stillflow.compiler.cost.groups import GroupComputer
from stillflow.compiler.cost.load import Loader
from stillflow.compiler.cost.memory import NEVER, Memory
from stillflow.compiler.cost.sets import SetComputer
from stillflow.compiler.cost.state import State
from stillflow.compiler.cost.store import Storer
from stillflow.compiler.cost.visits import Bursts
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import RECORD_BYTES
from stillflow.hw.descriptor import BYTES
from stillflow.hw.mapping import Mapping
from stillflow.hw.timing import slice_delay

FETCH_DELAY = 2  # cycles from a layer's end until the next descriptor is asked for
BEGIN_DELAY = 4  # ... from its last beat until the walkers begin


def predict_cycles(
    config: AcceleratorConfig,
    layers: Sequence[tuple[Mapping, Fields[str, int]]],
    *,
    program_address: int,
    record_address: int,
    latency: int = 40,
    bytes_per_cycle: int | None = None,
) -> list[int]:
    """Cycles of each layer of a program.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    layers : sequence of (Mapping, descriptor fields)
        In the order of the program.
    program_address, record_address : int
        Of the first descriptor and of the first record; there is a record.
    latency, bytes_per_cycle : int
        Of the DRAM; by default it moves a beat per cycle.

    Returns
    -------
    list[int]
        From end to end; the first from the doorbell, the last to the interrupt.
    """
    memory = Memory(
        Bursts(config), latency=latency, rate=bytes_per_cycle or config.axi_bytes,
        delay=slice_delay(config),
    )  # fmt: skip
    ends = [0]
    for index, (mapping, fields) in enumerate(layers):
        ends.append(
            _layer(
                config, memory, mapping, fields, at=ends[-1],
                descriptor=program_address + index * BYTES,
                record=record_address + index * RECORD_BYTES,
            )
        )  # fmt: skip
    state = State()
    memory.answered = []
    recording = Storer(config, memory, state).record(
        ends[-1] + 1, record_address + len(layers) * RECORD_BYTES
    )
    _run(memory, BeatSide(state), [recording], lambda now: NEVER)
    cycles = [after - before for before, after in pairwise(ends)]
    cycles[-1] += memory.answered[-1] + 1 - ends[-1]
    return cycles


def _layer(
    config: AcceleratorConfig,
    memory: Memory,
    mapping: Mapping,
    fields: Fields[str, int],
    *,
    at: int,
    descriptor: int,
    record: int,
) -> int:
    """Cycle in which a layer ends that follows the doorbell, or an end, in cycle ``at``."""
    state = State(pools=mapping.work.pool.pools)
    memory.answered = []
    loader, storer = Loader(config, memory, state), Storer(config, memory, state)
    loader.fetch(at + FETCH_DELAY, descriptor, BYTES)
    recording = storer.record(at + 1, record)
    next(recording, None)
    while state.fetched < 0 or storer.record_taken < 0:
        memory.decide(loader.beats, memory.next_event() + 1)
        next(recording, None)
    begin = max(state.fetched + BEGIN_DELAY, storer.record_taken + 1)
    compute = Computer
    if mapping.psums_stay:
        compute = GroupComputer
    elif mapping.fir:
        compute = DepthwiseComputer
    elif mapping.pe_set:
        compute = SetComputer
    finishes = bool(fields["join"] or fields["table"])
    computer = compute(config, mapping, state, begin, finishes=finishes)

    def writes() -> Iterator[None]:
        yield from recording
        yield from storer.walk(mapping, fields, begin)

    walkers = [computer.walk(), writes(), loader.walk(mapping, fields, begin, computer.floor)]
    _run(memory, loader.beats, walkers, computer.floor)
    return max(
        loader.done, computer.done, storer.done, storer.ended[-1] + 1, memory.answered[-1] + 1
    )


def _run(
    memory: Memory, taker: BeatSide, walkers: list[Iterator[None]], floor: Callable[[int], int]
) -> None:
    """Let the walkers go as far as they can, then the DRAM, and so on until all rests."""
    state = taker.state
    while True:
        seen = -1
        while seen != state.progress:
            seen = state.progress
            for walker in walkers:
                next(walker, None)
        if not memory.busy:
            return
        memory.decide(taker, floor(memory.next_event()))

"""Performance counters."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.buffer.sram import Sram
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.events import EventCounts, event_words
from stillflow.hw.csr import Counter
from stillflow.hw.signals import signals, times
from stillflow.hw.timing import COUNTER_ROUND
from stillflow.hw.words import ShownCounter

#: Most cycles between two visits to a counter: a sweep may begin just before its turn.
LONGEST_ROUND = 2 * COUNTER_ROUND + 2

EVENT_DELAY = 2  # cycles: one so that no path is long, one as a sweep comes late


class Counters(wiring.Component):
    """Counts events; the sums lie in a memory, which is visited counter by counter.

    A visit takes two cycles, a round `COUNTER_ROUND`. Besides its place in the memory a counter
    has just the events since its latest visit. ``o_shown`` shows each value from its visit until
    the next one's.

    Timing: a sweep begins a round, at `Counter.CYCLES`. What is shown of counter ``n`` then
    counts all events up to ``2 n - 1`` cycles after ``i_sweep``, and stands from ``2 n + 3`` to
    ``2 n + 4`` cycles after it.

    Parameters
    ----------
    config : AcceleratorConfig
        Bits that are counted; a counter starts anew beyond.

    Members
    -------
    i_clear : ``In(1)``
        Doorbell: all counters are zero from the next cycle on.
    i_sweep : ``In(1)``
        Begin a round; at least `COUNTER_ROUND` cycles after the one before.
    i_hold : ``In(1)``
        ``DRAM_WRITE_BYTES`` keeps the value of its latest visit, for a few beats at most.
    i_events : ``In(EventCounts)``
    o_shown : ``Out(ShownCounter)``
    """

    i_clear: Signal
    i_sweep: Signal
    i_hold: Signal
    i_events: data.View
    o_shown: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_clear": In(1),
                "i_sweep": In(1),
                "i_hold": In(1),
                "i_events": In(EventCounts(config)),
                "o_shown": Out(ShownCounter(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the round over the memory, and the events since each visit."""
        m = Module()
        config, shown = self.config, self.o_shown

        turn = Signal(range(len(Counter)))
        reads, visit, adds = signals("reads visit adds")
        begun = Signal(len(Counter))  # these have a sum in the memory
        total = Signal(config.counter_bits)
        visited = self._words(m, visit, turn)
        words = Signal(visited.shape())
        m.submodules.sums = sums = Sram(depth=len(Counter), width=config.counter_bits)
        m.d.comb += [
            visit.eq(reads & ~self.i_sweep),
            sums.i_read_en.eq(visit),
            sums.i_read_addr.eq(turn),
            total.eq(words + Mux(begun.bit_select(turn, 1), sums.o_read_data, 0)),
            sums.i_write_en.eq(adds),
            sums.i_write_addr.eq(turn),
            sums.i_write_data.eq(total),
            shown.last.eq(~reads),
        ]
        m.d.sync += [reads.eq(~reads), adds.eq(visit), words.eq(visited)]
        with m.If(adds):
            m.d.sync += [
                turn.eq(turn + 1),
                begun.bit_select(turn, 1).eq(1),
                shown.counter.eq(turn),
                shown.value.eq(total),
            ]
        with m.If(self.i_sweep):
            m.d.sync += [turn.eq(0), reads.eq(1)]
        with m.If(self.i_clear):
            m.d.sync += [begun.eq(0), shown.value.eq(0)]

        return m

    def _words(self, m: Module, visit: Value, turn: Value) -> Value:
        """Count the events since each visit; give the words of the counter that is visited."""
        came: Any = self.i_events
        for stage in range(EVENT_DELAY):
            later: Any = Signal(EventCounts(self.config), name=f"came_{stage + 1}")
            m.d.sync += later.eq(came)
            with m.If(self.i_clear):
                m.d.sync += later.eq(0)
            came = later
        here = Signal(len(Counter))
        m.d.comb += here.eq(visit << turn)
        with m.If(self.i_hold):
            m.d.comb += here[Counter.DRAM_WRITE_BYTES].eq(0)

        visited: dict[int, list[Value]] = {}
        for counter, (most, unit) in event_words(self.config).items():
            name = counter.name.lower()
            since = Signal(range(most * LONGEST_ROUND + 1), name=f"since_{name}")
            events = Signal.like(since, name=f"events_{name}")
            m.d.comb += events.eq(since + came[name])
            m.d.sync += since.eq(events)
            with m.If(here[counter] | self.i_clear):
                m.d.sync += since.eq(0)
            visited.setdefault(unit, []).append(events & here[counter].replicate(len(events)))

        # Counters that add as much for an event share what multiplies.
        products = [times(reduce(or_, counts), unit) for unit, counts in visited.items()]
        return reduce(or_, products)

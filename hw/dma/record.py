"""Beats of a record of the counters."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import COUNTER_BYTES, Counter
from stillflow.hw.signals import signals
from stillflow.hw.words import ShownCounter

RECORD_BITS = 8 * COUNTER_BYTES  # of a counter in a record


class RecordBeats(wiring.Component):
    """Takes the counters from their output, one after the other, and makes beats of them.

    Timing: a counter is taken in the last cycle in which it is shown, if two beats have room;
    else a round later. Nothing is taken in the two cycles after ``i_start``: so a record that is
    begun together with a sweep has the values of that sweep. Bytes that the record itself writes
    meanwhile do not count in it (``o_hold``).

    Parameters
    ----------
    config : AcceleratorConfig
        Data width.

    Members
    -------
    i_start, i_clear : ``In(1)``
        Begin a record; forget it.
    i_shown : ``In(ShownCounter)``
    i_room : ``In(1)``
        The queue of beats has room for two.
    o_busy : ``Out(1)``
        Not all beats were given out.
    o_push, o_data
        A beat.
    o_hold : ``Out(1)``
        ``DRAM_WRITE_BYTES`` was not taken when it was its turn.
    """

    i_start: Signal
    i_clear: Signal
    i_shown: data.View
    i_room: Signal
    o_busy: Signal
    o_push: Signal
    o_data: Signal
    o_hold: Signal

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_start": In(1),
                "i_clear": In(1),
                "i_shown": In(ShownCounter(config)),
                "i_room": In(1),
                "o_busy": Out(1),
                "o_push": Out(1),
                "o_data": Out(config.axi_data_bits),
                "o_hold": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the counters and what collects a beat."""
        m = Module()

        wanted = Signal(range(len(Counter)))
        late, begins, runs, take, ends = signals("late begins runs take ends")
        shown = self.i_shown
        m.d.comb += [
            take.eq(runs & shown.last & (shown.counter == wanted) & self.i_room),
            self.o_busy.eq(late | begins | runs),
        ]
        m.d.sync += [
            late.eq(self.i_start),
            begins.eq(late),
            runs.eq((begins | runs) & ~ends),
            self.o_hold.eq(
                runs
                & (wanted <= Counter.DRAM_WRITE_BYTES)
                & ~take
                & (self.o_hold | shown.last & (shown.counter == Counter.DRAM_WRITE_BYTES))
            ),
        ]
        with m.If(take):
            m.d.sync += wanted.eq(wanted + 1)
        last = self._beats(m, take, wanted)
        m.d.comb += ends.eq(self.o_push & last)
        with m.If(self.i_clear):
            m.d.sync += [s.eq(0) for s in (wanted, late, begins, runs, self.o_hold)]

        return m

    def _beats(self, m: Module, take: Value, wanted: Signal) -> Value:
        """Give out beats; give whether the one that is given out is the last."""
        width, value = self.config.axi_data_bits, Signal(RECORD_BITS)
        m.d.comb += value.eq(self.i_shown.value)
        if width < RECORD_BITS:
            second = Signal()
            upper = Signal(width)
            m.d.sync += second.eq(take & ~self.i_clear)
            with m.If(take):
                m.d.sync += upper.eq(value[width:])
            m.d.comb += [
                self.o_push.eq(take | second),
                self.o_data.eq(Mux(second, upper, value)),
            ]
            return second & (wanted == 0)
        counters = width // RECORD_BITS
        kept = Signal(width - RECORD_BITS)
        beat = Cat(kept, value)
        with m.If(take):
            m.d.sync += kept.eq(beat[RECORD_BITS:])
        m.d.comb += [
            self.o_push.eq(take & (wanted % counters == counters - 1)),
            self.o_data.eq(beat),
        ]
        return wanted == len(Counter) - 1

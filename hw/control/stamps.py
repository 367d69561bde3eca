"""Counters as a record shows them."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter

#: Counters that go on while a record is written.
STAMPED = (Counter.CYCLES, Counter.DRAM_READ_BYTES, Counter.DRAM_WRITE_BYTES)


class Stamps(wiring.Component):
    """Keeps what the record's own cycles and beats would change.

    Parameters
    ----------
    config : AcceleratorConfig
        Bits that are counted.

    Members
    -------
    i_take : ``In(1)``
        Keep those counters as they are now.
    i_counters : ``In(ArrayLayout(48, len(Counter)))``
    o_counters : ``Out(ArrayLayout(64, len(Counter)))``
        The kept ones from the next cycle on; the others as they run.
    """

    i_take: Signal
    i_counters: data.View
    o_counters: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_take": In(1),
                "i_counters": In(data.ArrayLayout(48, len(Counter))),
                "o_counters": Out(data.ArrayLayout(64, len(Counter))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the registers."""
        m = Module()

        for counter in Counter:
            value = self.i_counters[counter]
            if counter in STAMPED:
                name = f"stamp_{counter.name.lower()}"
                stamp = Signal(self.config.counter_bits, name=name, reset_less=True)
                with m.If(self.i_take):
                    m.d.sync += stamp.eq(value)
                value = stamp
            m.d.comb += self.o_counters[counter].eq(value)

        return m

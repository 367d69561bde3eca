"""Performance counters."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter

COUNTER_BITS = 48


class Counters(wiring.Component):
    """Adds an amount to each counter every cycle.

    Parameters
    ----------
    config : AcceleratorConfig
        Bits that are counted; a counter starts anew beyond.

    Members
    -------
    i_clear : ``In(1)``
        Doorbell: all counters are zero from the next cycle on.
    i_amounts : ``In(ArrayLayout(16, len(Counter)))``
    o_values : ``Out(ArrayLayout(COUNTER_BITS, len(Counter)))``
    """

    i_clear: Signal
    i_amounts: data.View
    o_values: data.View

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_clear": In(1),
                "i_amounts": In(data.ArrayLayout(16, len(Counter))),
                "o_values": Out(data.ArrayLayout(COUNTER_BITS, len(Counter))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the adders."""
        m = Module()

        for counter in Counter:
            amount = Signal(16, name=f"amount_{counter.name.lower()}")
            value = self.o_values[counter][: self.config.counter_bits]
            m.d.sync += [amount.eq(self.i_amounts[counter]), value.eq(value + amount)]
            with m.If(self.i_clear):
                m.d.sync += [amount.eq(0), value.eq(0)]

        return m

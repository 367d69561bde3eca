"""UART: eight bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

BITS = 10  # of a byte on the line


class UartReceiver(wiring.Component):
    """Turns the line into bytes.

    A bit is taken in its middle. A byte without a stop bit is lost. A byte that is not taken in
    the cycle in which it comes is lost, too: ``o_byte`` must never stall.

    Parameters
    ----------
    bit_cycles : int
        Cycles of a bit, at least 4.

    Members
    -------
    i_rx : ``In(1)``
        The line, of any clock.
    o_valid, o_byte : ``Out(1)``, ``Out(8)``
        A byte, for one cycle.
    """

    i_rx: Signal
    o_valid: Signal
    o_byte: Signal

    def __init__(self, bit_cycles: int) -> None:
        self.bit_cycles = _checked(bit_cycles)
        super().__init__({"i_rx": In(1), "o_valid": Out(1), "o_byte": Out(8)})

    def elaborate(self, platform: object) -> Module:
        """Build the shift register."""
        m = Module()

        line = Signal(init=1)
        broken = Signal()
        bits = Signal(BITS - 1)
        wait = Signal(range(2 * self.bit_cycles))
        left = Signal(range(BITS + 1))
        m.submodules.synchronise = FFSynchronizer(self.i_rx, line, init=1)
        m.d.comb += self.o_byte.eq(bits[1:])
        m.d.sync += self.o_valid.eq(0)
        with m.If(left == 0):
            with m.If(~line):  # to the middle of the first data bit
                m.d.sync += [left.eq(BITS - 1), wait.eq(self.bit_cycles * 3 // 2 - 2)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), wait.eq(self.bit_cycles - 1)]
            with m.If(left == 1):
                m.d.sync += [self.o_valid.eq(line & ~broken), broken.eq(~line)]
                with m.If(~line):  # a break, or out of step: wait for a pause
                    m.d.sync += left.eq(1)
            with m.Else():
                m.d.sync += bits.eq(Cat(bits[1:], line))

        return m


class UartTransmitter(wiring.Component):
    """Turns bytes into the line.

    Parameters
    ----------
    bit_cycles : int
        Cycles of a bit, at least 4.

    Members
    -------
    i_bytes : ``In(stream.Signature(8))``
    o_tx : ``Out(1)``
        The line.
    """

    i_bytes: stream.Interface
    o_tx: Signal

    def __init__(self, bit_cycles: int) -> None:
        self.bit_cycles = _checked(bit_cycles)
        super().__init__({"i_bytes": In(stream.Signature(8)), "o_tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the shift register."""
        m = Module()

        bits = Signal(BITS, init=(1 << BITS) - 1)
        wait = Signal(range(self.bit_cycles))
        left = Signal(range(BITS + 1))
        m.d.comb += [self.o_tx.eq(bits[0]), self.i_bytes.ready.eq(left == 0)]
        with m.If(left == 0):
            with m.If(self.i_bytes.valid):
                m.d.sync += [
                    bits.eq(Cat(Const(0, 1), self.i_bytes.payload, Const(1, 1))),
                    left.eq(BITS),
                    wait.eq(self.bit_cycles - 1),
                ]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [
                bits.eq(Cat(bits[1:], Const(1, 1))),
                left.eq(left - 1),
                wait.eq(self.bit_cycles - 1),
            ]

        return m


def _checked(bit_cycles: int) -> int:
    if bit_cycles < 4:
        raise ValueError(f"bit_cycles must be at least 4, not {bit_cycles!r}")
    return bit_cycles

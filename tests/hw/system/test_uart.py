import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from stillflow.hw.system.uart import BITS, UartReceiver, UartTransmitter


class Loop(wiring.Component):
    """A transmitter on a receiver's line."""

    def __init__(self, bit_cycles):
        self.sender, self.receiver = UartTransmitter(bit_cycles), UartReceiver(bit_cycles)
        super().__init__({"o_valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.sender, m.submodules.receiver = self.sender, self.receiver
        m.d.comb += self.receiver.i_rx.eq(self.sender.o_tx)
        return m


@pytest.mark.parametrize("bit_cycles", [4, 5, 16, 25])
def test_bytes_pass(bit_cycles):
    loop, sent, received = Loop(bit_cycles), [*range(0, 256, 7), 255, 0, 0xA5], []

    async def send(ctx):
        for byte in sent:
            ctx.set(loop.sender.i_bytes.payload, byte)
            ctx.set(loop.sender.i_bytes.valid, 1)
            while not ctx.get(loop.sender.i_bytes.ready):
                await ctx.tick()
            await ctx.tick()
        ctx.set(loop.sender.i_bytes.valid, 0)
        await ctx.tick().repeat(2 * BITS * bit_cycles)

    async def receive(ctx):
        async for _, _, valid, byte in ctx.tick().sample(
            loop.receiver.o_valid, loop.receiver.o_byte
        ):
            if valid:
                received.append(byte)

    simulator = Simulator(loop)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send)
    simulator.add_testbench(receive, background=True)
    simulator.run()
    assert received == sent


def run_line(bit_cycles, levels):
    """Give the receiver levels for so many cycles each; give its bytes."""
    receiver, received = UartReceiver(bit_cycles), []

    async def drive(ctx):
        ctx.set(receiver.i_rx, 1)
        await ctx.tick().repeat(5)
        for level, cycles in levels:
            ctx.set(receiver.i_rx, level)
            await ctx.tick().repeat(cycles)

    async def watch(ctx):
        async for _, _, valid, byte in ctx.tick().sample(receiver.o_valid, receiver.o_byte):
            if valid:
                received.append(byte)

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return received


def frame(byte, length):
    return [(byte << 1 | 1 << 9) >> n & 1 for n in range(10)], length


@pytest.mark.parametrize("cycles", [24, 25, 26])
def test_a_clock_four_percent_off_is_understood(cycles):
    levels = []
    for byte in (0x55, 0x00, 0xFF, 0x81):
        levels += [(bit, cycles) for bit in frame(byte, cycles)[0]]
    assert run_line(25, [*levels, (1, 100)]) == [0x55, 0x00, 0xFF, 0x81]


def test_a_byte_without_a_stop_bit_is_lost_and_the_next_is_not():
    bits = frame(0x3C, 8)[0]
    broken = [(bit, 8) for bit in bits[:-1]] + [(0, 8), (1, 100)]
    sound = [(bit, 8) for bit in bits] + [(1, 20)]
    assert run_line(8, broken + sound) == [0x3C]


def test_bits_have_enough_cycles():
    for kind in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match="bit_cycles must be at least 4, not 3"):
            kind(3)

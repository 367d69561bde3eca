"""Registers and the core: start and reset, the life of a job, interrupts, counters."""

import pytest

from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.csr import COUNTER_BASE, OFFSETS, REGISTERS, Access, Counter, ErrorCode
from stillflow.sim import bench
from tests.hw.control.host import (
    BUSY,
    CONFIG,
    DONE,
    ERROR,
    SOFT_RESET,
    START,
    Host,
    pulse,
    with_host,
)

READ_WRITE = [register for register in REGISTERS if register.access is Access.READ_WRITE]


def pulses_of(scenario):
    """Run a scenario, return how many cycles o_start and o_soft_reset were high."""
    dut, counts = CsrBlock(CONFIG), {}
    ended = []

    async def main(ctx):
        await scenario(ctx, dut, Host(dut, ctx))
        await ctx.tick().repeat(5)
        ended.append(True)

    async def watch(ctx):
        while not ended:
            for name in ("o_start", "o_soft_reset"):
                counts[name] = counts.get(name, 0) + ctx.get(getattr(dut, name))
            await ctx.tick()

    bench.run(dut, main, watch)
    return counts


def test_start_is_one_pulse_and_reads_as_zero():
    async def scenario(ctx, dut, host):
        await host.write("CONTROL", START)
        assert await host.read("CONTROL") == 0

    assert pulses_of(scenario) == {"o_start": 1, "o_soft_reset": 0}


def test_start_needs_its_byte_strobe():
    async def scenario(ctx, dut, host):
        await host.write("CONTROL", START | SOFT_RESET, strobe=0xE)

    assert pulses_of(scenario) == {"o_start": 0, "o_soft_reset": 0}


def test_start_while_busy_does_nothing():
    async def scenario(ctx, dut, host):
        await pulse(ctx, dut.i_done)
        ctx.set(dut.i_busy, 1)
        await host.write("CONTROL", START)
        assert await host.read("STATUS") == BUSY | DONE

    assert pulses_of(scenario) == {"o_start": 0, "o_soft_reset": 0}


def test_soft_reset_wins_over_start():
    async def scenario(ctx, dut, host):
        await host.write("CONTROL", START | SOFT_RESET)

    assert pulses_of(scenario) == {"o_start": 0, "o_soft_reset": 1}


def test_soft_reset_restores_every_register_also_while_busy():
    async def scenario(ctx, dut, host):
        for register in READ_WRITE:
            await host.write(register.name, 0x5A5A_5A5A)
        ctx.set(dut.i_error_code, ErrorCode.WATCHDOG)
        ctx.set(dut.i_error_address, 0x40)
        await pulse(ctx, dut.i_error)
        await pulse(ctx, dut.i_done)
        ctx.set(dut.i_busy, 1)
        await host.write("CONTROL", SOFT_RESET)
        ctx.set(dut.i_busy, 0)
        wanted = {register.name: register.reset for register in REGISTERS}
        wanted["ARRAY"] = 12 | 14 << 16
        assert {name: await host.read(name) for name in OFFSETS} == wanted

    with_host(scenario)


def test_an_event_in_the_cycle_of_a_soft_reset_is_forgotten():
    async def scenario(ctx, dut, host):
        await host.write("CONTROL", SOFT_RESET)
        assert await host.read("IRQ_STATUS") == 0
        assert await host.read("STATUS") == 0

    async def core(ctx, dut):
        while not ctx.get(dut.o_soft_reset):
            await ctx.tick()
        await pulse(ctx, dut.i_done)

    with_host(scenario, core)


def test_a_job_that_ends_well():
    async def scenario(ctx, dut, host):
        await host.write("IRQ_ENABLE", 1)
        await host.write("CONTROL", START)
        ctx.set(dut.i_busy, 1)
        assert await host.read("STATUS") == BUSY
        ctx.set(dut.i_layer, 3)
        assert await host.read("LAYER") == 3
        ctx.set(dut.i_busy, 0)
        assert not ctx.get(dut.irq)
        await pulse(ctx, dut.i_done)
        assert ctx.get(dut.irq)
        assert await host.read("STATUS") == DONE
        assert await host.read("IRQ_STATUS") == 1
        await host.write("IRQ_STATUS", 2)
        assert ctx.get(dut.irq)
        await host.write("IRQ_STATUS", 1, strobe=0xE)
        assert ctx.get(dut.irq)
        await host.write("IRQ_STATUS", 1)
        assert not ctx.get(dut.irq)
        assert await host.read("STATUS") == DONE

    with_host(scenario)


def test_a_job_that_fails_and_the_next_start():
    async def scenario(ctx, dut, host):
        await host.write("IRQ_ENABLE", 2)
        ctx.set(dut.i_error_code, ErrorCode.READ_DECERR)
        ctx.set(dut.i_error_address, 0xDEAD_BEE0)
        await pulse(ctx, dut.i_error)
        ctx.set(dut.i_error_code, 0)
        ctx.set(dut.i_error_address, 0)
        assert ctx.get(dut.irq)
        assert await host.read("STATUS") == ERROR
        assert await host.read("IRQ_STATUS") == 2
        assert await host.read("ERROR_CODE") == ErrorCode.READ_DECERR
        assert await host.read("ERROR_ADDRESS") == 0xDEAD_BEE0
        await host.write("CONTROL", START)
        for name in ("STATUS", "ERROR_CODE", "ERROR_ADDRESS"):
            assert await host.read(name) == 0
        assert await host.read("IRQ_STATUS") == 2

    with_host(scenario)


@pytest.mark.parametrize("enable", range(4))
def test_irq_needs_an_enabled_bit(enable):
    async def scenario(ctx, dut, host):
        await host.write("IRQ_ENABLE", enable)
        await pulse(ctx, dut.i_done)
        assert ctx.get(dut.irq) == enable & 1
        await host.write("IRQ_STATUS", 3)
        await pulse(ctx, dut.i_error)
        assert ctx.get(dut.irq) == enable >> 1

    with_host(scenario)


def test_an_event_while_its_bit_is_cleared_is_not_lost():
    async def scenario(ctx, dut, host):
        await pulse(ctx, dut.i_done)
        ctx.set(dut.s_axil_awaddr, OFFSETS["IRQ_STATUS"])
        ctx.set(dut.s_axil_wdata, 3)
        ctx.set(dut.s_axil_wstrb, 0xF)
        ctx.set(dut.s_axil_wvalid, 1)
        await pulse(ctx, dut.s_axil_awvalid)
        ctx.set(dut.s_axil_wvalid, 0)
        await pulse(ctx, dut.i_done)  # in the cycle of the write
        assert ctx.get(dut.s_axil_bvalid)
        assert await host.read("IRQ_STATUS") == 1

    with_host(scenario)


def test_status_is_busy_from_the_start_pulse_on():
    async def scenario(ctx, dut, host):
        ctx.set(dut.s_axil_awaddr, OFFSETS["CONTROL"])
        ctx.set(dut.s_axil_araddr, OFFSETS["STATUS"])
        ctx.set(dut.s_axil_wdata, START)
        ctx.set(dut.s_axil_wstrb, 0xF)
        ctx.set(dut.s_axil_wvalid, 1)
        await pulse(ctx, dut.s_axil_awvalid)
        ctx.set(dut.s_axil_wvalid, 0)
        await pulse(ctx, dut.s_axil_arvalid)
        assert ctx.get(dut.o_start)
        await ctx.tick()  # in this cycle STATUS is read
        assert ctx.get(dut.s_axil_rvalid)
        assert ctx.get(dut.s_axil_rdata) == BUSY

    with_host(scenario)


def test_counters_read_low_word_first_are_whole():
    async def scenario(ctx, dut, host):
        values = {c: 0x1234_0000_0000 + (c << 32) + c for c in Counter}
        for counter in Counter:
            with host.showing(values):
                assert await host.read(COUNTER_BASE + 8 * counter) == counter
                assert await host.read(COUNTER_BASE + 8 * counter + 4) == 0x1234 + counter

    with_host(scenario)


def test_the_high_word_is_of_the_moment_the_low_word_was_read():
    async def scenario(ctx, dut, host):
        with host.showing({Counter.CYCLES: 0x0007_FFFF_FFFF}):
            assert await host.read(COUNTER_BASE, stall=3) == 0xFFFF_FFFF
        with host.showing({Counter.CYCLES: 0x0008_0000_0000}):
            assert await host.read(COUNTER_BASE + 4) == 7
            assert await host.read(COUNTER_BASE) == 0
            assert await host.read(COUNTER_BASE + 4) == 8

    with_host(scenario)

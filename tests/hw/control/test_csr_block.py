"""Registers over AXI4-Lite: what is read, what is written, what is answered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.csr import COUNTER_BASE, ID_VALUE, OFFSETS, REGISTERS, Access, Counter
from tests.hw.control.host import (
    DECERR,
    OKAY,
    Host,
    pulse,
    with_host,
)

READ_WRITE = [register for register in REGISTERS if register.access is Access.READ_WRITE]


def test_reset_values():
    async def scenario(ctx, dut, host):
        wanted = {register.name: register.reset for register in REGISTERS}
        wanted["ARRAY"] = 12 | 14 << 16
        assert wanted["ID"] == ID_VALUE
        assert {name: await host.read(name) for name in OFFSETS} == wanted
        assert ctx.get(dut.o_watchdog) == wanted["WATCHDOG"]
        assert ctx.get(dut.irq) == 0

    with_host(scenario)


def test_only_existing_bits_of_read_write_registers_are_kept():
    async def scenario(ctx, dut, host):
        for pattern in (0xFFFF_FFFF, 0xA5A5_5A5A, 0):
            for register in READ_WRITE:
                await host.write(register.name, pattern ^ register.offset)
            for register in READ_WRITE:
                mask = (1 << register.bits) - 1
                assert await host.read(register.name) == (pattern ^ register.offset) & mask

    with_host(scenario)


def test_settings_reach_the_core():
    async def scenario(ctx, dut, host):
        await host.write("PROGRAM_ADDRESS", 0x8000_0040)
        await host.write("PROGRAM_LENGTH", 0xFFFF_0123)
        await host.write("RECORD_ADDRESS", 0x1234_5680)
        await host.write("WATCHDOG", 7)
        assert ctx.get(dut.o_program_address) == 0x8000_0040
        assert ctx.get(dut.o_program_length) == 0x0123
        assert ctx.get(dut.o_record_address) == 0x1234_5680
        assert ctx.get(dut.o_watchdog) == 7

    with_host(scenario)


@settings(max_examples=15, deadline=None)
@given(
    writes=st.lists(
        st.fixed_dictionaries(
            {
                "value": st.integers(0, 0xFFFF_FFFF),
                "strobe": st.integers(0, 15),
                "aw_delay": st.integers(0, 4),
                "w_delay": st.integers(0, 4),
                "stall": st.integers(0, 4),
            }
        ),
        min_size=1,
        max_size=8,
    ),
    stall=st.integers(0, 4),
)
def test_strobed_bytes_are_written_in_any_channel_order_under_stalls(writes, stall):
    async def scenario(ctx, dut, host):
        wanted = 0
        for options in writes:
            await host.write("PROGRAM_ADDRESS", **options)
            mask = sum(0xFF << 8 * byte for byte in range(4) if options["strobe"] >> byte & 1)
            wanted = (wanted & ~mask) | (options["value"] & mask)
            assert await host.read("PROGRAM_ADDRESS", stall=stall) == wanted

    with_host(scenario)


@pytest.mark.parametrize(("aw_delay", "w_delay"), [(0, 10), (10, 0)])
def test_a_write_waits_for_its_other_half_and_the_early_half_is_taken_at_once(aw_delay, w_delay):
    async def scenario(ctx, dut, host):
        await host.write("WATCHDOG", 99, aw_delay=aw_delay, w_delay=w_delay)
        assert await host.read("WATCHDOG") == 99

    async def watch(ctx, dut):
        await ctx.tick().repeat(2)
        assert ctx.get(dut.s_axil_awready) == (aw_delay > 0)
        assert ctx.get(dut.s_axil_wready) == (w_delay > 0)
        await ctx.tick().repeat(8)
        assert not ctx.get(dut.s_axil_bvalid)
        assert ctx.get(dut.o_watchdog) == 1 << 20

    with_host(scenario, watch)


def test_a_second_write_waits_while_the_first_answer_is_not_taken():
    async def scenario(ctx, dut, host):
        ctx.set(dut.s_axil_awvalid, 1)
        ctx.set(dut.s_axil_wvalid, 1)
        ctx.set(dut.s_axil_wstrb, 0xF)
        ctx.set(dut.s_axil_awaddr, OFFSETS["WATCHDOG"])
        ctx.set(dut.s_axil_wdata, 1)
        await ctx.tick()
        ctx.set(dut.s_axil_wdata, 2)
        await ctx.tick().repeat(10)
        assert ctx.get(dut.o_watchdog) == 1
        ctx.set(dut.s_axil_awvalid, 0)
        ctx.set(dut.s_axil_wvalid, 0)
        ctx.set(dut.s_axil_bready, 1)
        await ctx.tick().repeat(4)
        assert ctx.get(dut.o_watchdog) == 2

    with_host(scenario)


def test_a_second_read_waits_while_the_first_answer_is_not_taken():
    async def scenario(ctx, dut, host):
        ctx.set(dut.s_axil_araddr, OFFSETS["ID"])
        await pulse(ctx, dut.s_axil_arvalid)
        await ctx.tick()
        ctx.set(dut.s_axil_araddr, OFFSETS["ARRAY"])
        await pulse(ctx, dut.s_axil_arvalid)
        for _ in range(5):
            assert ctx.get(dut.s_axil_rvalid)
            assert ctx.get(dut.s_axil_rdata) == ID_VALUE
            await ctx.tick()
        await pulse(ctx, dut.s_axil_rready)
        await ctx.tick()
        assert ctx.get(dut.s_axil_rvalid)
        assert ctx.get(dut.s_axil_rdata) == 12 | 14 << 16

    with_host(scenario)


def test_reads_and_writes_run_side_by_side():
    async def scenario(ctx, dut, host):
        for value in range(30):
            await host.write("WATCHDOG", value, stall=value % 3)

    async def reader(ctx, dut):
        host, seen = Host(dut, ctx), []
        for _ in range(30):
            seen.append(await host.read("WATCHDOG", stall=len(seen) % 4))
        assert seen[0] == 1 << 20
        assert seen[1:] == sorted(seen[1:])
        assert 0 < seen[-1] < 30

    with_host(scenario, reader)


def test_unmapped_offsets_answer_decerr_and_read_zero():
    mapped = {*OFFSETS.values(), *range(COUNTER_BASE, COUNTER_BASE + 8 * len(Counter), 4)}

    async def scenario(ctx, dut, host):
        await host.write("PROGRAM_ADDRESS", 0xFFFF_FFFF)
        for address in range(0, 512, 4):
            response = OKAY if address in mapped else DECERR
            assert await host.read("ID") == ID_VALUE
            value, read_response = await host.read_response(address)
            assert (read_response, await host.write_response(address, 0)) == (response, response)
            if response == DECERR:
                assert value == 0

    with_host(scenario)


def test_writes_to_read_only_registers_are_ignored():
    async def scenario(ctx, dut, host):
        ctx.set(dut.i_layer, 0x55)
        for register in REGISTERS:
            if register.access is Access.READ_ONLY:
                before = await host.read(register.name)
                await host.write(register.name, 0xFFFF_FFFF)
                assert await host.read(register.name) == before
        assert await host.write_response(COUNTER_BASE + 16, 0) == OKAY
        with host.showing({2: 0x77}):
            assert await host.read(COUNTER_BASE + 16) == 0x77

    with_host(scenario)


def test_the_two_low_address_bits_are_ignored():
    async def scenario(ctx, dut, host):
        assert await host.write_response(OFFSETS["WATCHDOG"] + 3, 5) == OKAY
        assert await host.read(OFFSETS["WATCHDOG"] + 1) == 5

    with_host(scenario)

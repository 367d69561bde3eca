"""Registers over AXI4-Lite, seen from the host and from the core."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.control.csr_block import CsrBlock
from stillflow.hw.csr import COUNTER_BASE, ID_VALUE, OFFSETS, REGISTERS, Access, Counter, ErrorCode
from stillflow.sim import bench

CONFIG = AcceleratorConfig(rows=12, cols=14, glb_kib=128, axi_data_bits=64, requant_lanes=2)
OKAY, DECERR = 0, 3
START, SOFT_RESET = 1, 2
BUSY, DONE, ERROR = 1, 2, 4
READ_WRITE = [register for register in REGISTERS if register.access is Access.READ_WRITE]


class Host:
    """AXI4-Lite master that can stall every channel."""

    def __init__(self, dut, ctx):
        self.dut, self.ctx = dut, ctx

    def _set(self, **signals):
        for name, value in signals.items():
            self.ctx.set(getattr(self.dut, f"s_axil_{name}"), value)

    def _get(self, name):
        return self.ctx.get(getattr(self.dut, f"s_axil_{name}"))

    async def _respond(self, valid, ready, payload, stall):
        while not self._get(valid):
            await self.ctx.tick()
        first = [self._get(name) for name in payload]
        for _ in range(stall):
            await self.ctx.tick()
            assert self._get(valid)
            assert [self._get(name) for name in payload] == first
        self._set(**{ready: 1})
        await self.ctx.tick()
        self._set(**{ready: 0})
        return first

    async def write_response(self, address, value, strobe=0xF, aw_delay=0, w_delay=0, stall=0):
        """Offer address and data after their delays; return BRESP, taken after ``stall``."""
        open_channels = {"aw": aw_delay, "w": w_delay}
        cycle = 0
        while open_channels:
            if open_channels.get("aw") == cycle:
                self._set(awaddr=address, awvalid=1)
            if open_channels.get("w") == cycle:
                self._set(wdata=value, wstrb=strobe, wvalid=1)
            taken = [
                name
                for name, delay in open_channels.items()
                if delay <= cycle and self._get(f"{name}ready")
            ]
            await self.ctx.tick()
            cycle += 1
            for name in taken:
                self._set(**{f"{name}valid": 0})
                del open_channels[name]
        (response,) = await self._respond("bvalid", "bready", ["bresp"], stall)
        return response

    async def write(self, name, value, **options):
        assert await self.write_response(OFFSETS[name], value, **options) == OKAY

    async def read_response(self, address, stall=0):
        """Return RDATA, RRESP."""
        self._set(araddr=address, arvalid=1)
        while not self._get("arready"):
            await self.ctx.tick()
        await self.ctx.tick()
        self._set(arvalid=0)
        return tuple(await self._respond("rvalid", "rready", ["rdata", "rresp"], stall))

    async def read(self, register, **options):
        address = OFFSETS[register] if isinstance(register, str) else register
        value, response = await self.read_response(address, **options)
        assert response == OKAY
        return value


def with_host(scenario, *others, cycles=5000):
    """Run ``scenario(ctx, dut, host)`` on a fresh block, beside ``others(ctx, dut)``."""
    dut = CsrBlock(CONFIG)

    async def main(ctx):
        await scenario(ctx, dut, Host(dut, ctx))

    def beside(other):
        async def testbench(ctx):
            await other(ctx, dut)

        return testbench

    bench.run(dut, main, *map(beside, others), cycles=cycles)


async def pulse(ctx, signal):
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


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
        ctx.set(dut.i_counters[2], 0x77)
        for register in REGISTERS:
            if register.access is Access.READ_ONLY:
                before = await host.read(register.name)
                await host.write(register.name, 0xFFFF_FFFF)
                assert await host.read(register.name) == before
        assert await host.write_response(COUNTER_BASE + 16, 0) == OKAY
        assert await host.read(COUNTER_BASE + 16) == 0x77

    with_host(scenario)


def test_the_two_low_address_bits_are_ignored():
    async def scenario(ctx, dut, host):
        assert await host.write_response(OFFSETS["WATCHDOG"] + 3, 5) == OKAY
        assert await host.read(OFFSETS["WATCHDOG"] + 1) == 5

    with_host(scenario)


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
        for counter in Counter:
            ctx.set(dut.i_counters[counter], 0x1234_0000_0000 + (counter << 32) + counter)
        for counter in Counter:
            assert await host.read(COUNTER_BASE + 8 * counter) == counter
            assert await host.read(COUNTER_BASE + 8 * counter + 4) == 0x1234 + counter

    with_host(scenario)


def test_the_high_word_is_of_the_moment_the_low_word_was_read():
    async def scenario(ctx, dut, host):
        ctx.set(dut.i_counters[Counter.CYCLES], 0x0007_FFFF_FFFF)
        assert await host.read(COUNTER_BASE, stall=3) == 0xFFFF_FFFF
        ctx.set(dut.i_counters[Counter.CYCLES], 0x0008_0000_0000)
        assert await host.read(COUNTER_BASE + 4) == 7
        assert await host.read(COUNTER_BASE) == 0
        assert await host.read(COUNTER_BASE + 4) == 8

    with_host(scenario)

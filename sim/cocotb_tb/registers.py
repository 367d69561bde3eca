"""cocotb tests of the registers."""

import random
from typing import Any

import cocotb
from cocotbext.axi import AxiResp

from stillflow.hw.csr import (
    COUNTER_BASE,
    CSR_ADDRESS_BITS,
    OFFSETS,
    REGISTERS,
    Access,
    Counter,
    Register,
)
from stillflow.sim.cocotb_tb.bench import TIMEOUT_MS, Bench

COUNTER_END = COUNTER_BASE + 8 * len(Counter)


def reset_value(bench: Bench, register: Register) -> int:
    """Give what a register reads after reset."""
    if register.name == "ARRAY":
        return bench.config.rows | bench.config.cols << 16
    return register.reset


async def check_reset_values(bench: Bench) -> None:
    """Read every register and counter."""
    for register in REGISTERS:
        found = await bench.value(register.name)
        wanted = reset_value(bench, register)
        assert found == wanted, f"{register.name} is {found:#x}, not {wanted:#x}"
    for offset in range(COUNTER_BASE, COUNTER_END, 4):
        assert await bench.value(offset) == 0, f"the counter at {offset:#x} is not zero"


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def registers_have_their_reset_values(dut: Any) -> None:
    """Every register, every counter."""
    bench = await Bench.start(dut)
    await check_reset_values(bench)
    bench.monitor.check_quiet()


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
@cocotb.parametrize(stalls=[False, True])
async def registers_keep_their_bits_and_no_others(dut: Any, stalls: bool) -> None:
    """Random writes with random strobes; what does not exist reads as zero."""
    bench = await Bench.start(dut)
    if stalls:
        bench.stall_host(bench.seed)
    draw = random.Random(bench.seed)
    plain = [r for r in REGISTERS if r.name != "CONTROL"]
    held = {r.name: reset_value(bench, r) for r in plain}
    for _ in range(60):
        register = draw.choice(plain)
        first, count = draw.choice([(0, 4), (0, 4), (0, 1), (1, 1), (2, 2), (1, 3), (3, 1)])
        content = draw.choice([b"\xff" * count, b"\0" * count, draw.randbytes(count)])
        answer: Any = await bench.host.write(register.offset + first, content)
        assert answer.resp == AxiResp.OKAY
        if register.access is Access.READ_WRITE:
            word = bytearray(held[register.name].to_bytes(4, "little"))
            word[first : first + count] = content
            exist = (1 << register.bits) - 1
            held[register.name] = int.from_bytes(word, "little") & exist
        other = draw.choice(plain)
        for name in (register.name, other.name):
            found = await bench.value(name)
            assert found == held[name], f"{name} is {found:#x}, not {held[name]:#x}"
    assert dut.irq.value == 0
    bench.monitor.check_quiet()


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def offsets_without_a_register_answer_decerr(dut: Any) -> None:
    """Read zero, write nothing."""
    bench = await Bench.start(dut)
    mapped = {*OFFSETS.values(), *range(COUNTER_BASE, COUNTER_END, 4)}
    for offset in range(0, 1 << CSR_ADDRESS_BITS, 4):
        if offset in mapped:
            continue
        assert await bench.write(offset, 0xFFFF_FFFF) == AxiResp.DECERR, f"write {offset:#x}"
        assert await bench.read(offset) == (0, AxiResp.DECERR), f"read {offset:#x}"
    for offset in range(COUNTER_BASE, COUNTER_END, 4):
        assert await bench.write(offset, 0xFFFF_FFFF) == AxiResp.OKAY
    await check_reset_values(bench)
    bench.monitor.check_quiet()


@cocotb.test(timeout_time=TIMEOUT_MS, timeout_unit="ms")
async def reset_line_gives_every_register_its_reset_value(dut: Any) -> None:
    """Also in the middle of nothing."""
    bench = await Bench.start(dut)
    for register in REGISTERS:
        if register.access is Access.READ_WRITE:
            await bench.write(register.name, 0xFFFF_FFFF)
    await bench.reset()
    await check_reset_values(bench)

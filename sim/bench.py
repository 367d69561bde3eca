"""Testbenches in Amaranth's own simulator. No other file starts that simulator."""

from collections.abc import Callable, Coroutine, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from amaranth.hdl import Elaboratable
from amaranth.lib import stream
from amaranth.sim import Simulator

Testbench = Callable[[Any], Coroutine[Any, Any, None]]  # called with the simulator's context


def run(
    dut: Elaboratable, *testbenches: Testbench, cycles: int = 1_000, vcd: Path | None = None
) -> None:
    """Simulate until every testbench has returned.

    Parameters
    ----------
    dut : Elaboratable
        Design under test, in the one clock domain ``sync``.
    testbenches : Testbench
        Run side by side, each from the start.
    cycles : int
        Limit, in clock cycles, so that a lost word fails a test instead of hanging it.
    vcd : Path, optional
        Where waveforms go; none are written without it.

    Raises
    ------
    AssertionError
        If a testbench still waits when the limit is reached.
    """
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)  # amaranth 0.6 wants Period(us=1)
    for testbench in testbenches:
        simulator.add_testbench(testbench)

    with simulator.write_vcd(str(vcd)) if vcd else nullcontext():
        for _ in range(2 * cycles):  # half a cycle each
            if not simulator.advance():
                return
    raise AssertionError(f"still waiting after {cycles} cycles; is a stream stuck?")


async def put(ctx: Any, port: stream.Interface, payload: Any) -> None:
    """Offer one payload on an input stream until the design takes it."""
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx: Any, port: stream.Interface) -> Any:
    """Take one payload from an output stream, however long it takes to come."""
    ctx.set(port.ready, 1)
    (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
    ctx.set(port.ready, 0)
    return payload


async def put_all(
    ctx: Any, port: stream.Interface, payloads: Iterable[Any], stalls: Iterable[int] = ()
) -> None:
    """Send payloads in order; before each, idle for the next of ``stalls`` cycles (then none)."""
    waits = iter(stalls)
    for payload in payloads:
        if wait := next(waits, 0):
            await ctx.tick().repeat(wait)
        await put(ctx, port, payload)


async def get_all(
    ctx: Any, port: stream.Interface, count: int, stalls: Iterable[int] = ()
) -> list[Any]:
    """Take ``count`` payloads; before each, idle for the next of ``stalls`` cycles (then none)."""
    waits = iter(stalls)
    payloads = []
    for _ in range(count):
        if wait := next(waits, 0):
            await ctx.tick().repeat(wait)
        payloads.append(await get(ctx, port))
    return payloads

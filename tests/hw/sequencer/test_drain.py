"""Rows leave one after the other, each group as soon as it may."""

import pytest

from stillflow.hw.sequencer.drain import DrainSequencer
from stillflow.sim import bench
from tests.hw.sequencer.nests import config_of


@pytest.mark.parametrize("delay", [1, 3, 6])
@pytest.mark.parametrize(("rows", "lanes"), [(1, 4), (3, 1), (5, 2), (8, 4)])
def test_rows_leave_in_turn_at_the_pace_of_their_group(rows, lanes, delay):
    config = config_of(rows, 4 if rows >= 4 else 1, 8, 32, lanes if rows >= 4 else 1)
    dut = DrainSequencer(config, delay=delay)
    finals = [False, True, True, False, False]
    drains, rows_at, cycle = {}, {}, 2
    for number, final in enumerate(finals):
        drains[cycle] = {
            "valid": 1, "psum": 2 * number, "first": number % 2, "final": final,
            "swap_bias": number % 3 == 0, "swap_scale": number % 2 == 0,
        }  # fmt: skip
        pace = config.pace if final else 1
        for row in range(rows):
            swaps = {name: drains[cycle][name] and row == 0 for name in ("swap_bias", "swap_scale")}
            rows_at[cycle + delay + row * pace] = (
                row, drains[cycle] | swaps | {"psum": 2 * number + row},
            )  # fmt: skip
        cycle += rows * pace
    active = 0b1011_0110 & ((1 << rows) - 1) | 1

    async def drive(ctx):
        ctx.set(dut.i_active, active)
        for now in range(cycle + delay + 4):
            ctx.set(dut.i_drain, drains.get(now, {"valid": 0}))
            leaves = ctx.get(dut.o_leaves)
            if now not in rows_at:
                assert leaves == 0
            else:
                row, wanted = rows_at[now]
                assert leaves == 1 << row
                shown = ctx.get(dut.o_row)
                assert shown.valid == active >> row & 1
                assert {key: shown[key] for key in wanted if key != "valid"} == {
                    key: value for key, value in wanted.items() if key != "valid"
                }
            await ctx.tick()
        ctx.set(dut.i_drain, drains[2])
        await ctx.tick()
        ctx.set(dut.i_drain, {"valid": 0})
        await ctx.tick().repeat(delay)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        assert ctx.get(dut.o_leaves) == 0

    bench.run(dut, drive)

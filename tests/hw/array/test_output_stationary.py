"""Output-stationary array against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.array.output_stationary import OutputStationaryArray
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.timing import drain_latency
from stillflow.sim import bench


def config_of(rows, cols, lanes, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, dataflow=Dataflow.OUTPUT_STATIONARY, glb_kib=64, axi_data_bits=32,
        requant_lanes=lanes, **keys,
    )  # fmt: skip


class Schedule:
    """What goes in by cycle, as close as the array's contract allows, and what must come out."""

    def __init__(self, config, rng, groups):
        self.config, self.rng = config, rng
        self.vectors, self.lines, self.leaves, self.sums = {}, {}, {}, {}
        self.latency = drain_latency(config)
        self.last_delay = OutputStationaryArray(config).last_delay
        start, leave_from = 0, 0
        for _ in range(groups):
            start, leave_from = self.group(start, leave_from)
        self.end = max([*self.sums, *self.lines]) + 3

    def group(self, start, leave_from):
        config, rng, rows = self.config, self.rng, self.config.rows
        active = int(rng.integers(1, rows + 1))
        psums = np.zeros((active, config.m_block), np.int64)
        chunks, begins, lines = int(rng.integers(1, 4)), start, 0
        for chunk in range(chunks):
            lines = int(rng.integers(1, rows + 1))
            last = chunk == chunks - 1
            if last:  # the psums before must have left
                start = max(start, leave_from - self.last_delay - lines + 1)
            acts = rng.integers(-128, 128, (active, rows))
            weights = rng.integers(-128, 128, (lines, config.m_block))
            psums += acts[:, :lines] @ weights
            for row in range(active):
                self.vectors[start + row] = (row == 0, acts[row])
            for k in range(lines):
                self.lines[start + k] = (weights[k], chunk == k == 0, k == lines - 1, last)
            begins = start
            start += rows + int(rng.integers(0, 2))
        first = begins + lines - 1 + self.last_delay
        for row in range(rows):
            cycle = first + row * config.pace
            self.leaves[cycle] = row
            if row < active:
                self.sums[cycle + self.latency] = psums[row].tolist()
        return start, first + rows * config.pace


@settings(max_examples=25)
@given(
    size=st.sampled_from([(1, 1, 1), (2, 2, 2), (3, 2, 1), (4, 4, 1), (6, 4, 4), (18, 2, 2)]),
    registers=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_groups_follow_each_other_while_psums_leave(size, registers, seed):
    config = config_of(*size, operand_registers=registers)
    dut = OutputStationaryArray(config)
    schedule = Schedule(config, np.random.default_rng(seed), groups=6)
    seen = {}

    async def drive(ctx):
        for cycle in range(schedule.end):
            first, acts = schedule.vectors.get(cycle, (0, None))
            ctx.set(dut.i_vector, acts is not None)
            ctx.set(dut.i_vector_first, first)
            if acts is not None:
                ctx.set(dut.i_acts, acts.tolist())
            line, opens, ends, last = schedule.lines.get(cycle, (None, 0, 0, 0))
            ctx.set(dut.i_line_valid, line is not None)
            if line is not None:
                ctx.set(dut.i_line, line.tolist())
            ctx.set(dut.i_opens, opens)
            ctx.set(dut.i_ends, ends)
            ctx.set(dut.i_drains, ends and last)
            row = schedule.leaves.get(cycle)
            ctx.set(dut.i_leaves, 0 if row is None else 1 << row)
            if row is not None:
                active = ctx.get(dut.o_active) >> row & 1
                assert active == (cycle + schedule.latency in schedule.sums)
            if cycle in schedule.sums:
                seen[cycle] = [ctx.get(total) for total in dut.o_sums]
            await ctx.tick()

    bench.run(dut, drive, cycles=5000)
    assert seen == schedule.sums


@pytest.mark.parametrize(("rows", "levels"), [(1, 1), (16, 1), (17, 2), (128, 2)])
def test_psums_of_many_rows_meet_in_more_levels(rows, levels):
    assert drain_latency(config_of(rows, 1, 1)) == levels

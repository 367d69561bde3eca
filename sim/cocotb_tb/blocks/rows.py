"""PE, array, tables and walker of a row-stationary accelerator."""

from itertools import accumulate
from typing import Any

import cocotb
import numpy as np

from stillflow.hw.array.row_stationary import Beat, RowRole, RowStationaryArray, Word
from stillflow.hw.sequencer.pe_pass import Pass, PassLine
from stillflow.hw.timing import operand_delay
from stillflow.hw.words import LineKind
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.cocotb_tb.blocks.movers import bits_of
from stillflow.sim.cocotb_tb.blocks.walkers import LAYERS, draw_nest, run_steps
from stillflow.sim.golden.walks import filter_positions, pass_of, steps_of

TIMEOUT: dict[str, Any] = {"timeout_time": 8, "timeout_unit": "ms"}


@cocotb.test(**TIMEOUT)
async def pe_keeps_its_rows(handle: Any) -> None:
    """Products of its words add up to psums; as a psum begins, the earlier one leaves."""
    dut = await Dut.start(handle)
    config = dut.config
    act_words, filters = min(config.ifmap_spad, 4), min(config.psum_spad, 3)
    acts = [dut.word(config.act_bits) for _ in range(act_words)]
    weights = [[dut.word(config.weight_bits) for _ in range(filters)] for _ in range(act_words)]
    dut.set(i_active=1)
    for place, act in enumerate(acts):
        dut.set(i_act=act, i_act_addr=place, i_act_write=1)
        await dut.tick()
    dut.set(i_act_write=0)
    for place, weight in enumerate(w for row in weights for w in row):
        dut.set(i_weight=weight, i_weight_addr=place, i_weight_write=1)
        await dut.tick()
    dut.set(i_weight_write=0)
    # Beats: place of the act, filter, whether psums begin, whether earlier ones leave.
    step = range(max(filters, 2))
    beats: list[tuple[int, int, bool, bool] | None] = []
    for round_ in range(3):
        for word in range(act_words):
            opens = word == 0
            beats += [(word, f, opens, opens and round_ > 0) if f < filters else None for f in step]
    beats += [(-1, f, True, True) if f < filters else None for f in step]
    psums = [sum(a * row[f] for a, row in zip(acts, weights, strict=True)) for f in range(filters)]
    chains = [dut.word(config.acc_bits - 2) for _ in range(len(beats) + 4)]
    to_product = 1 + operand_delay(config)
    stages = 0, to_product, to_product + 1
    for cycle in range(len(chains)):
        now, before, late = (
            beats[cycle - back] if 0 <= cycle - back < len(beats) else None for back in stages
        )
        dut.set(i_mac=now is not None and now[0] >= 0)
        if now and now[0] >= 0:
            dut.set(i_act_read=now[0], i_weight_read=now[0] * filters + now[1])
        dut.set(i_psum_read=before is not None and (not before[2] or before[3]))
        if before:
            dut.set(i_psum_read_addr=before[1])
        dut.set(i_psum_write=late is not None and late[0] >= 0, i_leaves=bool(late and late[3]))
        dut.set(i_opens=bool(late and late[2]), i_chain=chains[cycle])
        if late:
            dut.set(i_psum_write_addr=late[1])
        await dut.tick()
        if late and late[3]:
            assert dut.words("o_chain", 1) == [psums[late[1]] + chains[cycle]]


@cocotb.test(**TIMEOUT)
async def array_shares_rows_and_diagonals(handle: Any) -> None:
    """Ifmap words reach their diagonals, weights their rows; psums of a column add up."""
    dut = await Dut.start(handle)
    config = dut.config
    rows, columns = config.rows, config.m_block
    filters = min(config.psum_spad, config.filter_spad, 3)
    delay = RowStationaryArray(config).sum_delay
    word, beat, role = Word(config), Beat(config), RowRole(config)
    for _ in range(6):
        stride = dut.random.randint(1, 3)
        filter_rows = dut.random.randint(1, rows)
        channels = dut.random.randint(1, rows // filter_rows)
        exist = dut.random.randint(1, channels)
        used = dut.random.randint(1, columns)
        sources = channels * min(stride, filter_rows)
        for row in range(rows):
            roles = {
                "active": row < channels * filter_rows, "source": row % sources,
                "channel": row % channels, "shift": row // sources,
            }  # fmt: skip
            dut.set(i_role_shift=1, i_role=bits_of(role, roles))
            await dut.tick()
        dut.set(i_role_shift=0)
        weights = dut.rng.integers(-128, 128, (filters, rows))
        for number, line in enumerate(weights):
            dut.set(i_line=line, i_line_addr=number, i_line_valid=1)
            await dut.tick()
        dut.set(i_line_valid=0)
        height = (used + (filter_rows - 1) // stride) * stride
        ifmap = dut.rng.integers(-128, 128, (height, channels))
        for diagonal in range(height // stride):
            lanes = np.zeros(rows, np.int64)
            for source in range(sources):
                sub, channel = divmod(source, channels)
                lanes[source] = ifmap[diagonal * stride + sub, channel]
            members = {
                "valid": 1, "place": 0, "diagonal": diagonal, "columns": used, "channels": exist,
            }  # fmt: skip
            dut.set(i_word=bits_of(word, members), i_acts=lanes)
            await dut.tick()
        dut.set(i_word=0)
        await dut.tick()
        wanted = []
        for number in range(filters):
            sums = [
                sum(
                    int(ifmap[stride * e + r, c]) * int(weights[number, r * channels + c])
                    for r in range(filter_rows) for c in range(exist)
                )
                for e in range(used)
            ]  # fmt: skip
            wanted.append(sums)
        blank = {
            "act": 0, "weight": 0, "psum": 0, "opens": 1, "mac": 0, "leaves": 0, "columns": used,
            "leaving": used,
        }  # fmt: skip
        beats = [blank | {"mac": 1, "weight": n, "psum": n} for n in range(filters)]
        beats += [blank] * 2 + [blank | {"leaves": 1, "psum": n} for n in range(filters)]
        beats += [blank] * (rows + delay)
        for cycle, members in enumerate(beats):
            dut.set(i_beat=bits_of(beat, members))
            await dut.tick()
            # The sums that follow the beat of cycle t show at the end of the cycle before they may
            # be used.
            at = cycle + 1 - delay - rows - filters - 2
            if 0 <= at < filters:
                assert dut.words("o_sums", columns)[:used] == wanted[at]


@cocotb.test(**TIMEOUT)
async def parameters_come_back_by_filter(handle: Any) -> None:
    """One half of the table is read while the other is filled."""
    dut = await Dut.start(handle)
    config = dut.config
    bits = config.rows * config.weight_bits
    dut.set(i_clear=1)
    await dut.tick()
    dut.set(i_clear=0)
    earlier: list[int] = []
    shown: list[int | None] = [None]
    half = 0
    for _ in range(8):
        filters = dut.random.randint(1, config.psum_spad)
        words = [dut.word(config.acc_bits) for _ in range(filters)]
        dut.set(i_next=1)
        await dut.tick()
        dut.set(i_next=0)
        half ^= 1
        slices = [
            word >> (bits * part) & ((1 << bits) - 1)
            for word in words for part in range(config.bias_lines)
        ]  # fmt: skip
        while slices:
            comes = dut.coin(0.7)
            dut.set(i_valid=comes)
            if comes:
                dut.set(i_line=slices.pop(0))
            reads = dut.random.randrange(len(earlier)) if earlier and dut.coin(0.6) else None
            dut.set(i_read_en=reads is not None, i_read_half=half ^ 1, i_read_filter=reads or 0)
            await dut.tick()
            shown.append(None if reads is None else earlier[reads])
            word = shown[-1 - operand_delay(config)]
            assert word is None or dut.words("o_word", 1) == [word]
        dut.set(i_valid=0, i_read_en=0)
        await dut.tick()
        shown.append(None)
        earlier = words


@cocotb.test(**TIMEOUT)
async def passes_are_those_of_a_literal_walk(handle: Any) -> None:
    """Lines go to their places in order, none before it and its place are there.

    Each pass is as it must be.
    """
    dut = await Dut.start(handle)
    config = dut.config
    lines, passes = PassLine(config), Pass(config)
    for _ in range(LAYERS):
        nest, fields = draw_nest(dut)
        dut.set_layer(fields)
        steps = steps_of(nest)
        positions, loads = filter_positions(nest)
        sent = [0] * len(steps)
        weights = [
            len(held) - len(step.bias) - len(step.scale)
            for held, step in zip(positions, steps, strict=True)
        ]
        begins = list(accumulate(weights, initial=0))  # weights of earlier passes
        written = freed = 0  # words of the scratchpads

        def see(number: int, loaded: int) -> None:
            nonlocal written, freed
            frees = freed < begins[number] and dut.coin(0.7)  # noqa: B023
            dut.set(i_weight_freed=frees)
            line = lines.from_bits(dut.get("o_line"))
            if line.valid and LineKind(line.kind) == LineKind.WEIGHT:
                assert written - freed < config.filter_spad
                assert line.place == written % config.filter_spad
                written += 1
            freed += frees
            if not line.valid:
                return
            step, place = steps[number], sent[number]  # noqa: B023
            sent[number] += 1  # noqa: B023
            position = positions[number][place]  # noqa: B023
            assert position < loaded
            assert position % config.filter_lines == dut.get("o_place")
            parameters = len(step.bias) + len(step.scale)
            kind = LineKind.WEIGHT
            if place < len(step.bias):
                kind = LineKind.BIAS
            elif place < parameters:
                kind = LineKind.SCALE
            assert LineKind(line.kind) == kind

        def check(number: int) -> None:
            assert sent[number] == len(positions[number])  # noqa: B023
            shown = passes.from_bits(dut.get("o_pass"))
            wanted = pass_of(steps[number], nest)  # noqa: B023
            assert {key: shown[key] for key in wanted} == wanted
            assert shown.weight == begins[number] % config.filter_spad  # noqa: B023

        await run_steps(dut, positions, loads, see, check)

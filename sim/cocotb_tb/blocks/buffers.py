"""Scratchpad and the three operand buffers against lists of words."""

from typing import Any

import cocotb

from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.residual import join_depth
from stillflow.hw.words import FilterPlace
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.cocotb_tb.blocks.movers import bits_of
from stillflow.sim.golden.walks import filter_place

TIMEOUT: dict[str, Any] = {"timeout_time": 2, "timeout_unit": "ms"}


@cocotb.test(**TIMEOUT)
async def scratchpad_keeps_its_words(handle: Any) -> None:
    """Read what was written, a cycle later, and hold it."""
    dut = await Dut.start(handle)
    depth, width = dut.config.filter_lines, dut.config.axi_data_bits
    words: dict[int, int] = {}
    shown = None
    for _ in range(500):
        place, word = dut.random.randrange(depth), dut.random.getrandbits(width)
        writes = dut.coin(0.6)
        readable = [other for other in words if other != place]
        reads = bool(readable) and dut.coin(0.6)
        dut.set(i_write_en=writes, i_write_addr=place, i_write_data=word, i_read_en=reads)
        if reads:
            asked = dut.random.choice(readable)
            dut.set(i_read_addr=asked)
            shown = words[asked]
        if writes:
            words[place] = word
        await dut.tick()
        assert shown is None or dut.get("o_read_data") == shown


@cocotb.test(**TIMEOUT)
async def vectors_come_from_any_element(handle: Any) -> None:
    """Beats at any element, lanes some lines ahead, vectors from any element."""
    dut = await Dut.start(handle)
    config = dut.config
    rows, banks, lanes = config.rows, config.ifmap_banks, config.axi_elements
    size, latency = min(config.ifmap_elements, 6 * banks), IfmapBuffer(config).latency
    words: list[int | None] = [None] * size
    place = 0
    while place < size:
        count = min(dut.random.randint(1, lanes), size - place)
        skip = dut.random.randint(0, lanes - count)
        beat = [dut.word(config.act_bits) for _ in range(lanes)]
        words[place : place + count] = beat[skip : skip + count]
        mask = sum(1 << lane for lane in range(skip, skip + count))
        dut.set(i_fill_valid=1, i_fill_address=place - skip, i_fill_mask=mask, i_fill_data=beat)
        place += count
        await dut.tick()
    dut.set(i_fill_valid=0)
    await dut.tick()
    for _ in range(6):
        ahead = [dut.random.randint(0, 2) for _ in range(rows)]
        used = [lane == 0 or dut.coin(0.8) for lane in range(rows)]
        for lane in range(rows):
            dut.set(i_lane_shift=1, i_lane_offset=ahead[lane], i_lane_used=used[lane])
            await dut.tick()
        dut.set(i_lane_shift=0, i_lane_swap=1)
        await dut.tick()
        dut.set(i_lane_swap=0)
        wanted: list[list[int | None]] = []
        for _ in range(20 + latency):
            first = dut.random.randrange(size - rows - 2 * banks)
            dut.set(i_read_en=1, i_read_address=first)
            wanted.append(
                [
                    words[first + lane + banks * ahead[lane]] if used[lane] else 0
                    for lane in range(rows)
                ]
            )
            await dut.tick()
            if len(wanted) >= latency:
                assert dut.words("o_acts", rows) == wanted[-latency]


@cocotb.test(**TIMEOUT)
async def lines_come_back_from_the_ring(handle: Any) -> None:
    """Beats fill lines in order, round the end; any line that is there can be read."""
    dut = await Dut.start(handle)
    config = dut.config
    beats, size = config.filter_line_bytes // config.axi_bytes, config.filter_lines
    dut.set(i_clear=1)
    await dut.tick()
    dut.set(i_clear=0)
    lines: list[int] = []
    part: list[int] = []
    counted, latency = 1 << len(handle.o_loaded), FilterBuffer(config).latency
    asked: list[int | None] = [None] * latency
    bits = config.line_words * config.weight_bits
    for _ in range(size * beats + 80):
        comes = dut.coin(0.8)
        beat = dut.random.getrandbits(config.axi_data_bits)
        oldest = max(0, len(lines) - size + 2)
        reads = len(lines) > oldest and dut.coin(0.5)
        dut.set(i_write_valid=comes, i_write_data=beat, i_read_en=reads)
        asked.append(None)
        if reads:
            number = dut.random.randrange(oldest, len(lines))
            dut.set(i_read_line=number % size)
            asked[-1] = lines[number]
        if comes:
            part.append(beat)
        await dut.tick()
        if len(part) == beats:
            lines.append(sum(b << (config.axi_data_bits * i) for i, b in enumerate(part)))
            part = []
        assert dut.get("o_loaded") == len(lines) % counted
        line = asked[-latency]
        assert line is None or dut.get("o_line") == line & ((1 << bits) - 1)


@cocotb.test(**TIMEOUT)
async def lines_come_from_successive_banks(handle: Any) -> None:
    """Beats fill lines from bank to bank; up to a line of each bank is read at once."""
    dut = await Dut.start(handle)
    config = dut.config
    beats, size = config.filter_line_bytes // config.axi_bytes, config.filter_lines
    bits = config.m_block * config.weight_bits
    layout = FilterPlace(config)
    dut.set(i_clear=1, i_count=0)
    await dut.tick()
    dut.set(i_clear=0)
    lines: list[int] = []
    part: list[int] = []
    latency = FilterBanks(config).latency
    asked: list[dict[int, int]] = [{}] * latency
    for _ in range(size * beats + 80):
        comes = dut.coin(0.8)
        beat = dut.random.getrandbits(config.axi_data_bits)
        oldest = max(0, len(lines) - size + 2)
        count = min(dut.random.randint(0, config.rows), max(0, len(lines) - oldest))
        first = dut.random.choice([oldest, len(lines) - count])
        place = bits_of(layout, filter_place(first, config))
        dut.set(i_write_valid=comes, i_write_data=beat, i_count=count, i_place=place)
        asked.append({n % config.rows: lines[n] for n in range(first, first + count)})
        if comes:
            part.append(beat)
        await dut.tick()
        if len(part) == beats:
            lines.append(sum(b << (config.axi_data_bits * i) for i, b in enumerate(part)))
            part = []
        wanted = asked[-latency]
        assert dut.get("o_read") == sum(1 << bank for bank in wanted)
        for bank, line in wanted.items():
            assert dut.get(f"o_lines_{bank}") == line & ((1 << bits) - 1)


@cocotb.test(**TIMEOUT)
async def strips_come_back_as_rows(handle: Any) -> None:
    """Columns of a strip are read as rows, in a ring."""
    dut = await Dut.start(handle)
    depth = dut.random.choice([dut.config.ofmap_depth, join_depth(dut.config)])
    width = dut.config.m_block * dut.config.act_bits
    dut.set(i_clear=1, i_ring=depth)
    await dut.tick()
    dut.set(i_clear=0)
    first = 0
    for _ in range(6):
        columns = dut.random.randint(1, max(1, depth // 3))
        rows = dut.random.randint(1, max(1, min(4, depth // columns)))
        dut.set(i_columns=columns)
        strip: dict[int, int] = {}
        for column in range(columns):
            for row in range(rows):
                word = strip[row * columns + column] = dut.random.getrandbits(width)
                last = row == rows - 1
                dut.set(i_valid=1, i_words=word, i_column_last=last,
                        i_strip_last=last and column == columns - 1)  # fmt: skip
                await dut.settle()
                ready = rows * columns if last and column == columns - 1 else 0
                assert dut.get("o_ready") == ready
                await dut.tick()
        dut.set(i_valid=0, i_read_en=1)
        for place, word in strip.items():
            dut.set(i_read_entry=(first + place) % depth)
            await dut.tick()
            assert dut.get("o_vector") == word
        dut.set(i_read_en=0)
        first += rows * columns

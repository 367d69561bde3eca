"""PE, array, accumulator and requantiser against integers."""

from typing import Any

import cocotb
import numpy as np

from stillflow.hw.array.output_stationary import OutputStationaryArray
from stillflow.hw.config import ceil_log2
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import drain_latency, operand_delay
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.golden.requantize import requantize

TIMEOUT: dict[str, Any] = {"timeout_time": 2, "timeout_unit": "ms"}


@cocotb.test(**TIMEOUT)
async def pe_keeps_its_weight(handle: Any) -> None:
    """Products use the weight that was swapped in; the chain moves past it."""
    dut = await Dut.start(handle)
    config, delay = dut.config, operand_delay(dut.config)
    shadow = weight = None
    acts: list[int] = []
    for _ in range(400):
        act, chain = dut.word(config.act_bits), dut.word(min(config.act_bits, config.weight_bits))
        shift, swap = dut.coin(0.5), dut.coin(0.3)
        deep = config.has_chains and dut.coin(0.3)
        dut.set(i_act=act, i_chain=chain, i_shift=shift, i_swap=swap, i_depthwise=deep)
        acts.append(chain if deep else act)
        product = None if weight is None else acts[-1 - delay] * weight
        weight = shadow if swap else weight
        shadow = chain if shift else shadow
        await dut.tick()
        assert product is None or dut.words("o_product", 1) == [product]
        assert shadow is None or dut.words("o_chain", 1) == [shadow]


@cocotb.test(**TIMEOUT)
async def pe_keeps_its_psum(handle: Any) -> None:
    """Products add up where they count, and begin anew where they open."""
    dut = await Dut.start(handle)
    config = dut.config
    weight = psum = kept = None
    products = [0] * (1 + operand_delay(config))
    for cycle in range(600):
        comes, act = dut.word(config.weight_bits), dut.word(config.act_bits)
        opens, keeps = cycle % 40 == 5, dut.coin(0.2)
        adds = opens or dut.coin(0.7)
        dut.set(i_weight=comes, i_act=act, i_adds=adds, i_opens=opens, i_keeps=keeps)
        if adds and (opens or psum is not None):
            psum = (0 if opens or psum is None else psum) + products[0]
        kept = psum if keeps or config.pace == 1 else kept
        products = [*products[1:], 0 if weight is None else act * weight]
        weight = comes
        await dut.tick()
        assert dut.words("o_weight", 1) == [weight]
        assert kept is None or dut.words("o_psum", 1) == [kept]


@cocotb.test(**TIMEOUT)
async def array_multiplies_by_its_block(handle: Any) -> None:
    """Blocks follow each other while vectors pass."""
    dut = await Dut.start(handle)
    config = dut.config
    rows, columns = config.rows, config.m_block
    latency = 1 + operand_delay(config) + ceil_log2(rows)
    active, wanted = None, {}
    cycle = 0
    for _ in range(5):
        block = dut.rng.integers(-128, 128, (rows, columns))
        for line in block:
            while True:
                shift = dut.coin(0.7)
                acts = dut.rng.integers(-128, 128, rows)
                dut.set(i_acts=acts, i_line=line, i_shift=shift, i_swap=0)
                if active is not None:
                    wanted[cycle + latency] = (acts @ active).tolist()
                await dut.tick()
                cycle += 1
                await check_sums(dut, wanted, cycle, columns)
                if shift:
                    break
        acts = dut.rng.integers(-128, 128, rows)
        dut.set(i_acts=acts, i_shift=0, i_swap=1)
        if active is not None:
            wanted[cycle + latency] = (acts @ active).tolist()
        await dut.tick()
        cycle += 1
        await check_sums(dut, wanted, cycle, columns)
        active = block
    assert len(wanted) > 4 * rows


async def check_sums(dut: Dut, wanted: dict[int, list[int]], cycle: int, columns: int) -> None:
    """Compare the sums that show in a cycle, at its end."""
    if cycle in wanted:
        found = dut.words("o_sums", columns)
        assert found == wanted[cycle], f"cycle {cycle}: {found}, not {wanted[cycle]}"


@cocotb.test(**TIMEOUT)
async def pe_keeps_nothing(handle: Any) -> None:
    """Multiply the words of the cycle before; without a weight the product is zero."""
    dut = await Dut.start(handle)
    config = dut.config
    products = [0] * operand_delay(config)
    for _ in range(300):
        act, weight = dut.word(config.act_bits), dut.word(config.weight_bits)
        used = dut.coin(0.7)
        dut.set(i_act=act, i_weight=weight, i_used=used)
        await dut.tick()
        products.append(act * weight * used)
        if len(products) > 2:
            assert dut.words("o_product", 1) == [products[-1 - operand_delay(config)]]


@cocotb.test(**TIMEOUT)
async def array_multiplies_what_it_sees(handle: Any) -> None:
    """Activations and weights of a cycle meet; rows without weights add nothing."""
    dut = await Dut.start(handle)
    config = dut.config
    rows, columns = config.rows, config.m_block
    latency = 1 + operand_delay(config) + ceil_log2(rows)
    wanted: dict[int, list[int]] = {}
    for cycle in range(60):
        acts = dut.rng.integers(-128, 128, rows)
        lines = dut.rng.integers(-128, 128, (rows, columns))
        used = dut.rng.random(rows) < 0.8
        mask = sum(int(use) << row for row, use in enumerate(used))
        dut.set(i_acts=acts, i_used=mask, **{f"i_lines_{row}": lines[row] for row in range(rows)})
        wanted[cycle + latency] = (np.where(used, acts, 0) @ lines).tolist()
        await dut.tick()
        await check_sums(dut, wanted, cycle + 1, columns)


@cocotb.test(**TIMEOUT)
async def array_sums_a_pixel_group(handle: Any) -> None:
    """Each row adds up its own pixel's reduction; psums leave row by row."""
    dut = await Dut.start(handle)
    config = dut.config
    rows, columns, latency = config.rows, config.m_block, drain_latency(config)
    for _ in range(6):
        active, chunks = dut.random.randint(1, rows), dut.random.randint(1, 3)
        psums = np.zeros((active, columns), np.int64)
        for chunk in range(chunks):
            lines = dut.random.randint(1, rows)
            acts = dut.rng.integers(-128, 128, (active, rows))
            weights = dut.rng.integers(-128, 128, (lines, columns))
            psums += acts[:, :lines] @ weights
            last = chunk == chunks - 1
            for cycle in range(rows):
                dut.set(i_vector=cycle < active, i_vector_first=cycle == 0)
                dut.set(i_line_valid=cycle < lines, i_opens=chunk == cycle == 0)
                dut.set(i_ends=cycle == lines - 1, i_drains=last and cycle == lines - 1)
                if cycle < active:
                    dut.set(i_acts=acts[cycle])
                if cycle < lines:
                    dut.set(i_line=weights[cycle])
                await dut.tick()
        dut.set(i_vector=0, i_line_valid=0, i_opens=0, i_ends=0, i_drains=0)
        # Psums stay where they are until the next group begins: take them out late.
        for _ in range(OutputStationaryArray(config).last_delay + rows):
            await dut.tick()
        for row in range(rows):
            dut.set(i_leaves=1 << row)
            await dut.tick()
            dut.set(i_leaves=0)
            for _ in range(latency - 1):
                await dut.tick()
            if row < active:
                found = dut.words("o_sums", columns)
                assert found == psums[row].tolist(), f"row {row}: {found}, not {psums[row]}"
            assert dut.get("o_active") >> row & 1 == (row < active)


@cocotb.test(**TIMEOUT)
async def psums_meet_sums(handle: Any) -> None:
    """Add a pixel's sums over its steps, or take their largest; the first meets the bias."""
    dut = await Dut.start(handle)
    config = dut.config
    columns, depth = config.m_block, min(config.psum_depth, 8)
    delay = 1 + operand_delay(config)  # from the control to the word
    half = 1 << (config.psum_bits - 1)
    for round_ in range(12):
        maximum = round_ % 2
        bias = dut.rng.integers(-1000, 1000, columns)
        if config.has_pe_sets:
            bias[:] = bias[0]
            dut.set(i_bias=bias[0])
        else:
            for line in range(config.bias_lines):
                dut.set(i_bias_shift=1, i_line=bias >> (config.weight_bits * line))
                await dut.tick()
            dut.set(i_bias_shift=0, i_bias_swap=1)
            await dut.tick()
            dut.set(i_bias_swap=0)
        steps = dut.random.randint(2, 4)
        psums = np.tile(bias, (depth, 1))
        for step in range(steps):
            sums = dut.rng.integers(-half, half, (depth, columns))
            meets_bias = step == 0
            compares = maximum and not meets_bias
            psums = np.maximum(psums, sums) if compares else psums + sums
            # The sums come a cycle behind the control.
            for cycle in range(depth + 2 + delay):
                dut.set(i_valid=cycle < depth, i_address=cycle % depth, i_first=meets_bias,
                        i_final=step == steps - 1, i_maximum=maximum)  # fmt: skip
                if 1 <= cycle <= depth:
                    dut.set(i_sums=sums[cycle - 1])
                await dut.tick()
                if delay <= cycle < depth + delay and step == steps - 1:
                    assert dut.get("o_valid")
                    assert dut.words("o_psums", columns) == psums[cycle - delay].tolist()


@cocotb.test(**TIMEOUT)
async def words_are_the_golden_models(handle: Any) -> None:
    """Requantised words of random psums and scales, at the requantiser's pace."""
    dut = await Dut.start(handle)
    config = dut.config
    columns, act = config.m_block, config.act_bits
    low, high = -(1 << (act - 1)), (1 << (act - 1)) - 1
    for _ in range(4):
        scale = np.exp2(dut.rng.uniform(-26, -12, columns)).astype(np.float32)
        words = [sum(part << place for part, place in zip(encode_scale(float(s)), (0, 24),
                                                          strict=True)) for s in scale]  # fmt: skip
        zero_point = dut.word(act)
        dut.set(i_zero_point=zero_point, i_min=low, i_max=high)
        if config.has_pe_sets:
            scale[:] = scale[0]
            dut.set(i_scale=words[0])
        else:
            for line in range(config.scale_lines):
                dut.set(i_scale_shift=1, i_line=[w >> (config.weight_bits * line) for w in words])
                await dut.tick()
            dut.set(i_scale_shift=0, i_scale_swap=1)
            await dut.tick()
            dut.set(i_scale_swap=0)
        psums = dut.rng.integers(-(1 << 26), 1 << 26, (20, columns))
        wanted = requantize(psums, scale, zero_point, low, high, f"int{act}").tolist()
        got: list[list[int]] = []
        for cycle in range(len(psums) * config.pace + 60):
            number, phase = divmod(cycle, config.pace)
            comes = phase == 0 and number < len(psums)
            dut.set(i_valid=comes)
            if comes:
                dut.set(i_psums=psums[number])
            await dut.tick()
            if dut.get("o_valid"):
                got.append(dut.words("o_words", columns))
        assert got == wanted

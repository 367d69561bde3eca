"""Pooling on the way to the ofmap buffer, against the golden model."""

from typing import Any

import cocotb
import numpy as np

from stillflow.hw.descriptor import FIELDS
from stillflow.hw.layer import PoolShape
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import POOL_LATENCY, mean_latency
from stillflow.sim.cocotb_tb.blocks.dut import Dut
from stillflow.sim.golden.pool import average_pool, max_pool

TIMEOUT: dict[str, Any] = {"timeout_time": 8, "timeout_unit": "ms"}
LAYERS = 6
SETTLE = 3  # cycles from a descriptor until the counts of its loops are known
#: Loops of a layer of one tile.
ONES = ("g_count", "m_count", "n_count", "e_count", "f_count", "mb_count", "mb_count_last")


def _axis(dut: Dut, means: bool) -> tuple[int, int, int, int, int]:
    """Draw size and stride of windows, padding before, pixels, and padding behind."""
    size = dut.random.randint(2, 4)
    if means:
        pixels = dut.random.randint(size, max(size, dut.config.pool_windows))
        return size, size - dut.random.randint(0, 1), 0, pixels, 0
    stride, before = size - dut.random.randint(0, 1), dut.random.randrange(size)
    pixels = dut.random.randint(1, 1 + dut.config.pool_windows * stride // 2)
    least = max(0, size - pixels - before)
    return size, stride, before, pixels, dut.random.randint(least, size - 1)


@cocotb.test(**TIMEOUT)
async def windows_are_pooled(handle: Any) -> None:
    """Images of one tile, with padding or pixels that no window takes, vectors at any time.

    Means have no padding, and vectors that are as far apart as their windows must be.
    """
    dut = await Dut.start(handle)
    config = dut.config
    lanes, act = config.m_block, f"int{config.act_bits}"
    info = np.iinfo(act)
    for _ in range(LAYERS):
        means = dut.coin(0.5)
        (R, down, top, H, bottom), (S, right, left, W, last) = _axis(dut, means), _axis(dut, means)
        shape = PoolShape(
            N=2, C=lanes, H=H, W=W, R=R, S=S, stride=(down, right), pad=(top, left, bottom, last)
        )
        rows, columns = (shape.E - 1) * down + R, (shape.F - 1) * right + S
        fields = dict.fromkeys((field.name for field in FIELDS), 0) | dict.fromkeys(ONES, 1)
        fields |= {"pn": 2, "pn_last": 2, "pe": rows, "pe_last": rows, "pf": columns}
        fields |= {
            "pf_last": columns, "pool_r": R - 1, "pool_s": S - 1, "pool_stride_e": down - 1,
            "pool_stride_f": right - 1, "pool_top": top, "pool_left": left,
            "pool_rows": top + H, "pool_columns": left + W,
        }  # fmt: skip
        words = dut.rng.integers(info.min, info.max, (2, lanes, H, W), endpoint=True).astype(act)
        golden = max_pool(words, shape)
        if means:
            before, after = dut.word(config.act_bits), dut.word(config.act_bits)
            scale = float(np.float32(dut.random.uniform(0.5, 2) / (R * S)))
            golden = average_pool(words, shape, scale, before, after, act)
            significand, shift = encode_scale(scale)
            fields |= {
                "pool_mean": 1, "pool_significand": significand, "pool_shift": shift,
                "pool_offset": -R * S * before, "pool_zero_point": after,
                "pool_min": int(info.min), "pool_max": int(info.max),
            }  # fmt: skip
        # What does not count may be anything.
        size = (2, lanes, top + H + bottom + R, left + W + last + S)
        padded = dut.rng.integers(info.min, info.max, size, endpoint=True).astype(act)
        padded[:, :, top : top + H, left : left + W] = words
        coming = list(padded[:, :, :rows, :columns].transpose(0, 2, 3, 1).reshape(-1, lanes))
        dut.set_layer(fields)
        dut.set(i_valid=0)
        for _ in range(SETTLE):
            await dut.tick()
        dut.set(i_begin=1)
        await dut.tick()
        dut.set(i_begin=0)
        await dut.tick()
        found: list[list[int]] = []
        rest = POOL_LATENCY + 1 + (mean_latency(config) if means else 0)
        wait = 0
        while rest:
            comes = bool(coming) and wait <= 0 and dut.coin(0.7)
            rest -= not coming
            wait = lanes - 1 if means and comes else wait - 1
            dut.set(i_valid=comes, i_words=coming.pop(0) if comes else [dut.word(8)] * lanes)
            await dut.settle()
            if dut.get("o_valid"):
                found.append(dut.words("o_words", lanes))
            await dut.tick()
        assert found == golden.transpose(0, 2, 3, 1).reshape(-1, lanes).tolist()

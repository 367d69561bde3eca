"""Finisher lane against the golden definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.graph import Tensor, clip_range
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.post.finish_lane import FinishLane
from stillflow.hw.residual import SCALE_BITS, TABLE_BITS, Join, encode_join
from stillflow.sim import bench
from stillflow.sim.golden.finish import join, look_up


def config_of(act_bits, axi_data_bits=32):
    return AcceleratorConfig(
        rows=4, cols=4, glb_kib=64, axi_data_bits=axi_data_bits, requant_lanes=1, acc_bits=48,
        act_bits=act_bits,
    )  # fmt: skip


def tensor(name, zero_point, act_bits):
    return Tensor(
        name=name, shape=(1, 1, 1, 1), dtype="int8" if act_bits == 8 else "int16", scale=1.0,
        zero_point=zero_point,
    )  # fmt: skip


def simulate(config, pairs, fields, entries=None):
    """Send (word, residual) pairs, one per cycle; return the lane's words."""
    dut = FinishLane(config)
    words = []

    async def drive(ctx):
        for name, value in fields.items():
            ctx.set(getattr(dut, f"i_{name}"), value)
        if entries is not None:
            image = entries.tobytes()
            for line, first in enumerate(range(0, len(image), config.axi_bytes)):
                ctx.set(dut.i_fill, 1)
                ctx.set(dut.i_fill_line, line)
                beat = image[first : first + config.axi_bytes]
                ctx.set(dut.i_fill_data, int.from_bytes(beat, "little"))
                await ctx.tick()
            ctx.set(dut.i_fill, 0)
        for word, residual in itertools.chain(pairs, [(0, 0)] * dut.LATENCY):
            ctx.set(dut.i_word, word)
            ctx.set(dut.i_residual, residual)
            await ctx.tick()
            words.append(ctx.get(dut.o_word))

    bench.run(dut, drive, cycles=len(pairs) + 400)
    return words[dut.LATENCY - 1 : -1]


def golden(pairs, joined, zero_points, act_bits):
    own, residual, ofmap = (
        tensor(name, zero, act_bits) for name, zero in zip("ord", zero_points, strict=True)
    )
    left, right = (np.array(side).astype(own.dtype) for side in zip(*pairs, strict=True))
    return join(joined, left, right, own, residual, ofmap).tolist()


def fields_of(joined, zero_points):
    return {
        "join": Join.ADD if joined.op == "add" else Join.MULTIPLY,
        "shift": joined.shift,
        "own_scale": joined.own_scale,
        "residual_scale": joined.residual_scale,
        "own_zero_point": zero_points[0],
        "residual_zero_point": zero_points[1],
        "zero_point": zero_points[2],
        "min": joined.act_min,
        "max": joined.act_max,
    }


def words(act_bits):
    low, high = clip_range("int8" if act_bits == 8 else "int16")
    return st.one_of(st.integers(low, high), st.sampled_from([low, -1, 0, 1, high]))


@st.composite
def joins(draw):
    act_bits = draw(st.sampled_from([8, 16]))
    low, high = clip_range("int8" if act_bits == 8 else "int16")
    op = draw(st.sampled_from(["add", "mul"]))
    scale = st.one_of(
        st.integers(0, (1 << SCALE_BITS) - 1), st.sampled_from([0, 1, (1 << SCALE_BITS) - 1])
    )
    bounds = sorted(draw(st.tuples(words(act_bits), words(act_bits))))
    if draw(st.booleans()):
        bounds = [low, high]
    joined = Joined(
        op=op, own="o", residual="r", own_scale=draw(scale), residual_scale=draw(scale),
        shift=draw(st.integers(0, 40)), act_min=bounds[0], act_max=bounds[1],
    )  # fmt: skip
    return act_bits, joined, draw(st.tuples(*[words(act_bits)] * 3))


@settings(max_examples=60)
@given(drawn=joins(), data=st.data())
def test_words_are_joined_as_the_golden_model_joins_them(drawn, data):
    act_bits, joined, zero_points = drawn
    pair = st.tuples(words(act_bits), words(act_bits))
    pairs = data.draw(st.lists(pair, min_size=1, max_size=20))
    found = simulate(config_of(act_bits), pairs, fields_of(joined, zero_points))
    assert found == golden(pairs, joined, zero_points, act_bits)


@pytest.mark.parametrize("shift", [1, 2, 17])
def test_ties_go_to_the_even_word(shift):
    scale = 1 << (shift - 1)
    joined = Joined(
        op="add", own="o", residual="r", own_scale=scale, residual_scale=0, shift=shift,
        act_min=-128, act_max=127,
    )  # fmt: skip
    pairs = [(word, 0) for word in range(-8, 9)]
    found = simulate(config_of(8), pairs, fields_of(joined, (0, 0, 0)))
    assert found == [round(word / 2) for word, _ in pairs]


@settings(max_examples=10)
@given(
    axi_data_bits=st.sampled_from([32, 64, 256, 512]),
    seed=st.integers(0, 2**32 - 1),
    joined=st.booleans(),
)
def test_words_are_looked_up_before_they_are_joined(axi_data_bits, seed, joined):
    rng = np.random.default_rng(seed)
    entries = rng.integers(-128, 128, 1 << TABLE_BITS).astype(np.int8)
    pairs = rng.permutation(
        np.stack([np.arange(-128, 128), rng.integers(-128, 128, 256)], axis=1)
    ).tolist()
    own, residual, shift = encode_join(0.7, 0.4)
    add = Joined(
        op="add", own="o", residual="r", own_scale=own, residual_scale=residual, shift=shift,
        act_min=-100, act_max=127,
    )  # fmt: skip
    zero_points = (5, -3, 11)
    fields = fields_of(add, zero_points) if joined else {"join": Join.NONE}
    config = config_of(8, axi_data_bits)
    found = simulate(config, pairs, fields | {"table": 1}, entries)
    table = Table(index="i", entries=entries)
    after = look_up(table, np.array([word for word, _ in pairs], np.int8)).tolist()
    if joined:
        after = golden(
            [(word, other) for word, (_, other) in zip(after, pairs, strict=True)],
            add, zero_points, 8,
        )  # fmt: skip
    assert found == after

"""Windows of vectors against the golden model, tile by tile."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.layer import PoolShape
from stillflow.hw.layer_port import LayerDescriptor
from stillflow.hw.post.pool import Pool
from stillflow.hw.presets import TINY
from stillflow.hw.residual import Join
from stillflow.hw.scale import encode_scale
from stillflow.hw.timing import POOL_LATENCY, finish_latency, mean_latency
from stillflow.sim import bench
from stillflow.sim.golden.pool import average_pool, max_pool
from tests.hw.layers import set_layer

CONFIG = replace(TINY, pool_windows=5)
LANES = CONFIG.m_block
#: What a layer's words go on to before they are pooled.
ENDINGS = {"none": {}, "table": {"table": 1}, "sum": {"join": int(Join.ADD)}}


@st.composite
def axes(draw):
    """Window size, stride, padding before, pixels, and windows of a tile along an axis."""
    size = draw(st.integers(2, 4))
    stride = size - draw(st.integers(0, 1))
    before = draw(st.integers(0, size - 1))
    pixels = draw(st.integers(1, 9))
    behind = draw(st.integers(max(0, size - pixels - before), size - 1))
    return size, stride, before, pixels, behind, draw(st.integers(1, CONFIG.pool_windows))


def tiles_of(axis):
    """Ranges of pixels of each tile along an axis, and windows in all."""
    size, stride, before, pixels, behind, most = axis
    windows = (pixels + before + behind - size) // stride + 1
    found = []
    for first in range(0, windows, most):
        count = min(most, windows - first)
        start = first * stride - before
        found.append(range(start, start + (count - 1) * stride + size))
    return found, windows


def descriptor(rows, columns, images, blocks, ending):
    """Fields of a layer with such tiles."""
    fields = dict.fromkeys(LayerDescriptor(CONFIG).members, 0) | ENDINGS[ending]
    ones = ("g_count", "m_count", "n_count", "mb_count", "mb_count_last")
    fields |= dict.fromkeys(ones, 1) | {"pn": images, "pn_last": images}
    fields |= {"mb_count": blocks, "mb_count_last": blocks}
    for axis, name, window, before, existing, count in (
        (rows, "e", "r", "top", "rows", "pe"), (columns, "f", "s", "left", "columns", "pf"),
    ):  # fmt: skip
        ranges, _ = tiles_of(axis)
        fields |= {
            f"{name}_count": len(ranges),
            count: len(ranges[0]),
            f"{count}_last": len(ranges[-1]),
            f"pool_{window}": axis[0] - 1,
            f"pool_stride_{name}": axis[1] - 1,
            f"pool_{before}": axis[2],
            f"pool_{existing}": axis[3] - ranges[-1].start,
        }
    return fields


@settings(max_examples=25, deadline=None)
@given(
    rows=axes(), columns=axes(), images=st.integers(1, 2), blocks=st.integers(1, 2),
    ending=st.sampled_from(list(ENDINGS)), seed=st.integers(0, 2**32 - 1),
    random=st.randoms(use_true_random=True),
)  # fmt: skip
def test_windows_have_their_largest_words(rows, columns, images, blocks, ending, seed, random):
    shape = PoolShape(
        N=images, C=blocks * LANES, H=rows[3], W=columns[3], R=rows[0], S=columns[0],
        stride=(rows[1], columns[1]), pad=(rows[2], columns[2], rows[4], columns[4]),
    )  # fmt: skip
    draws = np.random.default_rng(seed)
    words = draws.integers(-128, 127, (images, shape.C, shape.H, shape.W), np.int8, endpoint=True)
    golden = max_pool(words, shape)
    stream, counted, expected = [], [], []
    (row_tiles, _), (column_tiles, _) = tiles_of(rows), tiles_of(columns)
    done_rows = 0
    for row_tile in row_tiles:
        high = (len(row_tile) - rows[0]) // rows[1] + 1
        done_columns = 0
        for column_tile in column_tiles:
            wide = (len(column_tile) - columns[0]) // columns[1] + 1
            for block in range(blocks):
                lanes = slice(block * LANES, (block + 1) * LANES)
                for image in range(images):
                    for h in row_tile:
                        for w in column_tile:
                            inside = 0 <= h < shape.H and 0 <= w < shape.W
                            noise = draws.integers(-128, 127, LANES, np.int8, endpoint=True)
                            stream.append(words[image, lanes, h, w] if inside else noise)
                            counted.append(inside)
                    for e in range(done_rows, done_rows + high):
                        for f in range(done_columns, done_columns + wide):
                            expected.append(golden[image, lanes, e, f])
            done_columns += wide
        done_rows += high
    found, late = [], finish_latency(CONFIG) if any(ENDINGS[ending].values()) else 0
    dut = Pool(CONFIG)

    def packed(vector):
        return int.from_bytes(np.asarray(vector, np.int8).tobytes(), "little")

    async def drive(ctx):
        set_layer(ctx, dut, descriptor(rows, columns, images, blocks, ending))
        for _ in range(3):  # counts are known two cycles after the descriptor
            await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        await ctx.tick()
        coming, pipe = list(stream), [0] * late
        for _ in range(4 * len(stream) + late + POOL_LATENCY + 1):
            valid = bool(coming) and random.random() < 0.7
            word = packed(coming.pop(0)) if valid else random.getrandbits(8 * LANES)
            ctx.set(dut.i_valid, valid)
            assert ctx.get(dut.o_counts) == (valid and counted[-1 - len(coming)])
            if late:
                ctx.set(dut.i_words, random.getrandbits(8 * LANES))
                ctx.set(dut.i_finished, pipe.pop(0))
                pipe.append(word)
            else:
                ctx.set(dut.i_words, word)
            if ctx.get(dut.o_valid):
                found.append(ctx.get(dut.o_words))
            await ctx.tick()
        assert not coming

    bench.run(dut, drive, cycles=8 * len(stream) + 100)
    assert found == [packed(vector) for vector in expected]


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(2, 16), st.integers(2, 5)),
    overlaps=st.tuples(st.integers(0, 1), st.integers(0, 1)), images=st.integers(1, 3),
    many=st.tuples(st.integers(1, 2), st.integers(1, 3)), seed=st.integers(0, 2**32 - 1),
    random=st.randoms(use_true_random=True),
)  # fmt: skip
def test_windows_have_their_means(size, overlaps, images, many, seed, random):
    stride = (size[0] - overlaps[0], size[1] - overlaps[1])
    rows, columns = (
        (count - 1) * step + extent for count, step, extent in zip(many, stride, size, strict=True)
    )
    shape = PoolShape(
        N=images, C=LANES, H=rows, W=columns, R=size[0], S=size[1], stride=stride
    )  # fmt: skip
    draws = np.random.default_rng(seed)
    words = draws.integers(-128, 127, (images, LANES, rows, columns), np.int8, endpoint=True)
    scale = float(np.float32(1.5 / (size[0] * size[1])))
    significand, shift = encode_scale(scale)
    golden = average_pool(words, shape, scale, 5, -3, "int8").transpose(0, 2, 3, 1)
    stream = words.transpose(0, 2, 3, 1).reshape(-1, LANES)
    found, dut = [], Pool(CONFIG)
    fields = descriptor(
        (size[0], stride[0], 0, rows, 0, many[0]), (size[1], stride[1], 0, columns, 0, many[1]),
        images, 1, "none",
    ) | {
        "pool_mean": 1, "pool_significand": significand, "pool_shift": shift,
        "pool_offset": -5 * size[0] * size[1], "pool_zero_point": -3, "pool_min": -128,
        "pool_max": 127,
    }  # fmt: skip

    async def drive(ctx):
        set_layer(ctx, dut, fields)
        for _ in range(3):
            await ctx.tick()
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        await ctx.tick()
        for vector in stream:
            for cycle in range(
                random.choice([LANES, LANES, LANES + 3])
            ):  # one lane for all columns
                ctx.set(dut.i_valid, cycle == 0)
                ctx.set(dut.i_words, int.from_bytes(vector.tobytes(), "little"))
                await step(ctx)
        for _ in range(POOL_LATENCY + mean_latency(CONFIG)):
            ctx.set(dut.i_valid, 0)
            await step(ctx)

    async def step(ctx):
        if ctx.get(dut.o_valid):
            found.append(ctx.get(dut.o_words).to_bytes(LANES, "little"))
        await ctx.tick()

    bench.run(dut, drive, cycles=8 * len(stream) * LANES + 200)
    assert found == [vector.tobytes() for vector in golden.reshape(-1, LANES)]


def test_words_of_other_layers_pass_by():
    dut = Pool(CONFIG)

    async def drive(ctx):
        ctx.set(dut.i_valid, 1)
        ctx.set(dut.i_words, 0x12345678)
        assert (ctx.get(dut.o_pools), ctx.get(dut.o_valid)) == (0, 1)
        assert ctx.get(dut.o_words) == 0x12345678

    bench.run(dut, drive)

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.ofmap import OfmapBuffer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.residual import join_depth
from stillflow.hw.timing import finish_latency
from stillflow.sim import bench

CONFIGS = [
    AcceleratorConfig(rows=4, cols=4, glb_kib=1, axi_data_bits=32, requant_lanes=1),
    AcceleratorConfig(rows=4, cols=7, glb_kib=2, axi_data_bits=32, requant_lanes=1),
]


@settings(max_examples=8)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_vectors_come_back_from_the_ring(config, random):
    dut = OfmapBuffer(config)
    depth = random.choice([config.ofmap_depth, join_depth(config)])

    async def drive(ctx):
        ctx.set(dut.i_ring, depth)
        for _ in range(2):
            written, shown = [], None
            ctx.set(dut.i_clear, 1)
            ctx.set(dut.i_valid, 0)
            ctx.set(dut.i_read_en, 0)
            await ctx.tick()
            ctx.set(dut.i_clear, 0)
            for _ in range(3 * depth):
                writes, word = random.random() < 0.7, random.getrandbits(dut.width)
                oldest = max(0, len(written) - depth + 1)
                reads = len(written) > oldest and random.random() < 0.6
                ctx.set(dut.i_valid, writes)
                ctx.set(dut.i_words, word)
                ctx.set(dut.i_strip_last, 1)
                assert ctx.get(dut.o_ready) == writes
                ctx.set(dut.i_read_en, reads)
                if reads:
                    number = random.randrange(oldest, len(written))
                    ctx.set(dut.i_read_entry, number % depth)
                    shown = written[number]
                if writes:
                    written.append(word)
                await ctx.tick()
                assert shown is None or ctx.get(dut.o_vector) == shown

    bench.run(dut, drive)


@settings(max_examples=8)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_columns_of_a_strip_come_back_as_rows(config, random):
    dut = OfmapBuffer(config)
    depth = random.choice([config.ofmap_depth, join_depth(config)])

    async def drive(ctx):
        ctx.set(dut.i_ring, depth)
        columns = random.randint(1, depth // 2)
        ctx.set(dut.i_columns, columns)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        first = 0
        for _ in range(6):
            rows = random.randint(1, depth // columns)
            strip = {}
            for column in range(columns):
                for row in range(rows):
                    if random.random() < 0.3:
                        ctx.set(dut.i_valid, 0)
                        await ctx.tick()
                    word = strip[row, column] = random.getrandbits(dut.width)
                    last = row == rows - 1
                    ctx.set(dut.i_valid, 1)
                    ctx.set(dut.i_words, word)
                    ctx.set(dut.i_column_last, last)
                    ctx.set(dut.i_strip_last, last and column == columns - 1)
                    ends = last and column == columns - 1
                    assert ctx.get(dut.o_ready) == (rows * columns if ends else 0)
                    await ctx.tick()
            ctx.set(dut.i_valid, 0)
            ctx.set(dut.i_read_en, 1)
            for (row, column), word in strip.items():
                ctx.set(dut.i_read_entry, (first + row * columns + column) % depth)
                await ctx.tick()
                assert ctx.get(dut.o_vector) == word
            first += rows * columns

    bench.run(dut, drive, cycles=20_000)


def test_words_of_a_layer_do_not_come_again_in_one_that_finishes_them():
    """The next descriptor may say that words are finished while the last one's are on that way."""
    dut = OfmapBuffer(CONFIGS[0])

    async def drive(ctx):
        ctx.set(dut.i_ring, CONFIGS[0].ofmap_depth)
        ctx.set(dut.i_strip_last, 1)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        ctx.set(dut.i_late, 1)
        for _ in range(finish_latency(CONFIGS[0]) + 1):
            assert ctx.get(dut.o_write) == 0
            assert ctx.get(dut.o_ready) == 0
            await ctx.tick()
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        for _ in range(finish_latency(CONFIGS[0]) - 1):
            assert ctx.get(dut.o_write) == 0
            await ctx.tick()
        assert (ctx.get(dut.o_write), ctx.get(dut.o_ready)) == (1, 1)

    bench.run(dut, drive)


def test_residuals_come_in_turn_where_the_layer_pools():
    """Not those of the entry that a vector gets: a window takes one, its pixels have more."""
    config = replace(CONFIGS[0], pool_windows=4)
    dut, depth = OfmapBuffer(config), join_depth(config)
    pixels = config.beat_pixels

    async def drive(ctx):
        ctx.set(dut.i_ring, depth)
        ctx.set(dut.i_joins, 1)
        ctx.set(dut.i_pools, 1)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        filled = [(7 * number + 1) % (1 << dut.width) for number in range(depth)]
        ctx.set(dut.i_fill, 1)
        for first in range(0, depth, pixels):
            beat = sum(filled[first + i] << (i * dut.width) for i in range(pixels))
            ctx.set(dut.i_fill_element, first * config.channel_block)
            ctx.set(dut.i_fill_mask, -1)
            ctx.set(dut.i_fill_data, beat)
            await ctx.tick()
        ctx.set(dut.i_fill, 0)
        for number in range(2 * depth + 3):
            ctx.set(dut.i_residual_en, 1)
            await ctx.tick()
            assert ctx.get(dut.o_residuals) == filled[number % depth]
            ctx.set(dut.i_residual_en, 0)
            ctx.set(dut.i_valid, number % 3 == 0)  # windows take entries of their own
            await ctx.tick()
            ctx.set(dut.i_valid, 0)

    bench.run(dut, drive, cycles=5_000)

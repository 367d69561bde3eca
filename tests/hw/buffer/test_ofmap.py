from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.ofmap import OfmapBuffer
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim import bench

CONFIGS = [
    AcceleratorConfig(rows=4, cols=4, glb_kib=1, axi_data_bits=32, requant_lanes=1),
    AcceleratorConfig(rows=4, cols=7, glb_kib=2, axi_data_bits=32, requant_lanes=1),
]


@settings(max_examples=8)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_vectors_come_back_from_the_ring(config, random):
    dut = OfmapBuffer(config)
    depth = config.psum_depth

    async def drive(ctx):
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

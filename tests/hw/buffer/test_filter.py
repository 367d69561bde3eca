"""Filter buffer against a list of lines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.filter import FilterBuffer
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim import bench


def config_of(rows, cols, glb_kib, axi_data_bits, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits, requant_lanes=1,
        max_burst_beats=4, **keys,
    )  # fmt: skip


CONFIGS = [
    config_of(4, 4, 1, 32),
    config_of(3, 6, 2, 32),  # two beats a line, a quarter of it empty
    config_of(4, 14, 4, 32),
    config_of(2, 4, 2, 128),  # a beat is wider than a line of weights
    config_of(2, 4, 2, 32, weight_bits=16),
    config_of(3, 6, 2, 32, operand_registers=True),
]


@settings(max_examples=15)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_lines_come_back_from_the_ring(config, random):
    dut = FilterBuffer(config)
    beats = config.filter_line_bytes // config.axi_bytes
    half = 1 << (config.weight_bits - 1)
    width, columns = config.weight_bits, range(config.m_block)

    async def drive(ctx):
        for _ in range(2):
            written, beat, content = [], 0, 0
            shown: list[list[int] | None] = [None] * dut.latency  # a line holds
            ctx.set(dut.i_clear, 1)
            ctx.set(dut.i_write_valid, 0)
            ctx.set(dut.i_read_en, 0)
            await ctx.tick()
            ctx.set(dut.i_clear, 0)
            for _ in range(random.choice([20, beats * config.filter_lines + 150])):
                writes, reads = random.random() < 0.9, random.random() < 0.7
                word = random.getrandbits(config.axi_data_bits)
                ctx.set(dut.i_write_valid, writes)
                ctx.set(dut.i_write_data, word)
                assert ctx.get(dut.o_loaded) == len(written) % (1 << len(dut.o_loaded))
                assert ctx.get(dut.o_loads) == (writes and beat == beats - 1)
                # Any line that is in the ring, but the one that is written now.
                oldest = max(0, len(written) - config.filter_lines + 1)
                reads &= len(written) > oldest
                ctx.set(dut.i_read_en, reads)
                shown.append(shown[-1])
                if reads:
                    number = random.choice(
                        [len(written) - 1, random.randrange(oldest, len(written))]
                    )
                    ctx.set(dut.i_read_line, number % config.filter_lines)
                    shown[-1] = written[number]
                if writes:
                    content |= word << (beat * config.axi_data_bits)
                    beat += 1
                    if beat == beats:
                        line = [content >> (width * col) & (2 * half - 1) for col in columns]
                        written.append([w - 2 * half if w >= half else w for w in line])
                        beat, content = 0, 0
                await ctx.tick()
                if (line := shown[-dut.latency]) is not None:
                    assert list(ctx.get(dut.o_line)) == line
            # A clear in the middle of a line forgets its beats.
            ctx.set(dut.i_write_valid, 1)
            await ctx.tick()

    bench.run(dut, drive, cycles=4000)

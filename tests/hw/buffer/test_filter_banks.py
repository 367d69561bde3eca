"""Filter banks against a list of lines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.filter_banks import FilterBanks
from stillflow.sim import bench
from stillflow.sim.golden.walks import filter_place
from tests.hw.buffer.test_filter import config_of

CONFIGS = [
    config_of(4, 4, 1, 32, dataflow="nlr"),
    config_of(3, 6, 2, 32, dataflow="nlr"),  # two beats a line, a quarter of it empty
    config_of(1, 4, 1, 32, dataflow="nlr"),  # one bank
    config_of(5, 4, 2, 128, dataflow="nlr"),  # a beat is wider than a line of weights
    config_of(7, 4, 2, 32, weight_bits=16, dataflow="nlr"),
    config_of(3, 6, 2, 32, operand_registers=True, dataflow="nlr"),
]


@settings(max_examples=15)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_lines_come_from_successive_banks(config, random):
    dut = FilterBanks(config)
    beats = config.filter_line_bytes // config.axi_bytes
    width, columns = config.weight_bits, range(config.m_block)
    size = config.filter_lines
    assert size % config.rows == 0

    def words(content):
        line = [content >> (width * col) & ((1 << width) - 1) for col in columns]
        return [w - (1 << width) if w >> (width - 1) else w for w in line]

    async def drive(ctx):
        for _ in range(2):
            written, beat, content = [], 0, 0
            asked: list[dict | None] = [None] * dut.latency  # by cycle: bank and line
            ctx.set(dut.i_clear, 1)
            ctx.set(dut.i_write_valid, 0)
            ctx.set(dut.i_count, 0)
            await ctx.tick().repeat(dut.latency)
            ctx.set(dut.i_clear, 0)
            for _ in range(random.choice([20, beats * size + 150])):
                writes = random.random() < 0.9
                word = random.getrandbits(config.axi_data_bits)
                ctx.set(dut.i_write_valid, writes)
                ctx.set(dut.i_write_data, word)
                assert ctx.get(dut.o_loaded) == len(written) % (1 << len(dut.o_loaded))
                assert ctx.get(dut.o_loads) == (writes and beat == beats - 1)
                # Lines that are in the ring and stay: a read reaches the memories a cycle later.
                oldest = max(0, len(written) - size + 2)
                count = min(random.randint(0, config.rows), max(0, len(written) - oldest))
                ctx.set(dut.i_count, count)
                if count:
                    first = random.choice([len(written) - count, oldest])
                    place = filter_place(first, config)
                    for key, value in place.items():
                        ctx.set(dut.i_place[key], value)
                    asked.append({n % config.rows: written[n] for n in range(first, first + count)})
                else:
                    asked.append({})
                if writes:
                    content |= word << (beat * config.axi_data_bits)
                    beat += 1
                    if beat == beats:
                        written.append(words(content))
                        beat, content = 0, 0
                await ctx.tick()
                wanted = asked[-dut.latency]
                if wanted is not None:
                    assert ctx.get(dut.o_read) == sum(1 << bank for bank in wanted)
                    for bank, line in wanted.items():
                        assert list(ctx.get(dut.o_lines[bank])) == line

    bench.run(dut, drive, cycles=4000)

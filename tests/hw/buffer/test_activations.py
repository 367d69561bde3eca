from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.activations import ActivationMemory
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim import bench

CONFIGS = [
    AcceleratorConfig(
        rows=4, cols=4, glb_kib=4, axi_data_bits=axi, requant_lanes=1, activation_kib=1,
        act_bits=bits, acc_bits=32 if bits == 8 else 48,
    )
    for axi, bits in ((32, 8), (128, 8), (64, 16))
]  # fmt: skip


@settings(max_examples=12)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_lines_keep_the_activations_that_the_mask_names(config, random):
    dut = ActivationMemory(config)
    lanes, bits = config.axi_elements, config.act_bits

    async def drive(ctx):
        words, shown = {}, None
        for _ in range(120):
            target, source = (random.choice([0, 1, 5, config.activation_lines - 1]) for _ in "ab")
            mask = random.choice([0, random.getrandbits(lanes), (1 << lanes) - 1])
            data = random.getrandbits(config.axi_data_bits)
            reads = random.random() < 0.5 and not (mask and source == target)
            ctx.set(dut.i_write_mask, mask)
            ctx.set(dut.i_write_line, target)
            ctx.set(dut.i_data, data)
            ctx.set(dut.i_read_en, reads)
            ctx.set(dut.i_read_line, source)
            if reads:
                shown = dict(words.get(source, {}))
            for lane in range(lanes):
                if mask >> lane & 1:
                    word = data >> lane * bits & ((1 << bits) - 1)
                    words.setdefault(target, {})[lane] = word
            await ctx.tick()
            found = ctx.get(dut.o_data)
            for lane, word in (shown or {}).items():
                assert found >> lane * bits & ((1 << bits) - 1) == word

    bench.run(dut, drive)

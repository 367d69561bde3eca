from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.array.pe import NoLocalReusePE, WeightStationaryPE
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.sim import bench


@settings(max_examples=10)
@given(
    bits=st.sampled_from([(8, 8), (16, 8), (16, 16)]),
    registers=st.booleans(),
    random=st.randoms(use_true_random=True),
)
def test_products_use_the_weight_that_was_swapped_in(bits, registers, random):
    act_bits, weight_bits = bits
    config = AcceleratorConfig(
        rows=4, cols=4, glb_kib=8, axi_data_bits=32, requant_lanes=1,
        act_bits=act_bits, weight_bits=weight_bits, acc_bits=48, operand_registers=registers,
    )  # fmt: skip
    dut = WeightStationaryPE(config)

    def word(width):
        half = 1 << (width - 1)
        return random.choice([-half, half - 1, random.randrange(-half, half)])

    async def drive(ctx):
        shadow = weight = None
        acts = [0]
        for _ in range(60):
            act, chain = word(act_bits), word(weight_bits)
            shift, swap = random.random() < 0.5, random.random() < 0.3
            deep = random.random() < 0.3
            ctx.set(dut.i_depthwise, deep)
            ctx.set(dut.i_act, act)
            ctx.set(dut.i_chain, chain)
            ctx.set(dut.i_shift, shift)
            ctx.set(dut.i_swap, swap)
            acts.append(chain if deep else act)
            product = None if weight is None else acts[-1 - registers] * weight
            weight = shadow if swap else weight
            shadow = chain if shift else shadow
            await ctx.tick()
            assert product is None or ctx.get(dut.o_product) == product
            assert shadow is None or ctx.get(dut.o_chain) == shadow

    bench.run(dut, drive)


@settings(max_examples=10)
@given(
    bits=st.sampled_from([(8, 8), (16, 8), (16, 16)]),
    registers=st.booleans(),
    random=st.randoms(use_true_random=True),
)
def test_a_multiplier_keeps_nothing(bits, registers, random):
    act_bits, weight_bits = bits
    config = AcceleratorConfig(
        rows=4, cols=4, glb_kib=8, axi_data_bits=32, requant_lanes=1,
        dataflow=Dataflow.NO_LOCAL_REUSE,
        act_bits=act_bits, weight_bits=weight_bits, acc_bits=48, operand_registers=registers,
    )  # fmt: skip
    dut = NoLocalReusePE(config)

    def word(width):
        half = 1 << (width - 1)
        return random.choice([-half, half - 1, random.randrange(-half, half)])

    async def drive(ctx):
        products = [0]
        for _ in range(60):
            act, weight, used = word(act_bits), word(weight_bits), random.random() < 0.7
            ctx.set(dut.i_act, act)
            ctx.set(dut.i_weight, weight)
            ctx.set(dut.i_used, used)
            await ctx.tick()
            products.append(act * weight * used)
            assert ctx.get(dut.o_product) == products[-1 - registers]

    bench.run(dut, drive)

"""Ifmap buffer against a flat memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.buffer.ifmap import IfmapBuffer
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim import bench


def config_of(rows, cols, glb_kib, axi_data_bits, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits, requant_lanes=1,
        max_burst_beats=8, **keys,
    )  # fmt: skip


CONFIGS = [
    config_of(4, 4, 1, 32),
    config_of(3, 2, 3, 32),  # a depth that is no power of two, a lane less than banks
    config_of(8, 4, 1, 32),  # half a vector in a beat
    config_of(2, 2, 1, 64),  # a beat of several vectors
    config_of(1, 4, 1, 32),
    config_of(3, 2, 3, 32, operand_registers=True),
    config_of(5, 4, 2, 32, act_bits=16, weight_bits=16, acc_bits=48),
]


async def use_all_lanes(ctx, dut):
    ctx.set(dut.i_lane_shift, 1)
    ctx.set(dut.i_lane_used, 1)
    await ctx.tick().repeat(dut.config.rows)
    ctx.set(dut.i_lane_shift, 0)
    ctx.set(dut.i_lane_swap, 1)
    await ctx.tick()
    ctx.set(dut.i_lane_swap, 0)


class Lanes:
    """Chain of lane offsets, None where a lane is not used, and the active copy."""

    def __init__(self, rows):
        self.chain, self.active = [0] * rows, [0] * rows

    def step(self, shift, offset, swap):
        self.active = self.chain if swap else self.active
        if shift:
            self.chain = [*self.chain[1:], offset]


@settings(max_examples=18)
@given(config=st.sampled_from(CONFIGS), random=st.randoms(use_true_random=True))
def test_vectors_are_read_at_any_element_while_beats_are_filled_anywhere(config, random):
    dut = IfmapBuffer(config)
    elements, beat, banks = config.ifmap_elements, config.axi_elements, config.ifmap_banks
    half = 1 << (config.act_bits - 1)
    span = elements - elements % banks

    def draw_fill(cycle):
        """Address, mask and words; first the whole memory, later anywhere."""
        words = [random.randrange(-half, half) for _ in range(beat)]
        if cycle * beat < elements:
            return cycle * beat, (1 << beat) - 1, words
        address = random.randrange(1 - beat, elements)
        inside = [0 <= address + i < elements for i in range(beat)]
        mask = sum(ok << i for i, ok in enumerate(inside)) & random.getrandbits(beat)
        return address % (1 << dut.address_bits), mask, words

    async def drive(ctx):
        await use_all_lanes(ctx, dut)
        memory, filled = {}, {}  # by element: visible, filled a cycle ago
        lanes = Lanes(config.rows)
        fill_cycles = -(-elements // beat)
        reads = []
        checked = 0
        for cycle in range(fill_cycles + 150):
            address, mask, words = draw_fill(cycle)
            fills = cycle < fill_cycles or random.random() < 0.7
            ctx.set(dut.i_fill_valid, fills)
            ctx.set(dut.i_fill_address, address)
            ctx.set(dut.i_fill_mask, mask)
            ctx.set(dut.i_fill_data, words)
            now = {}
            if fills:
                places = [(address + i) % (1 << dut.address_bits) for i in range(beat)]
                now = {p: w for i, (p, w) in enumerate(zip(places, words, strict=True))
                       if mask >> i & 1}  # fmt: skip
            memory |= filled  # what came a cycle ago is seen now
            filled = now

            start = random.randrange(span)
            wanted = [None if q is None else start + i + banks * q
                      for i, q in enumerate(lanes.active)]  # fmt: skip
            may_read = all(p in memory and p not in now for p in wanted if p is not None)
            may_read &= cycle >= fill_cycles and random.random() < 0.9
            ctx.set(dut.i_read_en, may_read)
            ctx.set(dut.i_read_address, start)
            reads.append([0 if p is None else memory[p] for p in wanted] if may_read else None)

            offset = random.choice([None, 0, 0, 1, 2, config.ifmap_depth // 3])
            shift, swap = random.random() < 0.5, random.random() < 0.2
            ctx.set(dut.i_lane_shift, shift)
            ctx.set(dut.i_lane_offset, offset or 0)
            ctx.set(dut.i_lane_used, offset is not None)
            ctx.set(dut.i_lane_swap, swap)
            lanes.step(shift, offset, swap)
            await ctx.tick()
            if cycle + 1 >= dut.latency:
                vector = reads[cycle + 1 - dut.latency]
                if vector is not None:
                    assert list(ctx.get(dut.o_acts)) == vector
                    checked += 1
        assert checked > 20

    bench.run(dut, drive, cycles=2000)


def test_a_fill_is_seen_by_a_read_of_the_next_cycle():
    config = CONFIGS[0]
    dut = IfmapBuffer(config)

    async def drive(ctx):
        await use_all_lanes(ctx, dut)
        ctx.set(dut.i_fill_valid, 1)
        ctx.set(dut.i_fill_address, 6)
        ctx.set(dut.i_fill_mask, 0b1111)
        ctx.set(dut.i_fill_data, [5, -6, 7, -8])
        await ctx.tick()
        ctx.set(dut.i_fill_valid, 0)
        ctx.set(dut.i_read_en, 1)
        ctx.set(dut.i_read_address, 6)
        await ctx.tick()
        ctx.set(dut.i_read_en, 0)
        await ctx.tick().repeat(dut.latency - 1)
        assert list(ctx.get(dut.o_acts)) == [5, -6, 7, -8]

    bench.run(dut, drive)

"""Bursts of any transfer are legal and cover it."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.dma.burst import BurstSplitter
from stillflow.sim import bench

transfers = st.lists(
    st.tuples(
        st.one_of(st.integers(0, (1 << 32) - 1), st.integers(4096 - 300, 4096 + 300)),
        st.integers(1, 600),
    ),
    min_size=1,
    max_size=6,
)


def config_of(axi_data_bits, max_burst_beats):
    return AcceleratorConfig(
        rows=4, cols=4, glb_kib=512, axi_data_bits=axi_data_bits, requant_lanes=1,
        max_burst_beats=max_burst_beats,
    )  # fmt: skip


@settings(max_examples=40)
@given(
    axi_data_bits=st.sampled_from([32, 64, 128, 512]),
    most=st.sampled_from([1, 5, 16, 64, 256]),
    transfers=transfers,
    waits=st.lists(st.integers(0, 2), max_size=20),
    overlap=st.booleans(),
)
@example(512, 64, [(4096 - 64, 65), (0, 64)], [], True)
@example(32, 256, [(0xFFFF_FFFC, 1), (0x1004, 1024)], [1], True)
def test_bursts_are_legal_and_cover_the_transfer(axi_data_bits, most, transfers, waits, overlap):
    config = config_of(axi_data_bits, min(most, 4096 * 8 // axi_data_bits))
    dut = BurstSplitter(config)
    size = config.axi_bytes
    transfers = [(address // size * size, beats) for address, beats in transfers]
    pauses = iter(waits)

    def load(ctx, transfer):
        ctx.set(dut.i_load, transfer is not None)
        if transfer is not None:
            ctx.set(dut.i_address, transfer[0])
            ctx.set(dut.i_beats, transfer[1])

    async def drive(ctx):
        assert not ctx.get(dut.o_valid)
        loaded = False
        for number, (address, beats) in enumerate(transfers):
            if not loaded:
                load(ctx, (address, beats))
                await ctx.tick()
                load(ctx, None)
            left = beats
            while left:
                for _ in range(next(pauses, 0)):
                    await ctx.tick()
                assert ctx.get(dut.o_valid)
                burst = ctx.get(dut.o_beats)
                start = ctx.get(dut.o_address)
                assert start == (address + (beats - left) * size) % (1 << 32)
                assert 1 <= burst <= min(left, config.max_burst_beats)
                assert start % 4096 + burst * size <= 4096
                # No shorter than it must be.
                ends = (left, config.max_burst_beats, (4096 - start % 4096) // size)
                assert burst == min(ends)
                left -= burst
                assert ctx.get(dut.o_last) == (left == 0)
                ctx.set(dut.i_next, 1)
                loaded = overlap and left == 0 and number + 1 < len(transfers)
                load(ctx, transfers[number + 1] if loaded else None)
                await ctx.tick()
                ctx.set(dut.i_next, 0)
                load(ctx, None)
            assert ctx.get(dut.o_valid) == loaded

    bench.run(dut, drive, cycles=8000)


def test_a_transfer_can_be_forgotten():
    dut = BurstSplitter(config_of(32, 4))

    async def drive(ctx):
        ctx.set(dut.i_load, 1)
        ctx.set(dut.i_beats, 9)
        await ctx.tick()
        ctx.set(dut.i_load, 0)
        ctx.set(dut.i_clear, 1)
        assert ctx.get(dut.o_valid)
        await ctx.tick()
        assert not ctx.get(dut.o_valid)

    bench.run(dut, drive)

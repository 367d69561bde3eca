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
@example(32, 16, [(4096 - 4 * left, 16) for left in range(1, 16)], [], True)
def test_bursts_are_legal_and_cover_the_transfer(axi_data_bits, most, transfers, waits, overlap):
    config = config_of(axi_data_bits, min(most, 4096 * 8 // axi_data_bits))
    dut = BurstSplitter(config)
    size = config.axi_bytes
    transfers = [(address // size * size, beats) for address, beats in transfers]
    pauses = iter(waits)
    bursts = [
        (number, beats - left)
        for number, (address, beats) in enumerate(transfers)
        for left in lefts(address, beats, config)
    ]

    def load(ctx, number):
        ctx.set(dut.i_load, number is not None)
        if number is not None:
            ctx.set(dut.i_address, transfers[number][0])
            ctx.set(dut.i_beats, transfers[number][1])

    async def drive(ctx):
        assert ctx.get(dut.o_idle)
        loaded = 0
        for number, before in bursts:
            address, beats = transfers[number]
            idle = 0
            wait = next(pauses, 0)
            while True:
                ready = loaded < len(transfers) and ctx.get(dut.o_ready)
                load(ctx, loaded if ready and (overlap or loaded == number) else None)
                if valid := ctx.get(dut.o_valid):
                    if not wait:
                        break
                    wait -= 1
                idle += not valid
                loaded += ctx.get(dut.i_load)
                await ctx.tick()
            # Two cycles from the load to the first burst, none between those of a transfer.
            assert idle <= 2
            assert before == 0 or idle == 0
            assert not ctx.get(dut.o_idle)
            burst, start = ctx.get(dut.o_beats), ctx.get(dut.o_address)
            assert start == (address + before * size) % (1 << 32)
            assert 1 <= burst <= min(beats - before, config.max_burst_beats)
            assert start % 4096 + burst * size <= 4096
            ctx.set(dut.i_next, 1)
            ready = loaded < len(transfers) and ctx.get(dut.o_ready)
            takes = ready and (overlap or loaded == number)
            load(ctx, loaded if takes else None)
            loaded += takes
            await ctx.tick()
            ctx.set(dut.i_next, 0)
            load(ctx, None)
        assert loaded == len(transfers)
        assert ctx.get(dut.o_idle)

    bench.run(dut, drive, cycles=8000)


def lefts(address, beats, config):
    """Beats that are left at each burst, none being shorter than it must be."""
    while beats:
        yield beats
        burst = min(beats, config.max_burst_beats, (4096 - address % 4096) // config.axi_bytes)
        address, beats = address + burst * config.axi_bytes, beats - burst


def test_a_transfer_can_be_forgotten():
    dut = BurstSplitter(config_of(32, 4))

    async def drive(ctx):
        ctx.set(dut.i_load, 1)
        ctx.set(dut.i_beats, 9)
        await ctx.tick()
        ctx.set(dut.i_load, 0)
        await ctx.tick()
        assert ctx.get(dut.o_valid)
        assert not ctx.get(dut.o_ready)
        ctx.set(dut.i_clear, 1)
        await ctx.tick()
        ctx.set(dut.i_clear, 0)
        for _ in range(3):
            assert ctx.get(dut.o_idle)
            assert ctx.get(dut.o_ready)
            await ctx.tick()

    bench.run(dut, drive)

"""Segments of the activation memory, as the reader gives their beats."""

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import ErrorCode
from stillflow.hw.dma.reader import Reader
from stillflow.hw.words import SegmentKind
from stillflow.sim import bench

CONFIG = AcceleratorConfig(
    rows=4, cols=4, glb_kib=2, axi_data_bits=64, requant_lanes=1, activation_kib=1
)


def test_local_beats_follow_each_other_behind_a_cycle_that_asks():
    dut = Reader(CONFIG)
    segments = [
        {"kind": SegmentKind.IFMAP, "address": CONFIG.activation_base + 64 * i, "beats": 5}
        for i in range(4)
    ]
    seen = []

    async def send(ctx):
        await bench.put_all(ctx, dut.i_segment, segments)

    async def watch(ctx):
        for cycle in range(60):
            if ctx.get(dut.o_beat):
                seen.append(cycle)
            assert not ctx.get(dut.ar_valid)
            await ctx.tick()

    bench.run(dut, send, watch)
    assert [cycle - seen[0] for cycle in seen] == [6 * i + k for i in range(4) for k in range(5)]


def test_a_beat_behind_the_activation_memory_is_an_error():
    dut = Reader(CONFIG)
    end = CONFIG.activation_base + 1024
    found = []

    async def drive(ctx):
        ctx.set(dut.i_segment.payload,
                {"kind": SegmentKind.IFMAP, "address": end - 16, "beats": 4})  # fmt: skip
        ctx.set(dut.i_segment.valid, 1)
        await ctx.tick()
        ctx.set(dut.i_segment.valid, 0)
        for _ in range(20):
            if ctx.get(dut.o_error):
                code, address = ctx.get(dut.o_error_code), ctx.get(dut.o_error_address)
                found.append((ErrorCode(code), address))
                assert not ctx.get(dut.o_beat)
                ctx.set(dut.i_abort, 1)
            elif ctx.get(dut.o_beat):
                found.append("beat")
            await ctx.tick()
        assert ctx.get(dut.o_idle)

    bench.run(dut, drive)
    assert found == ["beat", "beat", (ErrorCode.READ_DECERR, end)]

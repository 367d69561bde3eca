"""Records: which values they hold, and what room they need."""

from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stillflow.hw.csr import Counter
from stillflow.hw.dma.record import RecordBeats
from stillflow.hw.timing import COUNTER_ROUND
from stillflow.sim import bench
from tests.hw.dma.test_writer import config_of

MASK = (1 << 32) - 1


def value_at(cycle, counter):
    """Give the value of a counter that goes on all the time, of more than 32 bits."""
    return (counter << 33) + cycle


@settings(max_examples=30)
@example(
    bits=64, phase=COUNTER_ROUND - 1, room=1, records=1, random=Random(1)
)  # an old value shows
@given(
    bits=st.sampled_from([32, 64, 128, 256, 512]),
    phase=st.integers(0, COUNTER_ROUND - 1),
    room=st.sampled_from([0.1, 0.5, 1]),
    records=st.integers(1, 2),
    random=st.randoms(use_true_random=True),
)
def test_counters_are_taken_in_order_when_there_is_room(bits, phase, room, records, random):
    dut = RecordBeats(config_of(4, 4, 32, bits))

    async def drive(ctx):
        now = phase
        for _ in range(records):
            taken, beats, missed = [], [], False
            start, wanted = now, 0
            ctx.set(dut.i_start, 1)
            while True:
                turn, last = divmod(now % COUNTER_ROUND, 2)
                shown = {"counter": turn, "value": value_at(now - last, turn), "last": last}
                ctx.set(dut.i_shown, shown)
                has_room = random.random() < room
                ctx.set(dut.i_room, has_room)
                assert ctx.get(dut.o_hold) == missed
                waits = now >= start + 3 and len(taken) < len(Counter)
                takes = waits and last and turn == wanted and has_room
                passed = waits and last and turn == Counter.DRAM_WRITE_BYTES
                missed = waits and wanted <= Counter.DRAM_WRITE_BYTES and not takes and (
                    missed or passed
                )  # fmt: skip
                if takes:
                    taken.append(value_at(now - last, turn))
                    wanted += 1
                if ctx.get(dut.o_push):
                    beats.append(ctx.get(dut.o_data))
                await ctx.tick()
                ctx.set(dut.i_start, 0)
                now += 1
                if not ctx.get(dut.o_busy):
                    break
            record = b"".join(beat.to_bytes(bits // 8, "little") for beat in beats)
            assert record == b"".join(value.to_bytes(8, "little") for value in taken)
            assert len(taken) == len(Counter)

    bench.run(dut, drive, cycles=200_000)


def test_a_clear_forgets_the_record():
    dut = RecordBeats(config_of(4, 4, 4, 32))

    async def drive(ctx):
        ctx.set(dut.i_room, 1)
        for cleared_after in range(1, 2 * COUNTER_ROUND):
            ctx.set(dut.i_start, 1)
            for now in range(cleared_after):
                turn, last = divmod(now % COUNTER_ROUND, 2)
                ctx.set(dut.i_shown, {"counter": turn, "value": MASK, "last": last})
                await ctx.tick()
                ctx.set(dut.i_start, 0)
            ctx.set(dut.i_clear, 1)
            await ctx.tick()
            ctx.set(dut.i_clear, 0)
            assert not ctx.get(dut.o_busy)
            assert not ctx.get(dut.o_push)
            assert not ctx.get(dut.o_hold)

    bench.run(dut, drive, cycles=10_000)

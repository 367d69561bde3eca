"""The testbench helpers themselves."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.sim import bench

stall_lists = st.lists(st.integers(0, 3), max_size=12)


class Queue(wiring.Component):
    """Passes words on in order, four at a time."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = SyncFIFO(width=8, depth=4)
        m.d.comb += [
            self.i.ready.eq(words.w_rdy),
            words.w_en.eq(self.i.valid),
            words.w_data.eq(self.i.payload),
            self.o.valid.eq(words.r_rdy),
            words.r_en.eq(self.o.ready),
            self.o.payload.eq(words.r_data),
        ]
        return m


@settings(max_examples=20)
@given(
    words=st.lists(st.integers(0, 255), max_size=12),
    put_stalls=stall_lists,
    get_stalls=stall_lists,
)
def test_every_word_arrives_once_and_in_order(words, put_stalls, get_stalls):
    dut = Queue()
    got = []

    async def send(ctx):
        await bench.put_all(ctx, dut.i, words, put_stalls)
        assert not ctx.get(dut.i.valid)

    async def receive(ctx):
        got.extend(await bench.get_all(ctx, dut.o, len(words), get_stalls))
        assert not ctx.get(dut.o.ready)

    bench.run(dut, send, receive)
    assert got == words


def test_stalls_are_cycles_before_each_word():
    dut = Queue()
    cycles = []

    async def send(ctx):
        await bench.put_all(ctx, dut.i, [1, 2, 3], [2, 0, 5])

    async def watch(ctx):
        for cycle in range(12):
            if ctx.get(dut.i.valid):
                cycles.append(cycle)
            await ctx.tick()

    bench.run(dut, send, watch)
    assert cycles == [2, 3, 9]


def test_a_lost_word_fails_instead_of_hanging():
    dut = Queue()

    async def receive(ctx):
        while not ctx.get(dut.o.valid):
            await ctx.tick()

    message = r"^still waiting after 50 cycles; is a stream stuck\?$"
    with pytest.raises(AssertionError, match=message):
        bench.run(dut, receive, cycles=50)


@pytest.mark.parametrize("needed", [49, 50, 51])
def test_the_limit_counts_clock_cycles(needed):
    dut = Queue()

    async def wait(ctx):
        for _ in range(needed):
            await ctx.tick()

    if needed <= 50:
        bench.run(dut, wait, cycles=50)
    else:
        with pytest.raises(AssertionError, match=r"^still waiting after 50 cycles"):
            bench.run(dut, wait, cycles=50)


def test_a_failure_in_any_testbench_fails_the_run():
    dut = Queue()

    async def idle(ctx):
        for _ in range(20):
            await ctx.tick()

    async def fail(ctx):
        await ctx.tick()
        raise KeyError("from the testbench")

    with pytest.raises(KeyError, match=r"^'from the testbench'$"):
        bench.run(dut, idle, fail)


def test_waveforms_are_written_where_asked(tmp_path):
    dut = Queue()

    async def send(ctx):
        await bench.put(ctx, dut.i, 0xA5)

    bench.run(dut, send)
    assert not list(tmp_path.iterdir())
    bench.run(dut, send, vcd=tmp_path / "waves.vcd")
    content = (tmp_path / "waves.vcd").read_text()
    assert "payload" in content
    assert "10100101" in content


def test_testbenches_see_what_others_set_in_the_same_cycle():
    m = Module()
    i, o = Signal(4), Signal(4)
    m.d.comb += o.eq(i + 1)
    m.d.sync += Signal().eq(0)
    seen = []

    async def drive(ctx):
        for value in range(3):
            ctx.set(i, value)
            await ctx.tick()

    async def watch(ctx):
        for _ in range(3):
            seen.append(ctx.get(o))
            await ctx.tick()

    bench.run(m, drive, watch)
    assert seen == [1, 2, 3]

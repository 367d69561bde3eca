"""AXI bursts and the link's words in front of a memory, under stalls on every side."""

from random import Random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from stillflow.hw.system.axi_memory import DECERR, OKAY, AxiMemory
from stillflow.hw.system.block_memory import BlockMemory

SIZE = 1024
WORDS = 512  # bytes from here on are the link's


class Bench(wiring.Component):
    def __init__(self, data_bits):
        self.bus = AxiMemory(data_bits=data_bits, size=SIZE)
        self.memory = BlockMemory(data_bits=data_bits, size=SIZE)
        super().__init__({"o_unused": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.bus, m.submodules.memory = self.bus, self.memory
        wiring.connect(m, self.bus.port, self.memory.port)
        return m


async def offer(ctx, random, stream, values):
    """Put values on a stream, with pauses."""
    for payload in values:
        while random.random() < 0.3:
            await ctx.tick()
        for name, value in payload.items():
            ctx.set(stream.p[name], value)
        ctx.set(stream.valid, 1)
        while True:
            _, _, ready = await ctx.tick().sample(stream.ready)
            if ready:
                break
        ctx.set(stream.valid, 0)


async def take(ctx, random, stream, count, names):
    """Take values from a stream, with pauses."""
    taken = []
    while len(taken) < count:
        ctx.set(stream.ready, random.random() < 0.6)
        payload = [stream.p[name] for name in names] or [stream.payload]
        _, _, valid, ready, *values = await ctx.tick().sample(stream.valid, stream.ready, *payload)
        if valid and ready:
            taken.append(tuple(values))
    ctx.set(stream.ready, 0)
    return taken


async def ask(ctx, words, address, value=None):
    ctx.set(words.address, address)
    ctx.set(words.write, value is not None)
    ctx.set(words.write_data, value or 0)
    ctx.set(words.request, 1)
    while True:
        _, _, done, read = await ctx.tick().sample(words.done, words.read_data)
        if done:
            break
    ctx.set(words.request, 0)
    return read


def draw_bursts(random, beat_bytes, count):
    bursts = []
    for _ in range(count):
        beats = random.randint(1, 16)
        if random.random() < 0.15:  # beyond the memory, or across its end
            first = random.choice([SIZE // beat_bytes - beats + 1, SIZE // beat_bytes, 1 << 20])
            bursts.append((first * beat_bytes, beats, True))
        else:
            first = random.randint(0, WORDS // beat_bytes - beats)
            bursts.append((first * beat_bytes, beats, False))
    return bursts


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("data_bits", [32, 64, 128])
def test_bursts_and_words_find_their_bytes(data_bits, seed):
    random = Random(seed)
    beat_bytes = data_bits // 8
    bench = Bench(data_bits)
    bus = bench.bus
    expected = bytearray(SIZE)
    writes, reads = (draw_bursts(random, beat_bytes, 12) for _ in range(2))
    beats, responses = [], []
    for address, count, outside in writes:
        responses.append((DECERR if outside else OKAY,))
        for beat in range(count):
            content, strobe = random.randbytes(beat_bytes), random.getrandbits(beat_bytes)
            beats.append({"data": int.from_bytes(content, "little"), "strobe": strobe})
            for lane in range(beat_bytes):
                if strobe >> lane & 1 and not outside:
                    expected[address + beat * beat_bytes + lane] = content[lane]
    words = {address: random.getrandbits(32) for address in range(WORDS, SIZE, 4)}
    for address, word in words.items():
        expected[address : address + 4] = word.to_bytes(4, "little")

    def addresses(bursts):
        return [{"address": address, "last_beat": count - 1} for address, count, _ in bursts]

    results = {}

    async def initialise(ctx):
        """Memory begins with zeros; the link writes its part meanwhile."""
        for address, word in words.items():
            await ask(ctx, bus.words, address, word)
        results["written"] = True
        for address, word in random.sample(sorted(words.items()), 40):
            assert await ask(ctx, bus.words, address) == word
        results["read back"] = True

    async def write_addresses(ctx):
        await offer(ctx, Random(seed + 1), bus.aw, addresses(writes))

    async def write_data(ctx):
        await offer(ctx, Random(seed + 2), bus.w, beats)

    async def answers(ctx):
        assert await take(ctx, Random(seed + 3), bus.b, len(writes), ()) == responses
        while "written" not in results:
            await ctx.tick()
        results["answered"] = True
        await offer(ctx, Random(seed + 4), bus.ar, addresses(reads))

    async def data(ctx):
        count = sum(beats for _, beats, _ in reads)
        taken = await take(ctx, Random(seed + 5), bus.r, count, ("data", "response", "last"))
        for address, beats, outside in reads:
            for beat in range(beats):
                word, response, last = taken.pop(0)
                assert last == (beat == beats - 1)
                assert response == (DECERR if outside else OKAY)
                if not outside:
                    start = address + beat * beat_bytes
                    assert word.to_bytes(beat_bytes, "little") == expected[start:][:beat_bytes]
        results["taken"] = True

    simulator = Simulator(bench)
    simulator.add_clock(1e-6)
    for process in (initialise, write_addresses, write_data, answers, data):
        simulator.add_testbench(process)
    simulator.run()
    assert {"written", "read back", "answered", "taken"} <= set(results)

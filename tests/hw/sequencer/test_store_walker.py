"""Store runs against a literal walk of the nest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.hw.sequencer.store_walker import StoreWalker
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import NO_SHRINK, descriptor_of, nests, vectors_of


class Ring:
    """The ofmap buffer as the store walker should see it: what is in, what may go."""

    def __init__(self, nest, vectors):
        self.nest, self.vectors = nest, vectors
        self.config = nest.mapping.config
        self.unit_bytes = self.config.channel_block * self.config.act_bytes
        self.written = self.released = 0
        self.unit = 0  # next of the entries behind the released ones

    def has_room(self):
        return self.written < min(len(self.vectors), self.released + self.config.ofmap_depth)

    def check(self, run):
        here = self.vectors[self.released : self.released + run.pixels]
        assert run.pixels >= 1
        assert self.released + run.pixels <= self.written
        assert run.entry == self.released % self.config.ofmap_depth
        assert run.unit == self.unit
        for number, (g, block, pixel) in enumerate(here):
            address = self.nest.ofmap_address(g, block, self.unit, pixel)
            assert run.address + number * self.unit_bytes == address
        units = self.nest.ofmap_units(here[0][1])
        assert run.release == (self.unit == units - 1)
        self.unit += 1
        if run.release:
            self.released += run.pixels
            self.unit = 0
        return run.pixels


def run_layer(nest, random, rounds):
    dut = StoreWalker(nest.mapping.config)
    vectors = vectors_of(nest)
    burst_pixels = nest.mapping.config.max_burst_beats * nest.mapping.config.axi_bytes
    write_rate, take_rate = random.choice([0.2, 1]), random.choice([0.2, 0.8, 1])

    async def one_round(ctx):
        assert ctx.get(dut.o_done)
        ring = Ring(nest, vectors)
        ctx.set(dut.i_ring, nest.mapping.config.ofmap_depth)
        ctx.set(dut.i_begin, 1)
        await ctx.tick()
        ctx.set(dut.i_begin, 0)
        pending = None
        while not ctx.get(dut.o_done):
            writes = ring.has_room() and random.random() < write_rate
            ctx.set(dut.i_ready, writes)
            takes = random.random() < take_rate
            ctx.set(dut.o_run.ready, takes)
            if ctx.get(dut.o_run.valid):
                run = ctx.get(dut.o_run.payload)
                assert pending is None or run == pending
                pending = None if takes else run
                if takes:
                    pixels = ring.check(run)
                    assert pixels * ring.unit_bytes <= max(burst_pixels, ring.unit_bytes)
            await ctx.tick()
            ring.written += writes
        ctx.set(dut.i_ready, 0)
        assert ring.written == ring.released == len(vectors)

    async def drive(ctx):
        set_layer(ctx, dut, descriptor_of(nest))
        for _ in range(rounds):
            await ctx.tick().repeat(random.randint(1, 3))
            await one_round(ctx)

    bench.run(dut, drive, cycles=60_000)


@settings(max_examples=40, phases=NO_SHRINK)
@given(drawn=nests(most_macs=4000), random=st.randoms(use_true_random=True))
def test_runs_are_those_of_a_literal_walk(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=1)


@settings(max_examples=4, phases=NO_SHRINK)
@given(drawn=nests(most_macs=500), random=st.randoms(use_true_random=True))
def test_a_walker_starts_anew_with_each_layer(drawn, random):
    _, nest = drawn
    run_layer(nest, random, rounds=2)

"""Segments of residuals against the vectors that they are joined with."""

from dataclasses import replace
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stillflow.hw.residual import Join, join_depth, runs_of_own
from stillflow.hw.sequencer.residual_walker import ResidualWalker
from stillflow.hw.words import SegmentKind, residual_unit_bit
from stillflow.sim import bench
from tests.hw.layers import set_layer
from tests.hw.sequencer.nests import (
    CONFIGS,
    NO_SHRINK,
    OUTPUT_STATIONARY,
    descriptor_of,
    nests,
    vectors_of,
)

KINDS = CONFIGS + OUTPUT_STATIONARY
OWN = tuple(replace(config, pool_windows=8) for config in KINDS)


class Ring:
    """The residuals as they should come: for each vector in turn, all its channel blocks."""

    def __init__(self, nest):
        self.nest, self.config = nest, nest.mapping.config
        self.vectors = vectors_of(nest)
        self.depth = join_depth(self.config)
        self.taken = self.freed = 0
        self.unit = 0  # next of the vectors behind those that were taken

    def take(self, segment):
        config, nest = self.config, self.nest
        block, lanes = config.channel_block, config.axi_elements
        assert SegmentKind(segment["kind"]) == SegmentKind.RESIDUAL
        elements = (segment["beats"] - 1) * lanes + segment["tail"] + 1 - segment["skip"]
        assert elements % block == 0
        pixels = elements // block
        assert self.taken + pixels - self.freed <= self.depth
        unit_bit = residual_unit_bit(config)
        assert segment["element"] >> unit_bit == self.unit
        first = segment["element"] % (1 << unit_bit)
        for number in range(pixels):
            g, vector_block, pixel = self.vectors[self.taken + number]
            address = nest.ofmap_address(g, vector_block, self.unit, pixel)
            assert segment["address"] + number * block * config.act_bytes == address
            entry = (first + segment["skip"] + number * block) % (self.depth * block)
            assert entry == (self.taken + number) % self.depth * block
        units = nest.ofmap_units(self.vectors[self.taken][1])
        self.unit += 1
        if self.unit == units:
            self.taken, self.unit = self.taken + pixels, 0


def run_layer(nest, random):
    config = nest.mapping.config
    place = replace(nest.place, residual_layout=nest.place.ofmap_layout)
    fields = descriptor_of(replace(nest, place=place)) | {"residual_address": nest.place.ofmap}
    if runs_of_own(config):  # nothing of the ofmap's counts
        fields |= {name: 0 for name in fields if name.startswith(("ofmap_stride", "run"))}
    dut = ResidualWalker(config)
    ring = Ring(nest)
    take_rate, free_rate = random.choice([0.3, 1]), random.choice([0.05, 0.6])
    blocks = []

    async def drive(ctx):
        for join in (Join.NONE, Join.ADD):  # a layer that joins nothing goes before
            set_layer(ctx, dut, fields | {"join": join})
            await ctx.tick()
            ctx.set(dut.i_begin, 1)
            await ctx.tick()
            ctx.set(dut.i_begin, 0)
            await ctx.tick()
        while ring.taken < len(ring.vectors) or not ctx.get(dut.o_done):
            starts = bool(ctx.get(dut.o_done)) and random.random() < 0.5
            ctx.set(dut.i_block, starts)
            takes = random.random() < take_rate
            ctx.set(dut.o_segment.ready, takes)
            if takes and ctx.get(dut.o_segment.valid):
                segment = ctx.get(dut.o_segment.payload)
                word = {key: segment[key] for key in dict(dut.o_segment.payload.shape())}
                ring.take(word)
                if word["group_last"]:
                    blocks.append(ring.taken)
                    assert ring.unit == 0
            frees = ring.freed < ring.taken and random.random() < free_rate
            ctx.set(dut.i_entry_freed, frees)
            await ctx.tick()
            ring.freed += frees
            ctx.set(dut.i_block, 0)

    bench.run(dut, drive, cycles=200_000)
    return blocks, len(ring.vectors)


@settings(max_examples=30, phases=NO_SHRINK)
@given(drawn=nests(most_macs=2500, configs=(*KINDS, *OWN)), seed=st.integers(0, 2**32))
def test_residuals_come_where_their_vectors_will_be(drawn, seed):
    _, nest = drawn
    m = nest.mapping
    assume(m.tile_vectors <= join_depth(m.config))
    blocks, vectors = run_layer(nest, Random(seed))
    assert blocks == sorted(set(blocks))
    assert blocks[-1] == vectors
    assert len(blocks) == m.pixel_tiles * m.blocks * m.work.G

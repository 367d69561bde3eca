"""Which tensors stay on chip."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.graph import read_tensors
from stillflow.compiler.liveness import lifetimes
from stillflow.compiler.on_chip import on_chip_places
from stillflow.compiler.program import CompileError, compile_network
from stillflow.hw.presets import TINY
from tests.networks import draw_network

CHIP = replace(TINY, activation_kib=4)


@given(seed=st.integers(0, 500), kib=st.sampled_from([1, 4, 64]))
def test_what_lives_together_lies_apart_within_the_memory(seed, kib):
    config = replace(TINY, activation_kib=kib)
    network = draw_network(Random(seed), config, layers=5)
    program = compile_network(network, config, contents=False)
    lives = lifetimes(network)
    first, end = config.activation_base, config.activation_base + kib * 1024
    kept = [name for name in program.layouts if name in lives and program.on_chip(name)]
    kept = [name for name in kept if network.tensors[name].part is None]
    assert set(kept) == set(program.copies)
    for name in kept:
        place, size = program.addresses[name], program.layouts[name].bytes
        assert first <= place
        assert place + size <= end
        for other in kept:
            together = lives[name][0] <= lives[other][1] and lives[other][0] <= lives[name][1]
            if name != other and together:
                there, length = program.addresses[other], program.layouts[other].bytes
                assert place + size <= there or there + length <= place


@given(seed=st.integers(0, 500))
def test_the_host_finds_its_tensors_in_dram(seed):
    network = draw_network(Random(seed), CHIP, layers=4)
    program = compile_network(network, CHIP, contents=False, reuse=True)
    made = {layer.ofmap for layer in network.layers}
    for name in {port.tensor for port in (*network.inputs, *network.outputs)}:
        assert not program.on_chip(name)
    for layer in network.layers:
        for name in read_tensors(layer):
            part = network.tensors[name].part
            if name not in made and name not in network.wholes and part is None:
                assert not program.on_chip(name)


def test_those_that_save_most_come_first():
    network = draw_network(Random(11), TINY, layers=6)
    sizes = dict.fromkeys(network.stored, 1000)
    lives = lifetimes(network)
    inner = [n for n in sizes if lives[n][0] >= 0 and lives[n][1] < len(network.layers)]
    places = on_chip_places(network, sizes, capacity=1 << 20, alignment=4)
    assert set(places) <= set(inner)
    assert on_chip_places(network, sizes, capacity=999, alignment=4) == {}
    some = on_chip_places(network, sizes, capacity=1000, alignment=4)
    assert all(offset == 0 for offset in some.values())
    assert bool(some) == bool(places)


def test_dram_ends_where_the_activation_memory_begins():
    config = replace(TINY, activation_kib=1, address_bits=17)
    network = draw_network(Random(5), config, layers=3)
    program = compile_network(network, config, contents=False)
    assert program.size <= config.activation_base
    tight = replace(config, address_bits=16)
    network = draw_network(Random(5), tight, layers=6)
    with pytest.raises(CompileError, match="exceed 15 address bits"):
        compile_network(network, tight, contents=False)


@given(seed=st.integers(0, 300))
def test_copies_lie_like_what_they_copy(seed):
    network = draw_network(Random(seed), CHIP, layers=4)
    program = compile_network(network, CHIP)
    assert len(program.layers) == len(network.layers)
    for name in program.layouts:
        if name not in network.tensors:
            continue
        if program.on_chip(name):
            offset = program.addresses[name] - program.addresses[program.whole(name)]
            assert program.host_address(name) >= offset
            assert program.host_address(name) + program.layouts[name].bytes <= program.size
        else:
            assert program.host_address(name) == program.addresses[name]


def test_without_copies_the_host_cannot_read():
    for seed in range(20):
        network = draw_network(Random(seed), CHIP, layers=4)
        program = compile_network(network, CHIP, reuse=True)
        assert not program.copies
        for name in network.stored:
            if program.on_chip(name):
                with pytest.raises(ValueError, match=f"{name} stays on chip"):
                    program.host_address(name)
                return
    pytest.fail("nothing was ever on chip")

"""Tensors that share places in DRAM."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.liveness import lifetimes, shared_places
from stillflow.compiler.program import ALIGNMENT, compile_network
from stillflow.hw.presets import TINY
from tests.networks import draw_network

lives = st.tuples(st.integers(-1, 9), st.integers(0, 9)).map(sorted).map(tuple)


@given(drawn=st.lists(st.tuples(lives, st.integers(1, 20_000)), min_size=1, max_size=12))
def test_what_lives_together_lies_apart(drawn):
    times = {f"t{i}": life for i, (life, _) in enumerate(drawn)}
    sizes = {f"t{i}": size for i, (_, size) in enumerate(drawn)}
    offsets, total = shared_places(times, sizes, alignment=ALIGNMENT)
    assert set(offsets) == set(sizes)
    for name, offset in offsets.items():
        assert offset % ALIGNMENT == 0
        assert offset + sizes[name] <= total
        for other, place in offsets.items():
            together = times[name][0] <= times[other][1] and times[other][0] <= times[name][1]
            if name != other and together:
                assert offset + sizes[name] <= place or place + sizes[other] <= offset
    whole = sum(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes.values())
    assert total <= whole


def test_a_chain_needs_two_places():
    times = {f"t{i}": (i - 1, i) for i in range(6)}
    offsets, total = shared_places(times, dict.fromkeys(times, ALIGNMENT), alignment=ALIGNMENT)
    assert total == 2 * ALIGNMENT
    assert [offsets[f"t{i}"] for i in range(6)] == [0, ALIGNMENT] * 3


@given(seed=st.integers(0, 500))
def test_inputs_are_there_before_and_outputs_stay_behind(seed):
    network = draw_network(Random(seed), TINY, layers=4)
    times = lifetimes(network)
    assert set(times) == network.stored
    for port in network.inputs:
        assert times[port.tensor][0] == -1
    for port in network.outputs:
        assert times[port.tensor][1] == len(network.layers)
    for index, layer in enumerate(network.layers):
        for name in (layer.ifmap, layer.ofmap):
            assert times[name][0] <= index <= times[name][1]


def test_sharing_makes_a_program_smaller():
    network = draw_network(Random(7), TINY, layers=8)
    apart, shared = (compile_network(network, TINY, reuse=reuse) for reuse in (False, True))
    assert shared.size < apart.size
    assert [layer.mapping for layer in shared.layers] == [layer.mapping for layer in apart.layers]

"""Closed forms of the counters against the RTL's counters."""

import pytest
from hypothesis import given, settings

from stillflow.compiler.cost.counters import predict_counters
from stillflow.hw.csr import Counter
from tests.compiler.cost.devices import counted, draw_program, nests, seeds
from tests.networks import CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=12)
@given(random=seeds)
def test_every_counter_equals_the_hardwares(name, random):
    program = draw_program(random, CONFIGS[name], layers=random.choice([1, 2, 3]))
    layers = nests(program)
    for index, ((mapping, fields), found) in enumerate(zip(layers, counted(program), strict=True)):
        expected = predict_counters(mapping, fields, last=index == len(layers) - 1)
        assert {counter: found[counter] for counter in expected} == expected


@given(random=seeds)
@settings(max_examples=3)
def test_all_counters_but_the_cycles_are_predicted(random):
    ((mapping, fields),) = nests(draw_program(random, CONFIGS["tiny"]))
    assert set(Counter) - set(predict_counters(mapping, fields)) == {Counter.CYCLES}


@given(random=seeds)
@settings(max_examples=10)
def test_only_the_last_layer_has_the_last_record(random):
    ((mapping, fields),) = nests(draw_program(random, CONFIGS["tiny"]))
    last = predict_counters(mapping, fields, last=True)
    other = predict_counters(mapping, fields, last=False)
    differing = {counter: last[counter] - other[counter] for counter in last}
    assert differing.pop(Counter.DRAM_WRITE_BYTES) == 8 * len(Counter)
    assert set(differing.values()) == {0}

"""One row, one column, or both: the same bits, and the counters that the cost model says."""

from dataclasses import replace
from random import Random

import pytest

from stillflow.compiler.program import compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.presets import TINY
from tests.integration.test_narrow import check
from tests.networks import TINY_RS, draw_network, draw_words


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", Dataflow)
@pytest.mark.parametrize(("rows", "cols", "serial"), [(1, 1, False), (1, 4, True), (4, 1, True)])
def test_the_smallest_arrays_are_exact(dataflow, rows, cols, serial, need_simulator):
    need_simulator("verilator")
    config = replace(
        TINY,
        dataflow=dataflow,
        rows=rows,
        cols=cols,
        glb_kib=12,
        requant_serial=serial,
        axi_slices=serial,
        operand_registers=serial,
    )
    for seed in range(4):
        random = Random(seed)
        network = draw_network(random, config, layers=2)
        check(config, network, compile_network(network, config), draw_words(random, network))


@pytest.mark.slow
def test_biases_may_have_more_lines_than_scales(need_simulator):
    need_simulator("verilator")
    config = replace(TINY_RS, rows=2, act_bits=16, weight_bits=16, acc_bits=48)
    assert (config.bias_lines, config.scale_lines) == (2, 1)
    for seed in range(8):
        random = Random(seed)
        network = draw_network(random, config, layers=2)
        check(config, network, compile_network(network, config), draw_words(random, network))

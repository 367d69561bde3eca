"""Operators that end or join layers, from ONNX to the RTL's words and counters."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from onnx import helper

from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network
from stillflow.compiler.program import compile_network
from stillflow.compiler.report import predict_program
from stillflow.hw.csr import Counter
from stillflow.sim.golden.network import run_network
from tests.compiler.frontend.conftest import ModelFiles
from tests.compiler.frontend.test_concat import SAME, inception
from tests.compiler.frontend.test_join import residual_block
from tests.compiler.frontend.test_lrn import normalised
from tests.compiler.frontend.test_pad import padded
from tests.integration.test_layers import assert_exact, device, run, seeds
from tests.networks import CONFIGS, draw_network, draw_words, port

EIGHT_BITS = [name for name, config in CONFIGS.items() if config.act_bits == 8]


def averages(models):
    """Write a pooling whose windows at the edges have fewer pixels."""
    pool = helper.make_node("AveragePool", ["d"], ["r"], "pool", kernel_shape=[3, 3],
                            pads=[1, 1, 1, 1])  # fmt: skip
    return models.between([pool], (2, 5, 6, 7))


MODELS = {
    "averages at edges": averages,
    "padding": lambda models: padded(models, [0, 0, 1, 2, 0, 0, 3, 0], 3.2),
    "negative padding": lambda models: padded(models, [0, 0, -1, 2, 0, 0, 1, -3]),
    "shortcut": residual_block,
    "shared shortcut": lambda models: residual_block(models, shared=True),
    "concat": lambda models: inception(models, scales=[SAME[0]] * 3, zeros=[SAME[1]] * 3),
    "concat of others": inception,
    "concat twice": lambda models: inception(models, shared=True),
    "concat within blocks": lambda models: inception(models, channels=(3, 7, 6)),
    "normalisation": normalised,
    "normalisation of many": lambda models: normalised(models, channels=75),
}


@pytest.mark.parametrize("name", EIGHT_BITS)
@pytest.mark.parametrize("model", MODELS)
def test_operators_are_exact_and_cost_what_was_predicted(tmp_path, model, name):
    config = CONFIGS[name]
    network = load_network(MODELS[model](ModelFiles(tmp_path)))
    program = compile_network(network, config)
    (source,) = network.inputs
    words = np.random.default_rng(1).integers(0, 256, source.shape).astype(np.uint8)
    with device(program) as engine:
        outcome = run(engine, program, {source.tensor: words})
    assert_exact(outcome)
    assert {layer.ofmap for layer in network.layers} <= set(outcome.tensors)
    predicted = predict_program(program, latency=40, bytes_per_cycle=config.axi_bytes)
    for layer, counted, foreseen in zip(
        program.layers, outcome.counters or (), predicted, strict=True
    ):
        for counter in Counter:
            assert counted[counter] == foreseen[counter], (layer.layer.name, counter.name)


@pytest.mark.parametrize("name", ["tiny", "odd", "tiny_os"])
@settings(max_examples=10)
@given(random=seeds)
def test_tensors_that_share_places_leave_the_outputs_exact(name, random):
    config = CONFIGS[name]
    network = draw_network(random, config, layers=random.randint(2, 5))
    words = draw_words(random, network)
    inputs = tuple(port(network.tensors[name]) for name in words)
    network = replace(network, inputs=inputs)
    program = compile_network(network, config, reuse=True)
    golden = run_network(network, words)
    with device(program) as engine:
        driver = Driver(engine)
        driver.load(program)
        for tensor, content in words.items():
            driver.write_tensor(program, tensor, content)
        driver.run(program)
        for output in network.outputs:
            found = driver.read_tensor(program, output.tensor)
            np.testing.assert_array_equal(found, golden[output.tensor])

"""Resets and gated clocks: the digits network on Verilog as standard cells get it."""

from dataclasses import replace

import pytest

from stillflow.boards.inputs import random_inputs
from stillflow.boards.multipliers.files import single_multipliers
from stillflow.boards.verilog import CLOCK_GATE, VerilogStyle, emit
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network, quantize
from stillflow.compiler.models import DIGITS
from stillflow.compiler.program import compile_network
from stillflow.hw.presets import TINY
from stillflow.hw.reset import ResetStyle
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.execute import execute

RELEASE = 4  # cycles after an asynchronous reset, before the first access


ODD = {"rows": 5, "cols": 3, "glb_kib": 4, "axi_data_bits": 64}
ONE = {"rows": 1, "cols": 1, "glb_kib": 4}


@pytest.mark.parametrize(
    ("changes", "asynchronous"),
    [
        ({}, False),
        ({}, True),
        (ODD, True),
        (ONE, False),
        ({"dataflow": "os"}, True),
        ({"dataflow": "nlr"}, False),
        ({"dataflow": "rs"}, True),
    ],
    ids=str,
)
def test_gated_clocks_change_no_bit(changes, asynchronous, tmp_path):
    config = replace(TINY, **changes)
    style = VerilogStyle(
        reset=ResetStyle(asynchronous=asynchronous), power_on_values=False, gated_clocks=True
    )
    files = []
    made = single_multipliers(emit(Accelerator(config), style=style), "asic_gated")
    for name, text in made.items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    keeps_weights = config.dataflow == "ws"
    assert any("b_gate" in text for text in made.values()) == keeps_weights
    gates = sum(path.read_text().count(f"  {CLOCK_GATE} ") for path in files)
    assert gates > 100
    network = load_network(DIGITS)
    program = compile_network(network, config)
    network = program.network
    inputs = random_inputs(network, 3)
    words = {
        port.tensor: quantize(port, network.tensors[port.tensor], inputs[port.name])
        for port in network.inputs
    }
    with VerilatorEngine.from_verilog(
        files,
        axi_data_bits=config.axi_data_bits,
        timing=DramTiming(latency=40),
        memory_bytes=1 << 20,
        quick=True,
    ) as engine:
        engine.step(RELEASE)
        driver = Driver(engine)
        driver.load(program)
        outcome = execute(driver, program, words)
    assert [outcome.mismatches(layer.ofmap) for layer in network.layers] == [0] * len(
        network.layers
    )

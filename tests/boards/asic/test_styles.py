"""Resets and gated clocks: the digits network on Verilog as standard cells get it."""

import pytest

from stillflow.boards.run import random_inputs
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


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_gated_clocks_change_no_bit(asynchronous, tmp_path):
    style = VerilogStyle(
        reset=ResetStyle(asynchronous=asynchronous), power_on_values=False, gated_clocks=True
    )
    files = []
    for name, text in emit(Accelerator(TINY), style=style).items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    gates = sum(path.read_text().count(f"  {CLOCK_GATE} ") for path in files)
    assert gates > 100
    network = load_network(DIGITS)
    program = compile_network(network, TINY)
    network = program.network
    inputs = random_inputs(network, 3)
    words = {
        port.tensor: quantize(port, network.tensors[port.tensor], inputs[port.name])
        for port in network.inputs
    }
    with VerilatorEngine.from_verilog(
        files, axi_data_bits=32, timing=DramTiming(latency=40), memory_bytes=1 << 20, quick=True
    ) as engine:
        engine.step(RELEASE)
        driver = Driver(engine)
        driver.load(program)
        outcome = execute(driver, program, words)
    assert [outcome.mismatches(layer.ofmap) for layer in network.layers] == [0] * len(
        network.layers
    )

"""The digits network in four states, on Verilog whose registers have no value before the reset."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillflow.boards.verify import with_random_memories
from stillflow.boards.verilog import emit
from stillflow.boards.yosys import run_yosys
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import dequantize, load_network, quantize
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.compiler.program import compile_network
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.presets import TINY
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.execute import execute
from stillflow.sim.oracle import Oracle

SRAM = "sram_"  # modules that a memory compiler replaces


def without_initial_values(config: AcceleratorConfig, folder: Path) -> list[Path]:
    """Let Yosys strip every initial value; memories start with random words."""
    kept, read = [], []
    for name, text in emit(Accelerator(config)).items():
        path = folder / name
        path.write_text(with_random_memories(text))
        (kept if name.startswith(SRAM) else read).append(path)
    commands = [f"read_verilog {path.name}" for path in read]
    log = run_yosys(
        [*commands, "proc", "select -assert-any w:* a:init %i", "setattr -unset init w:*",
         "select -assert-none w:* a:init %i", "write_verilog -noattr stripped.v"],
        folder,
    )  # fmt: skip
    assert "ERROR" not in log
    return [folder / "stripped.v", *kept]


@pytest.mark.parametrize(
    "dataflow",
    [
        Dataflow.WEIGHT_STATIONARY,
        Dataflow.ROW_STATIONARY,
        pytest.param(Dataflow.OUTPUT_STATIONARY, marks=pytest.mark.nightly),
        pytest.param(Dataflow.NO_LOCAL_REUSE, marks=pytest.mark.nightly),
    ],
)
def test_digits_run_from_reset_alone(need_simulator, tmp_path, dataflow):
    need_simulator("icarus")
    config = replace(TINY, dataflow=dataflow)
    network = load_network(DIGITS)
    program = compile_network(network, config)
    (entry,), (scores,) = network.inputs, network.outputs
    image = load_digits()[0][:1]
    engine = IcarusEngine.from_verilog(
        without_initial_values(config, tmp_path),
        axi_data_bits=config.axi_data_bits, memory_bytes=program.size, cache_dir=tmp_path,
    )  # fmt: skip
    with engine:
        driver = Driver(engine)
        driver.load(program)
        words = quantize(entry, network.tensors[entry.tensor], image)
        outcome = execute(driver, program, {entry.tensor: words})
    assert not any(outcome.mismatches(layer.ofmap) for layer in network.layers)
    given = dequantize(scores, network.tensors[scores.tensor], outcome.tensors[scores.tensor])
    expected = Oracle(DIGITS, network).run_whole({entry.name: image})
    np.testing.assert_array_equal(given, expected[scores.name])

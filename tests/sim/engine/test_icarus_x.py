"""The 4-state engine: X where it does harm is reported, and the accelerator gives none."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillflow.boards.engines import verilog_files
from stillflow.compiler.driver import Driver
from stillflow.compiler.graph import ConvLayer, Network, Port, Tensor, clip_range
from stillflow.compiler.program import Program, compile_network
from stillflow.hw.csr import OFFSETS
from stillflow.hw.layer import ConvShape
from stillflow.hw.presets import TINY
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.base import (
    DramTiming,
    SimulationError,
    Stalls,
)
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.engine.pysim import PysimEngine
from stillflow.sim.execute import execute

RunCopy = Callable[..., int]
LaunchIcarus = Callable[..., IcarusEngine]

BITS = 64
DONE, FAILED = 0b010, 0b110  # STATUS after a job of the copy engine
# What Amaranth writes as a register's value at power-on; an ASIC has none.
_INITIAL_VALUE = re.compile(r"^( *reg (?:signed )?(?:\[\d+:0\] )?\w+) = [^;]+;$", re.MULTILINE)


@pytest.mark.parametrize(
    ("output", "driver", "message"),
    [
        ("irq", "1'bx", "cycle 1: irq is X"),
        ("m_axi_rready", "1'bz", "cycle 1: m_axi_rready is X"),
        ("m_axi_arvalid", "1'bx", "cycle 1: m_axi_arvalid is X"),
        ("m_axi_wvalid", "own ? 1'bx : 1'b0", "cycle 48: m_axi_wvalid is X"),
        ("m_axi_araddr", "own | 4'bxxxx", "cycle 8: m_axi_araddr is X"),
        ("m_axi_awlen", "own ^ 8'bx0000000", "cycle 8: m_axi_awlen is X"),
        ("m_axi_wlast", "own & 1'bx", "cycle 63: m_axi_wlast is X"),
        ("m_axi_wstrb", "own & 8'bx1111111", "cycle 48: m_axi_wstrb is X"),
        ("m_axi_wdata", "{own[63:9], 9'h1x1}", "m_axi_wdata[7:0] in write beat 0 is X"),
        (
            "m_axi_wdata",
            "count < 54 ? own : 64'hx << 60",
            "m_axi_wdata[63:56] in write beat 3 is X",
        ),
        ("s_axil_bresp", "own | 2'b0x", "cycle 2: s_axil_bresp is X"),
    ],
)
def test_an_x_that_leaves_the_core_is_named(
    launch_icarus: LaunchIcarus, run_copy: RunCopy, output: str, driver: str, message: str
) -> None:
    engine = launch_icarus(spoil=(output, driver))
    with pytest.raises(SimulationError, match=rf"^(cycle \d+: )?{re.escape(message)}$"):
        run_copy(engine, 16)


def test_an_x_in_a_register_that_is_read_is_named(launch_icarus: LaunchIcarus) -> None:
    engine = launch_icarus(spoil=("s_axil_rdata", "own | 32'hx"))
    with pytest.raises(SimulationError, match=r"^cycle 2: s_axil_rdata is X$"):
        engine.read_csr(OFFSETS["STATUS"])


def test_an_x_in_a_byte_without_strobe_does_no_harm(
    launch_icarus: LaunchIcarus, run_copy: RunCopy
) -> None:
    engine = launch_icarus(spoil=("m_axi_wdata", "{own[63:8], 8'hxx}"))
    engine.memory[:] = 0xA5
    engine.write_csr(OFFSETS["IRQ_ENABLE"], 1)
    run_copy(engine, 16)
    copied = engine.memory[0x4000:0x4080].reshape(16, 8)
    assert np.all(copied[:, 0] == 0xA5)
    assert np.array_equal(copied[:, 1:], engine.memory[:0x80].reshape(16, 8)[:, 1:])


def test_payloads_without_valid_are_x(launch_icarus: LaunchIcarus, run_copy: RunCopy) -> None:
    engine = launch_icarus(spoil=("m_axi_wdata", "late"))  # before the first beat there was none
    message = r"^cycle 48: m_axi_wdata\[7:0\] in write beat 0 is X$"
    with pytest.raises(SimulationError, match=message):
        run_copy(engine, 16)


def _small_layer() -> tuple[Program, dict[str, Any]]:
    """Compile a convolution with padding and a bias; give the program and random inputs."""
    rng = np.random.default_rng(1)
    shape = ConvShape(C=3, H=4, W=4, M=5, R=3, S=3, pad=(1, 1, 1, 1))
    tensors = {
        "x": Tensor(name="x", shape=(1, 3, 4, 4), dtype="int8", scale=1.0, zero_point=3),
        "y": Tensor(name="y", shape=(1, 5, 4, 4), dtype="int8", scale=1.0, zero_point=-4),
    }
    layer = ConvLayer(
        name="conv", op="conv", shape=shape, ifmap="x", ofmap="y",
        filters=rng.integers(-128, 128, (5, 3, 3, 3)).astype(np.int8),
        bias=rng.integers(-1000, 1000, 5), scale=np.full(5, 0.001, np.float32),
        act_min=clip_range("int8")[0], act_max=clip_range("int8")[1],
    )  # fmt: skip
    ports = [
        (Port(name=name, shape=tensor.shape, dtype="int8", tensor=name),)
        for name, tensor in tensors.items()
    ]
    network = Network(
        name="small", inputs=ports[0], outputs=ports[1], tensors=tensors, layers=(layer,)
    )
    words = rng.integers(-128, 128, (1, 3, 4, 4)).astype(np.int8)
    return compile_network(network, TINY), {"x": words}


def test_the_accelerator_runs_as_in_pysim_without_power_on_values(
    icarus: None, cache_dir: Path, tmp_path: Path
) -> None:
    program, inputs = _small_layer()
    files, stripped = [tmp_path / path.name for path in verilog_files(TINY)], 0
    for source, file in zip(verilog_files(TINY), files, strict=True):
        text, count = _INITIAL_VALUE.subn(r"\1;", source.read_text())
        file.write_text(text)
        stripped += count
    assert stripped > 100
    options: dict[str, Any] = {
        "timing": DramTiming(latency=12, bytes_per_cycle=3),
        "stalls": Stalls(seed=5),
        "memory_bytes": 1 << 16,
    }
    outcomes = []
    for engine in (
        IcarusEngine.from_verilog(
            files, axi_data_bits=TINY.axi_data_bits, cache_dir=cache_dir, **options
        ),
        PysimEngine(Accelerator(TINY), **options),
    ):
        with engine:
            driver = Driver(engine)
            driver.load(program)
            outcome = execute(driver, program, inputs)
            assert outcome.mismatches("y") == 0
            memory = engine.memory.tobytes()
            outcomes.append((engine.cycles, engine.traffic, outcome.counters, memory))
    assert outcomes[0] == outcomes[1]

"""Engines that run the copy engine."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from stillflow.boards.verilog import emit
from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import Engine, EngineUnavailable
from stillflow.sim.engine.icarus import IcarusEngine
from stillflow.sim.engine.icarus_build import find_icarus
from stillflow.sim.engine.pysim import PysimEngine
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.engine.wrapper import ports
from tests.sim.engine.copy_engine import CopyEngine, copy


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def verilog_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Verilog of the copy engine, which stops if software writes WATCHDOG."""

    @cache
    def convert(bits: int) -> Path:
        files = emit(CopyEngine(bits))
        top = files.pop("stillflow.v")
        text = "\n".join([*files.values(), top])
        address = f"s_axil_awaddr == 9'd{OFFSETS['WATCHDOG']}"
        stop = f"  always @(posedge clk) if (s_axil_awvalid && {address}) $fatal;\n"
        head, end, tail = text.rpartition("endmodule")
        path = tmp_path_factory.mktemp("verilog") / "stillflow.v"
        path.write_text(head + stop + end + tail)
        return path

    return convert


@pytest.fixture
def launch(cache_dir: Path, verilog_file: Callable[[int], Path]) -> Iterator[Callable[..., Engine]]:
    """Start engines on the copy engine by ``launch(kind, bits, **options)``."""
    engines: list[Engine] = []

    def start(kind: str, bits: int, **options: Any) -> Engine:
        options = {"memory_bytes": 1 << 16} | options
        if kind == "pysim":
            engines.append(PysimEngine(CopyEngine(bits), **options))
        else:
            engines.append(
                VerilatorEngine.from_verilog(
                    [verilog_file(bits)], axi_data_bits=bits, cache_dir=cache_dir, **options
                )
            )
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def run_copy() -> Callable[..., int]:
    """Run ``copy(engine, beats)``."""
    return copy


@pytest.fixture
def copy_engine() -> type[CopyEngine]:
    """Give the design's class."""
    return CopyEngine


def _spoilt(bits: int, output: str, driver: str) -> str:
    """Write the module around ``core`` that drives one of its outputs.

    The driver is an expression; ``own`` is what the core gives, ``late`` that of a cycle ago, and
    ``count`` counts cycles.
    """
    head, pins, width = ["input clk"], [".clk(clk)"], 0
    for name, is_input, size in ports(bits):
        head.append(f"{'input' if is_input else 'output'} [{size - 1}:0] {name}")
        pins.append(f".{name}({'own' if name == output else name})")
        width = size if name == output else width
    return (
        f"module stillflow({', '.join(head)});\n"
        f"  wire [{width - 1}:0] own;\n"
        f"  reg [{width - 1}:0] late, count = 0;\n"
        f"  always @(posedge clk) {{late, count}} <= {{own, count + 1'd1}};\n"
        f"  assign {output} = {driver};\n"
        f"  core core({', '.join(pins)});\n"
        "endmodule\n"
    )


@pytest.fixture(scope="session")
def icarus() -> None:
    """Skip without Icarus Verilog; fail where CI or STILLFLOW_CI says that it must be there."""
    try:
        find_icarus()
    except EngineUnavailable as error:
        if os.environ.get("CI") or os.environ.get("STILLFLOW_CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def launch_icarus(
    icarus: None, cache_dir: Path, verilog_file: Callable[[int], Path], tmp_path: Path
) -> Any:
    """Start the engine on the copy engine; ``spoil`` puts another driver at an output."""
    engines: list[IcarusEngine] = []

    def run(
        bits: int = 64, *, spoil: tuple[str, str] | None = None, **options: Any
    ) -> IcarusEngine:
        file = verilog_file(bits)
        if spoil is not None:
            text = file.read_text() + _spoilt(bits, *spoil)
            file = tmp_path / "stillflow.v"
            file.write_text(text.replace("module stillflow(", "module core(", 1))
        options = {"memory_bytes": 1 << 16, "axi_data_bits": bits} | options
        engines.append(IcarusEngine.from_verilog([file], cache_dir=cache_dir, **options))
        return engines[-1]

    yield run
    for engine in engines:
        engine.close()

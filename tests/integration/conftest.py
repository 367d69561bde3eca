"""What the whole-accelerator tests share: simulators that must be there, and Verilog."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from stillflow.boards.verify import with_random_memories
from stillflow.boards.verilog import emit
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.top import Accelerator
from stillflow.sim.engine.library import default_cache_dir

# What Amaranth writes as a register's value at power-on; an ASIC has none.
_INITIAL_VALUE = re.compile(r"^( *reg (?:signed )?(?:\[\d+:0\] )?\w+) = [^;]+;$", re.MULTILINE)


def without_power_on_values(text: str) -> str:
    """Let registers start as X and memories with random words."""
    return with_random_memories(_INITIAL_VALUE.sub(r"\1;", text))


@pytest.fixture(scope="session")
def verilog_files(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[AcceleratorConfig, bool], list[Path]]:
    """Write an accelerator's Verilog, with or without power-on values; give the files."""

    @cache
    def write(config: AcceleratorConfig, power_on: bool = True) -> list[Path]:
        folder = tmp_path_factory.mktemp(config.name)
        files = []
        for name, text in emit(Accelerator(config)).items():
            files.append(folder / name)
            files[-1].write_text(text if power_on else without_power_on_values(text))
        return files

    return write


@pytest.fixture(scope="session")
def build_dir() -> Path:
    """Where simulators stay from run to run."""
    return default_cache_dir() / "cocotb"

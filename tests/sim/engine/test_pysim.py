from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.lib import wiring

from stillflow.sim.engine.base import SimulationError
from stillflow.sim.engine.pysim import PysimEngine


def test_narrow_beats_are_reported(
    copy_engine: Callable[..., wiring.Component], run_copy: Callable[..., int]
) -> None:
    engine = PysimEngine(copy_engine(64, narrow=True), memory_bytes=1 << 16)
    message = r"^cycle 8: read burst at 0x00000000 has beats of 4 bytes, not 8$"
    with pytest.raises(SimulationError, match=message):
        run_copy(engine, 1)


def test_registers_that_never_answer_are_reported(
    copy_engine: Callable[..., wiring.Component],
) -> None:
    engine = PysimEngine(copy_engine(32, silent_csr=True), memory_bytes=4096)
    with pytest.raises(
        SimulationError, match=r"^no answer to a register read at 0x00c in 1000 cycles$"
    ):
        engine.read_csr(0x0C)
    with pytest.raises(
        SimulationError, match=r"^no answer to a register write at 0x008 in 1000 cycles$"
    ):
        engine.write_csr(0x08, 1)


def test_fst_needs_the_other_engine(
    copy_engine: Callable[..., wiring.Component], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"^wave must end in \.vcd with this engine, not '.*'$"):
        PysimEngine(copy_engine(32), wave=tmp_path / "run.fst")


def test_it_needs_no_compiler(
    copy_engine: Callable[..., wiring.Component],
    run_copy: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run_copy(PysimEngine(copy_engine(64)), 1) == 81

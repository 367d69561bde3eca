from collections.abc import Callable

import pytest

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import Engine, SimulationError

BITS = 64


def test_a_stop_in_the_verilog_ends_the_call_and_not_the_process(
    launch: Callable[..., Engine], run_copy: Callable[..., int]
) -> None:
    engine = launch("verilator", BITS)
    message = r"^cycle 0: the design stopped the simulation in line \d+ of .*stillflow\.v$"
    with pytest.raises(SimulationError, match=message):
        engine.write_csr(OFFSETS["WATCHDOG"], 1)
    with pytest.raises(SimulationError, match=message):
        engine.step(1)


def test_two_engines_do_not_share_anything(
    launch: Callable[..., Engine], run_copy: Callable[..., int]
) -> None:
    one, other = launch("verilator", BITS), launch("verilator", BITS)
    run_copy(one, 16)
    assert other.cycles == 0
    assert not other.memory.any()
    assert run_copy(other, 16) == 2 * 40 + 31

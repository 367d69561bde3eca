"""Boards from UART bits to classified digits: the cocotb tests of `stillflow.sim.board.tests`."""

from dataclasses import replace

import numpy as np
import pytest

from stillflow.boards.fpga.board import BOARDS
from stillflow.boards.fpga.pads import SYSTEM
from stillflow.boards.verilog import emit
from stillflow.compiler.frontend import load_network, quantize
from stillflow.compiler.models import DIGITS, DIGITS_SEPARABLE, load_digits, load_small_digits
from stillflow.hw.system.sdram_timing import SdramTiming
from stillflow.hw.system.system import System
from stillflow.sim.board.settings import SETTINGS, BoardSettings
from stillflow.sim.board.testbench import TOP, around_system
from stillflow.sim.cocotb_tb.runner import BenchError, run_bench
from stillflow.sim.engine.library import default_cache_dir

BIT_CYCLES = 8  # of the simulated line: the boards' own would only make it longer
TESTS = {
    "digits_are_classified", "link_recovers_from_noise", "link_hears_behind_any_rubbish",
    "repeated_write_is_done_once", "impossible_requests_are_refused",
    "program_outside_the_memory_is_a_read_error", "memory_keeps_what_is_written",
    "memory_that_is_not_ready_is_waited_for",
    "words_of_a_request_that_was_given_up_disturb_nothing",
}  # fmt: skip


def _network(board):
    """Choose a network that the board's memory holds, and its images."""
    if board.name == "tangnano9k":
        return DIGITS_SEPARABLE, load_small_digits
    return DIGITS, load_digits


def run(board, cases, simulator, folder, *, outside=None):
    """Run cases on a board; ``outside``: an SDRAM that differs from the controller's."""
    system = replace(board.system(), bit_cycles=BIT_CYCLES)
    files = emit(System(system), SYSTEM) | around_system(outside or system.memory)
    for name, text in files.items():
        (folder / name).write_text(text)
    model, load = _network(board)
    network = load_network(model)
    images, _ = load()
    (port,) = network.inputs
    words = quantize(port, network.tensors[port.tensor], images[:1])
    np.save(folder / "inputs.npy", words[np.newaxis])
    settings = BoardSettings(
        system=replace(system, memory=outside or system.memory), model=model,
        inputs=folder / "inputs.npy", seed=5, alignment=board.alignment,
    )  # fmt: skip
    return run_bench(
        system.accelerator, sorted(cases), simulator, default_cache_dir() / "cocotb",
        verilog_files=[folder / name for name in files], top=TOP,
        module="stillflow.sim.board.tests", seed=5, run_dir=folder / "run",
        extra={SETTINGS: settings.dump()},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s", "orangecrab", "tangnano9k"])
def test_verilator_passes_every_case(name, need_simulator, tmp_path):
    need_simulator("verilator")
    assert set(run(BOARDS[name], TESTS, "verilator", tmp_path)) == TESTS


@pytest.mark.slow
def test_icarus_passes_the_link_and_the_memory(need_simulator, tmp_path):
    need_simulator("icarus")
    cases = {"repeated_write_is_done_once", "memory_that_is_not_ready_is_waited_for"}
    assert set(run(BOARDS["ulx3s"], cases, "icarus", tmp_path)) == cases


@pytest.mark.slow
@pytest.mark.parametrize("clock", [50e6, 100e6])
def test_faster_sdrams_keep_words(clock, need_simulator, tmp_path):
    need_simulator("verilator")
    cases = {"memory_keeps_what_is_written", "program_outside_the_memory_is_a_read_error"}
    board = BOARDS["ulx3s"].at(clock)
    assert set(run(board, cases, "verilator", tmp_path)) == cases


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"activate_ns": 130}, "rules of the SDRAM were broken, the last of kind 1"),
        ({"cas_latency": 2}, "differ|kind 5|repeated"),
        ({"round_trip_ns": 25}, "bytes differ"),
    ],
)
def test_an_sdram_that_is_another_is_noticed(keys, message, need_simulator, tmp_path):
    need_simulator("verilator")
    board = BOARDS["ulx3s"]
    assert isinstance(board.memory, SdramTiming)
    other = replace(board.memory, **keys)
    with pytest.raises(BenchError, match=message):
        run(board, {"memory_keeps_what_is_written"}, "verilator", tmp_path, outside=other)

"""The accelerator at its AXI ports: the cocotb tests of `tb_top`."""

import re
import shutil
from pathlib import Path

import pytest

from stillflow.hw.presets import TINY
from stillflow.sim.cocotb_tb import faults, layers, registers, tb_top
from stillflow.sim.cocotb_tb.runner import (
    BenchError,
    run_top_bench,
    simulator_environment,
)
from stillflow.sim.engine.base import EngineUnavailable

REGISTERS = (
    "registers_have_their_reset_values",
    "registers_keep_their_bits_and_no_others",
    "offsets_without_a_register_answer_decerr",
    "reset_line_gives_every_register_its_reset_value",
)
LAYERS = (
    "ofmaps_match_the_golden_model",
    "ofmaps_match_under_random_stalls",
    "one_layer_under_stalls",
    "start_while_busy_is_ignored",
    "interrupt_is_a_level_that_the_host_enables_and_clears",
    "job_without_a_record_address_writes_no_records",
)
ERRORS = (
    "read_errors_stop_the_job",
    "write_errors_stop_the_job",
    "flipped_descriptor_bit_is_found",
    "impossible_programs_are_refused",
    "program_outside_the_memory_is_a_read_error",
)
RECOVERY = (
    "silent_memory_wakes_the_watchdog",
    "memory_silent_for_long_is_reported",
    "soft_reset_ends_a_job_anywhere",
    "reset_line_ends_a_job_anywhere",
)


@pytest.mark.slow
@pytest.mark.parametrize("cases", [(*REGISTERS, *LAYERS), ERRORS, RECOVERY])
def test_verilator_passes_every_case(cases, need_simulator, verilog_files, build_dir, tmp_path):
    need_simulator("verilator")
    ran = run_top_bench(
        TINY, cases, "verilator", build_dir, verilog_files=verilog_files(TINY), run_dir=tmp_path
    )
    assert {name.split("/")[0] for name in ran} == set(cases)


# Registers start as X there: only what is reset may matter.
@pytest.mark.parametrize(
    "cases",
    [
        (*REGISTERS, "one_layer_under_stalls"),
        ("ofmaps_match_the_golden_model", "flipped_descriptor_bit_is_found"),
    ],
)
def test_icarus_passes_without_power_on_values(
    cases, need_simulator, verilog_files, build_dir, tmp_path
):
    need_simulator("icarus")
    files = verilog_files(TINY, False)
    ran = run_top_bench(TINY, cases, "icarus", build_dir, verilog_files=files, run_dir=tmp_path)
    assert {name.split("/")[0] for name in ran} == set(cases)


def test_power_on_values_are_gone(verilog_files):
    with_values = "".join(path.read_text() for path in verilog_files(TINY))
    without = "".join(path.read_text() for path in verilog_files(TINY, False))
    assert re.search(r"^ *reg .*=", with_values, re.MULTILINE)
    assert not re.search(r"^ *reg .*=", without, re.MULTILINE)
    assert re.findall(r"^ *initial (.*)", without, re.MULTILINE)  # of memories, nothing else
    assert all("words[place] =" in line for line in re.findall(r"^ *initial (.*)", without, re.M))


def test_every_cocotb_test_is_loaded_and_run():
    written = {
        name
        for module in (registers, layers, faults)
        for name, value in vars(module).items()
        if type(value).__module__.startswith("cocotb.") and not isinstance(value, type)
    }
    assert written == set(tb_top.__all__) == {*REGISTERS, *LAYERS, *ERRORS, *RECOVERY}

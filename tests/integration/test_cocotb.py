"""The accelerator at its AXI ports: the cocotb tests of `tb_top`."""

import re
import shutil

import pytest

from stillflow.hw.presets import TINY
from stillflow.sim.cocotb_tb import faults, layers, registers, tb_top
from stillflow.sim.cocotb_tb.runner import BenchError, run_top_bench, simulator_environment
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
    "ofmaps_match_in_any_rhythm",
    "one_layer_under_stalls",
    "start_while_busy_is_ignored",
    "interrupt_is_a_level_that_the_host_enables_and_clears",
    "job_without_a_record_address_writes_no_records",
)
ERRORS = (
    "read_errors_stop_the_job",
    "write_errors_stop_the_job",
    "flipped_descriptor_bit_is_found",
    "impossible_fields_are_found",
    "impossible_programs_are_refused",
    "program_outside_the_memory_is_a_read_error",
)
RECOVERY = (
    "silent_memory_wakes_the_watchdog",
    "memory_silent_for_long_is_reported",
    "soft_reset_ends_a_job_anywhere",
    "soft_reset_leaves_waiting_write_data_alone",
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


@pytest.mark.parametrize(
    ("port", "width", "wrong", "message"),
    [
        ("m_axi_wlast", 1, "~core", r"wlast is 1 in beat 1 of \d+"),
        ("m_axi_araddr", 32, "core + 32'd64", r"DESCRIPTOR at"),
        ("m_axi_araddr", 32, "core | 32'hff0", r"m_axi_ar burst at .* crosses 4 KiB"),
        ("m_axi_wdata", 32, "core ^ m_axi_wready", r"m_axi_wvalid or its payload changed"),
        ("m_axi_wdata", 32, "core ^ 32'd1", r"\d+ of \d+ words of t1"),
        ("m_axi_wstrb", 4, "core & 4'd5", r"strobes of a burst leave a gap"),
        (
            "m_axi_wvalid",
            1,
            "core & (m_axi_wready | ~m_axi_rvalid)",
            r"m_axi_wvalid or its payload changed",
        ),
        ("s_axil_rdata", 32, "core ^ {31'd0, ~s_axil_rready}", r"s_axil_rvalid or its"),
        ("s_axil_rvalid", 1, "core & ~irq", r"SimTimeoutError"),
    ],
)
def test_planted_bug_is_found(port, width, wrong, message, need_simulator, verilog_files, tmp_path):
    need_simulator("icarus")
    files = []
    for source in verilog_files(TINY):
        text = source.read_text()
        if source.name == "stillflow.v":
            head, body = text.split(");\n", 1)
            body, planted = re.subn(rf"\b(?<!\.){port}\b", "core", body)
            assert planted
            body = body.replace("endmodule", f"  assign {port} = {wrong};\nendmodule")
            text = f"{head});\n  wire [{width - 1}:0] core;\n{body}"
        files.append(tmp_path / source.name)
        files[-1].write_text(text)
    with pytest.raises(BenchError, match=message):
        run_top_bench(
            TINY,
            ("one_layer_under_stalls",),
            "icarus",
            tmp_path / "build",
            verilog_files=files,
            run_dir=tmp_path / "run",
        )


def test_run_without_a_matching_test_is_an_error(
    need_simulator, verilog_files, build_dir, tmp_path
):
    need_simulator("icarus")
    with pytest.raises(BenchError, match=r"^no test ran\n"):
        run_top_bench(
            TINY,
            ("no_such_test",),
            "icarus",
            build_dir,
            verilog_files=verilog_files(TINY),
            run_dir=tmp_path,
        )


@pytest.mark.parametrize(
    ("simulator", "message"),
    [
        ("icarus", r"^the icarus testbench needs iverilog and vvp$"),
        ("verilator", r"^the verilator testbench needs make and perl$"),
    ],
)
def test_missing_tool_is_named(simulator, message, need_simulator, monkeypatch, tmp_path):
    need_simulator("verilator")
    compiler = shutil.which("g++")
    assert compiler is not None
    (tmp_path / "g++").symlink_to(compiler)  # the compiler is there, nothing else
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match=message):
        simulator_environment(simulator)


def test_unknown_simulator_is_refused():
    with pytest.raises(
        ValueError, match=r"^simulator must be one of verilator, icarus, not 'spice'$"
    ):
        simulator_environment("spice")


@pytest.mark.parametrize("variable", ["CI", "STILLFLOW_CI", None])
def test_missing_simulator_skips_and_fails_in_ci(variable, need_simulator, monkeypatch, tmp_path):
    for name in ("CI", "STILLFLOW_CI"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = pytest.fail.Exception if variable else pytest.skip.Exception
    with pytest.raises(outcome, match=r"^the icarus testbench needs iverilog and vvp$"):
        need_simulator("icarus")

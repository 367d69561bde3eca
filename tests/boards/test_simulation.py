import io
from inspect import signature

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from stillflow.boards import bench, run
from stillflow.boards.simulation import (
    dram_timing,
    layer_progress,
    layer_table,
    progress_line,
    simulation_options,
    wide_console,
)
from stillflow.compiler.frontend import load_network
from stillflow.compiler.models import DIGITS
from stillflow.compiler.objective import CYCLES
from stillflow.compiler.program import compile_network
from stillflow.compiler.report import predict_program
from stillflow.hw.csr import Counter
from stillflow.hw.presets import EDGE8, TINY
from stillflow.sim.engine.settings import DramTiming

ENTRY = {
    "name": "conv1", "op": "conv", "macs": 1234567, "cycles": 4321, "utilization": 0.1234,
    "roofline_efficiency": 0.9876, "dram_read_bytes": 1000, "dram_write_bytes": 22222,
    "energy": 3.14e7, "mismatches": 5,
}  # fmt: skip


def printed(report):
    out = io.StringIO()
    Console(file=out, width=120).print(layer_table(report))
    return out.getvalue().splitlines()


def test_the_table_has_a_line_for_each_layer_and_the_total():
    report = {
        "workload": "lenet5", "engine": "verilator", "config": TINY.keys(),
        "layers": [ENTRY, ENTRY | {"name": "pool1", "op": "maxpool", "mismatches": None}],
        "total": ENTRY | {"macs": 2469134},
    }  # fmt: skip
    lines = [line.split() for line in printed(report) if line.strip()]
    assert " ".join(lines[0]) == "lenet5 on tiny, verilator"
    figures = ["4,321", "12.3", "98.8", "1,000", "22,222", "3.14e+07"]
    assert ["conv1", "conv", "1,234,567", *figures, "5"] in lines
    assert ["pool1", "maxpool", "1,234,567", *figures, "-"] in lines
    assert lines[-1] == ["total", "2,469,134", *figures, "5"]


def test_the_memory_is_as_wide_as_the_port_unless_told():
    assert dram_timing(40, None, TINY) == DramTiming(latency=40, bytes_per_cycle=4)
    assert dram_timing(1, None, EDGE8) == DramTiming(latency=1, bytes_per_cycle=8)
    assert dram_timing(9, 3, EDGE8) == DramTiming(latency=9, bytes_per_cycle=3)


def options_of(arguments):
    seen = {}

    @click.command()
    @simulation_options
    def command(**options):
        seen.update(options)

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return seen


def test_options_have_the_defaults_of_the_interface():
    assert options_of([]) == {
        "engine": None, "dram_latency": 40, "dram_bytes_per_cycle": None, "seed": 0, "wave": None,
        "jobs": 1, "objective": CYCLES, "json_path": None,
    }  # fmt: skip


@pytest.mark.parametrize("command", [bench.bench, run.run], ids=["bench", "run"])
def test_commands_take_every_option(command):
    callback = command.callback
    assert set(options_of([])) <= set(signature(callback).parameters)


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_shown_on_a_terminal_only(terminal):
    out = io.StringIO()
    with progress_line(Console(file=out, force_terminal=terminal, width=80)) as say:
        say("compiling conv1")
    assert ("compiling conv1" in out.getvalue()) is terminal
    assert terminal or out.getvalue() == ""


def test_tables_are_wide_where_the_output_is_no_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert wide_console().width == 120


def test_progress_names_the_layer_and_what_is_left():
    program = compile_network(load_network(DIGITS), TINY)
    predicted = predict_program(program, latency=40, bytes_per_cycle=TINY.axi_bytes)
    said = []
    progress = layer_progress(program, DramTiming(), said.append)
    first = predicted[0][Counter.CYCLES]
    total = sum(counters[Counter.CYCLES] for counters in predicted)
    for cycles in (0, first - 1, first, total):
        progress(cycles)
    names = [layer.name for layer in program.network.layers]
    starts = [f"{name} ({number} of {len(names)}), " for number, name in enumerate(names, start=1)]
    assert [line.startswith(starts[i]) for line, i in zip(said, (0, 0, 1, -1), strict=True)] == [
        True
    ] * 4
    assert said[-1].endswith(f"{total:,} of {total:,} cycles, 0 s left")

"""What goes beside the Verilog: constraints, register map, file lists."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import COUNTER_BASE, OFFSETS, REGISTERS, Counter, ErrorCode


def sdc(
    period_ns: float,
    inputs: Iterable[str],
    *,
    clocked: bool = True,
    reset_is_async: bool = False,
) -> str:
    """Write timing constraints: one clock, ports registered in the system around.

    Parameters
    ----------
    period_ns : float
        Clock period, in nanoseconds.
    inputs : Iterable[str]
        Input ports without the clock, the reset first.
    clocked : bool
        Whether there is a port ``clk``; a block without one is between two registers.
    reset_is_async : bool
        Whether the reset comes without regard to the clock.
    """
    share = f"{period_ns * 0.3:g}"
    names = list(inputs)
    ports = " [get_ports clk]" if clocked else ""
    lines = [f"create_clock -name clk -period {period_ns:g}{ports}"]
    if reset_is_async:
        lines.append(f"set_false_path -from [get_ports {names.pop(0)}]")
    lines.append(f"set inputs [get_ports {{{' '.join(names)}}}]")
    lines.append(f"set_input_delay {share} -clock clk $inputs")
    lines.append(f"set_output_delay {share} -clock clk [all_outputs]")
    return "\n".join([*lines, ""])


def filelist(files: Iterable[str]) -> str:
    """Write a file list as simulators take it with ``-f``, relative to its folder."""
    return "".join(f"{name}\n" for name in files)


def fusesoc_core(config: AcceleratorConfig, files: Iterable[str], release: str) -> str:
    """Write a FuseSoC core description (CAPI2).

    Parameters
    ----------
    config : AcceleratorConfig
        Named in the description.
    files : Iterable[str]
        Verilog files.
    release : str
        Version of the core.
    """
    listed = "".join(f"      - {name}\n" for name in files)
    core = f"stillflow:accelerators:stillflow:{release.partition('+')[0]}"
    about = f"DNN accelerator, {config.rows}x{config.cols} PEs, {config.dataflow}"
    return f"""\
CAPI=2:
name: {core}
description: {json.dumps(about)}

filesets:
  rtl:
    files:
{listed}    file_type: verilogSource
  driver:
    files:
      - stillflow.h: {{is_include_file: true}}
      - stillflow_driver.h: {{is_include_file: true}}
      - stillflow_driver.c
    file_type: cSource
  constraints:
    files:
      - stillflow.sdc
    file_type: SDC

targets:
  default: &default
    filesets: [rtl]
    toplevel: stillflow
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
  synth:
    <<: *default
    filesets: [rtl, constraints]
"""


def registers_json() -> str:
    """Write the register map for programs."""
    registers = [
        asdict(register) | {"access": register.access.name.lower()} for register in REGISTERS
    ]
    counters = {counter.name: COUNTER_BASE + 8 * counter for counter in Counter}
    errors = {error.name: int(error) for error in ErrorCode}
    tables = {"registers": registers, "counters": counters, "error_codes": errors}
    return json.dumps(tables, indent=2) + "\n"


def registers_markdown() -> str:
    """Write the register map for people."""
    lines = [
        "# Registers",
        "",
        "32 bits each, on AXI4-Lite. Bits that do not exist read as zero.",
        "",
        "| offset | name | access | bits | reset | |",
        "|---|---|---|---|---|---|",
    ]
    for register in REGISTERS:
        access = register.access.name.lower().replace("_", " ")
        lines.append(
            f"| 0x{register.offset:02X} | {register.name} | {access} | {register.bits} "
            f"| 0x{register.reset:X} | {register.doc} |"
        )
    lines += ["", "## Counters", "", "64 bits each, low word first; read only.", ""]
    lines += ["| offset | name |", "|---|---|"]
    lines += [f"| 0x{COUNTER_BASE + 8 * counter:02X} | {counter.name} |" for counter in Counter]
    lines += ["", f"## Error codes (ERROR_CODE, 0x{OFFSETS['ERROR_CODE']:02X})", ""]
    lines += ["| code | name |", "|---|---|"]
    lines += [f"| {int(error)} | {error.name} |" for error in ErrorCode]
    return "\n".join(lines) + "\n"

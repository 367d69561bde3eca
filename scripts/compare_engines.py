#!/usr/bin/env python3
"""Print build time and speed of the accelerator in Verilator and in CXXRTL.

Usage: compare_engines.py [CONFIG]. Both run AlexNet CONV3 with the same random data beside the same
DRAM: the harness of the fast engine, compiled twice. Both build from nothing; minutes.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyosys

from stillflow.boards.engines import verilog_files
from stillflow.boards.yosys import run_yosys
from stillflow.compiler.driver import Driver
from stillflow.compiler.program import Program, compile_network
from stillflow.compiler.synthetic import synthetic_inputs, synthetic_network
from stillflow.compiler.workload import load_workload
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.csr import Counter
from stillflow.hw.presets import PRESETS
from stillflow.sim import engine as engine_package
from stillflow.sim.engine.library import build
from stillflow.sim.engine.toolchain import find_toolchain, machine_flags
from stillflow.sim.engine.verilator import VerilatorEngine
from stillflow.sim.engine.wrapper import TOP, ports

HARNESS = Path(next(iter(engine_package.__path__)))
RUNTIME = Path(pyosys.__file__).parent / "share/include/backends/cxxrtl/runtime"


def shim(axi_data_bits: int) -> Iterator[str]:
    """Write the class that the harness expects of Verilator around a CXXRTL design.

    The inputs of a cycle do not depend on its outputs. So one evaluation with a rising clock gives
    both, the outputs before the edge and the registers behind it, which the commit then takes over.
    """
    inputs, outputs, members = [], [], []
    for name, is_input, bits in ports(axi_data_bits):
        port = "core.p_" + name.replace("_", "__")
        wide = bits > 64
        kind = "uint8_t" if bits <= 8 else "uint32_t" if bits <= 32 else "uint64_t"
        members.append(f"uint8_t {name}[{bits // 8}] = {{}};" if wide else f"{kind} {name} = 0;")
        if is_input:
            copy = f"memcpy({port}.data, {name}, sizeof {name});"
            inputs.append(copy if wide else f"{port}.set<{kind}>({name});")
        else:
            copy = f"memcpy({name}, now({port}).data, sizeof {name});"
            outputs.append(copy if wide else f"{name} = now({port}).template get<{kind}>();")
    yield '#pragma once\n#include <cstring>\n#include "stillflow.cc"\n'
    yield "template <size_t N> const cxxrtl::value<N>& now(const cxxrtl::value<N>& v) { return v; }"
    yield "template <size_t N> const cxxrtl::value<N>& now(const cxxrtl::wire<N>& w) {"
    yield "    return w.curr;\n}"
    yield "struct VerilatedContext {};"
    yield f"struct V{TOP} {{"
    yield f"    cxxrtl_design::p_{TOP} core;"
    yield "    uint8_t clk = 0, drive = 0;"
    yield from (f"    {member}" for member in members)
    yield f"    explicit V{TOP}(VerilatedContext*) {{}}"
    yield "    void final() {}"
    yield "    void eval() {"
    yield "        if (clk) {\n            core.commit();"
    yield "            core.prev_p_clk.set<bool>(false);\n            return;\n        }"
    yield "        if (drive) {"
    yield from (f"            {line}" for line in inputs)
    yield "        }\n        core.p_clk.set<bool>(true);\n        core.eval();"
    yield from (f"        {line}" for line in outputs)
    yield "    }\n};"


def build_cxxrtl(config: AcceleratorConfig, folder: Path) -> Path:
    """Build the harness around the flattened design; give the library."""
    files = " ".join(map(str, verilog_files(config)))
    # Without `splitnets` there are false loops through wide wires, and several evaluations a cycle.
    commands = [
        f"read_verilog -sv {files}", f"hierarchy -top {TOP}", "proc", "flatten", "opt_clean",
        "splitnets -driver", "write_cxxrtl -g0 -O6 stillflow.cc",
    ]  # fmt: skip
    if "feedback wires" in run_yosys(commands, folder):
        print("CXXRTL needs several evaluations per cycle")
    (folder / f"V{TOP}.h").write_text("\n".join(shim(config.axi_data_bits)) + "\n")
    (folder / "verilated.h").write_text(f'#include "V{TOP}.h"\n')
    library = folder / "cxxrtl.so"
    waves = ["-DVM_TRACE=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0"]
    defines = [*waves, f"-DSF_AXI_BYTES={config.axi_bytes}"]
    flags = ["-std=gnu++17", "-O3", "-fPIC", "-fvisibility=hidden", "-w", "-shared"]
    subprocess.run(
        [find_toolchain().compiler, *flags, *machine_flags(), *defines, "-I", folder, "-isystem",
         RUNTIME, "-iquote", HARNESS, HARNESS / "harness.cpp", "-o", library],
        check=True,
    )  # fmt: skip
    return library


def run(library: Path, program: Program) -> tuple[int, float, bytes]:
    """Run a program: cycles, seconds of processor time, words of the ofmap."""
    config, network = program.config, program.network
    with VerilatorEngine(
        library, axi_data_bits=config.axi_data_bits, memory_bytes=program.size
    ) as device:
        driver = Driver(device)
        driver.load(program)
        for tensor, words in synthetic_inputs(network, seed=0).items():
            driver.write_tensor(program, tensor, words)
        began = time.process_time()
        cycles = driver.run(program).total[Counter.CYCLES]
        seconds = time.process_time() - began
        ofmap = driver.read_tensor(program, network.outputs[0].tensor)
    return cycles, seconds, np.ascontiguousarray(ofmap).tobytes()


def main(name: str = "edge16") -> None:
    """Build and run both; print a table."""
    config = PRESETS[name]
    network = synthetic_network(load_workload("alexnet", layers=["CONV3"]), config, seed=0)
    program = compile_network(network, config)
    results = set()
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{name}, AlexNet CONV3 | build | cycles | processor time | cycles/s of one core")
        for engine in ("Verilator", "CXXRTL"):
            folder = Path(scratch, engine)
            folder.mkdir()
            began = time.monotonic()
            library = (
                build(verilog_files(config), folder, axi_data_bits=config.axi_data_bits)
                if engine == "Verilator"
                else build_cxxrtl(config, folder)
            )
            built = time.monotonic() - began
            cycles, seconds, words = run(library, program)
            results.add((cycles, words))
            print(f"{engine} | {built:.0f} s | {cycles:,} | {seconds:.2f} s | "
                  f"{cycles / seconds / 1000:,.0f} k", flush=True)  # fmt: skip
    if len(results) != 1:
        sys.exit("the engines differ in cycles or words")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Build the accelerator with a simulator and run its cocotb tests."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.runner

from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.cocotb_tb.objects import keep, lend, shared_folder
from stillflow.sim.cocotb_tb.settings import SETTINGS, Settings
from stillflow.sim.engine.base import EngineUnavailable
from stillflow.sim.engine.toolchain import find_toolchain

TOP = "stillflow"
MODULE = "stillflow.sim.cocotb_tb.tb_top"
SIMULATORS = ("verilator", "icarus")
_BUILD_ARGS = {
    # Registers without reset and memories start at random: see the plusarg.
    "verilator": ("-O3", "--x-assign", "unique", "--x-initial", "unique", "--no-timing",
                  "-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-w",
                  "--no-public-flat-rw"),
    "icarus": ("-g2012",),
}  # fmt: skip
# cocotb's runner shows it every signal; the ports are enough, and build in a fraction of the time.
_PORTS = (
    "clk", "rst", "irq", "i_*", "o_*", "s_axil_*", "m_axi_*", "ar_*", "aw_*", "r_*", "w_*", "b_*",
    "sdram_clk", "dq_clk",
)  # fmt: skip


def _shown(top: str) -> str:
    lines = [f'public_flat_rw -module "{top}" -var "{ports}"\n' for ports in _PORTS]
    return "`verilator_config\n" + "".join(lines)


class BenchError(AssertionError):
    """Tests failed, or the simulation did not end; the message says which and why."""


def simulator_environment(simulator: str) -> dict[str, str]:
    """Find a simulator and give the environment variables that it needs.

    Parameters
    ----------
    simulator : str
        ``verilator`` or ``icarus``.

    Raises
    ------
    ValueError
        If it is neither.
    EngineUnavailable
        If the machine lacks it.
    """
    if simulator not in SIMULATORS:
        raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    if simulator == "icarus":
        if not shutil.which("iverilog") or not shutil.which("vvp"):
            raise EngineUnavailable("the icarus testbench needs iverilog and vvp")
        return {}
    tools = find_toolchain()
    folder = Path(tools.verilator).parent
    missing = [name for name in ("make", "perl") if not shutil.which(name)]
    if missing:
        raise EngineUnavailable(f"the verilator testbench needs {' and '.join(missing)}")
    return {
        "VERILATOR_ROOT": str(tools.root),
        "PATH": os.pathsep.join([str(folder), os.environ.get("PATH", "")]),
        # The wheel's makefile lacks what its configure step would have put there.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++17 "
        "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1",
    }


def run_top_bench(
    config: AcceleratorConfig,
    cases: Sequence[str],
    simulator: str,
    build_dir: Path,
    *,
    verilog_files: Sequence[Path],
    seed: int = 1,
    run_dir: Path | None = None,
) -> list[str]:
    """Run cocotb tests of `tb_top` on an accelerator.

    Parameters
    ----------
    config : AcceleratorConfig
        What the Verilog was generated from.
    cases : sequence of str
        Names of test functions; empty for all.
    simulator : str
        ``verilator`` or ``icarus``.
    build_dir : Path
        Where simulators are built, each in a folder of its own; one that is there is used again.
    verilog_files : sequence of Path
        Everything that is needed to elaborate module ``stillflow``.
    seed : int
        Of networks, data and stalls.
    run_dir : Path, optional
        Where logs and results go; by default the build's folder.

    Returns
    -------
    list[str]
        Names of the tests that ran, all of them well.

    Raises
    ------
    BenchError
        If a test failed or none ran.
    EngineUnavailable
        If the machine lacks the simulator, or the build fails.
    """
    return run_bench(
        config, cases, simulator, build_dir, verilog_files=verilog_files, seed=seed,
        run_dir=run_dir, top=TOP, module=MODULE,
    )  # fmt: skip


def run_bench(
    config: AcceleratorConfig,
    cases: Sequence[str],
    simulator: str,
    build_dir: Path,
    *,
    verilog_files: Sequence[Path],
    top: str,
    module: str,
    seed: int = 1,
    run_dir: Path | None = None,
    extra: Mapping[str, str] | None = None,
) -> list[str]:
    """Run the cocotb tests of any ``module`` on any ``top``; otherwise as `run_top_bench`.

    ``extra`` are environment variables for the tests.
    """
    environment = simulator_environment(simulator)
    folder = _build(simulator, build_dir, verilog_files, environment, top)
    results = (run_dir or folder).absolute() / "results.xml"
    log = results.with_name("simulation.log")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    settings = Settings(config=config, seed=seed)
    with _environment(environment):
        runner = cocotb_tools.runner.get_runner(simulator)
        names = "|".join(map(re.escape, cases)) or r"\w+"
        with contextlib.suppress(SystemExit, RuntimeError):  # the results say more
            runner.test(
                test_module=module,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=folder,
                test_dir=results.parent,
                results_xml=str(results),
                test_filter=rf"\.({names})(/.*)?$",
                seed=seed,
                extra_env={SETTINGS: settings.dump(), "COCOTB_LOG_LEVEL": "WARNING"}
                | dict(extra or {}),
                plusargs=(
                    ["+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
                    if simulator == "verilator"
                    else []
                ),
                timescale=("1ns", "1ps"),
                log_file=log,
            )
    return _read_results(results, log)


def _build(
    simulator: str,
    build_dir: Path,
    verilog_files: Sequence[Path],
    environment: Mapping[str, str],
    top: str,
) -> Path:
    """Build the simulator, or find it; give its folder."""
    digest = hashlib.sha256()
    tools = (environment.get("VERILATOR_ROOT", ""), environment.get("MAKEFLAGS", ""))
    if simulator == "verilator":
        tools = (*tools, *find_toolchain().identity, version("cocotb"))
    for part in (simulator, top, _shown(top), *_BUILD_ARGS[simulator], *tools):
        digest.update(part.encode() + b"\0")
    for path in sorted(verilog_files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    folder = build_dir.absolute() / f"{simulator}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    built, log = folder / "built", folder / "build.log"
    with (folder / "lock").open("w") as lock, _environment(environment):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built.exists():
            return folder
        sources = list(verilog_files)
        shared = shared_folder(build_dir.absolute(), [*_BUILD_ARGS[simulator], *tools])
        if simulator == "verilator":
            sources.append(folder / "ports.vlt")
            sources[-1].write_text(_shown(top))
            lend(shared, folder)
        runner = cocotb_tools.runner.get_runner(simulator)
        try:
            runner.build(
                sources=sources,
                hdl_toplevel=top,
                build_dir=folder,
                build_args=_BUILD_ARGS[simulator],
                timescale=("1ns", "1ps"),
                log_file=log,
            )
        except (SystemExit, RuntimeError, subprocess.SubprocessError) as error:
            tail = log.read_text()[-2000:] if log.exists() else str(error)
            raise EngineUnavailable(f"{simulator} cannot build the testbench: {tail}") from error
        if simulator == "verilator":
            keep(folder, shared)
        built.touch()
    return folder


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _read_results(results: Path, log: Path) -> list[str]:
    """Give the names of the tests that passed, or raise."""
    tail = log.read_text()[-4000:] if log.exists() else "no log"
    if not results.exists():
        raise BenchError(f"the simulation gave no results:\n{tail}")
    passed, failed = [], []
    for case in ElementTree.parse(results).iter("testcase"):
        name = case.get("name", "")
        wrong = [*case.iter("failure"), *case.iter("error")]
        if wrong:
            failed.append(f"{name}: {wrong[0].get('type')}: {wrong[0].get('message')}")
        elif not list(case.iter("skipped")):
            passed.append(name)
    if failed or not passed:
        listed = "\n".join(failed) or "no test ran"
        raise BenchError(f"{listed}\nlog: {log}\n{tail}")
    return passed

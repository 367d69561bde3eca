"""``stillflow verify``: the testbenches of blocks and bus, for anybody's configuration."""

import random
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from stillflow.boards.configs import resolve_config, set_option
from stillflow.boards.engines import cache_folder
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import write_json
from stillflow.boards.formal import prove
from stillflow.boards.verilog import emit
from stillflow.boards.version import version
from stillflow.boards.yosys import run_yosys
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.top import Accelerator
from stillflow.sim.cocotb_tb.blocks.catalogue import PREFIX, block_benches
from stillflow.sim.cocotb_tb.runner import MODULE, SIMULATORS, TOP, BenchError, run_bench
from stillflow.sim.formal.catalogue import proofs

BLOCK_TESTS = "stillflow.sim.cocotb_tb.blocks.tests"
#: Tests of the whole accelerator at its AXI ports that any configuration passes.
BUS_CASES = (
    "registers_have_their_reset_values",
    "registers_keep_their_bits_and_no_others",
    "offsets_without_a_register_answer_decerr",
    "ofmaps_match_the_golden_model",
    "ofmaps_match_under_random_stalls",
)


_WORDS = re.compile(r"^  reg \[(\d+):0\] words \[0:(\d+)\];$", re.MULTILINE)


def with_random_memories(text: str) -> str:
    """Let the words of memories start at random, for a 4-state simulator.

    A memory that holds X would be too much: it makes X of a product with a weight of zero, which is
    how the array ignores what lies behind a tile.
    """

    def fill(match: re.Match[str]) -> str:
        high, last = int(match[1]), match[2]
        word = f"{{{high // 32 + 1}{{$random}}}}"
        loop = f"for (place = 0; place <= {last}; place = place + 1) words[place] = {word};"
        return f"{match[0]}\n  integer place;\n  initial {loop}"

    return _WORDS.sub(fill, text)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a bench.

    Parameters
    ----------
    bench, simulator, source : str
        Block, ``bus`` or proof; what ran it; ``verilog``, ``netlist`` or ``formal``.
    failure : str
        Empty if it passed.
    seconds : float
        Build and run.
    """

    bench: str
    simulator: str
    source: str
    failure: str
    seconds: float


def netlist(files: list[Path], top: str, folder: Path) -> list[Path]:
    """Synthesise to generic gates; the netlist has the ports of the Verilog.

    Raises
    ------
    ToolError
        If Yosys fails.
    """
    names = " ".join(f'"{path.absolute()}"' for path in files)
    made = folder / "netlist.v"
    run_yosys(
        [f"read_verilog {names}", f"synth -flatten -top {top}", "opt_clean -purge",
         f'write_verilog -noattr "{made}"'],
        folder,
    )  # fmt: skip
    return [made]


def run_benches(
    config: AcceleratorConfig,
    *,
    simulators: tuple[str, ...],
    seed: int,
    benches: tuple[str, ...],
    with_netlist: bool,
) -> Iterator[Verdict]:
    """Run benches one after the other; see `verify` for the arguments.

    Raises
    ------
    ValueError
        If there is no such bench.
    EngineUnavailable
        If the machine lacks a simulator.
    """
    blocks = block_benches(config)
    known = (*blocks, "bus")
    for name in benches:
        if name not in known:
            raise ValueError(f"bench must be one of {', '.join(known)}, not {name!r}")
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        for name in benches or known:
            top = TOP if name == "bus" else PREFIX + name
            component = Accelerator(config) if name == "bus" else blocks[name].make(config)
            folder = Path(scratch, name)
            folder.mkdir()
            files = []
            for file, text in emit(component, top).items():
                files.append(folder / file)
                files[-1].write_text(with_random_memories(text) if name == "bus" else text)
            sources = {"verilog": files}
            if with_netlist and name != "bus":
                sources["netlist"] = netlist(files, top, folder)
            for source, paths in sources.items():
                for simulator in simulators:
                    yield _run(config, name, simulator, source, paths, top, seed, folder)


def _run(
    config: AcceleratorConfig, name: str, simulator: str, source: str, files: list[Path], top: str,
    seed: int, folder: Path,
) -> Verdict:  # fmt: skip
    began, failure = time.monotonic(), ""
    cases = BUS_CASES if name == "bus" else (block_benches(config)[name].test,)
    try:
        run_bench(
            config, cases, simulator, cache_folder() / "cocotb", verilog_files=files, top=top,
            module=MODULE if name == "bus" else BLOCK_TESTS, seed=seed,
            run_dir=folder / f"{simulator}-{source}",
        )  # fmt: skip
    except BenchError as error:
        failure = str(error).splitlines()[0]
    return Verdict(
        bench=name, simulator=simulator, source=source, failure=failure,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def run_proofs(config: AcceleratorConfig) -> Iterator[Verdict]:
    """Prove the properties of the small blocks by induction.

    Raises
    ------
    ToolError
        If the solver is not there, or a proof cannot be set up.
    """
    for name, make in proofs(config).items():
        proved = prove(make())
        yield Verdict(
            bench=f"{name}: {proved.assertions} assertions", simulator="z3", source="formal",
            failure=proved.failure, seconds=proved.seconds,
        )  # fmt: skip


@click.command()
@click.argument("config")
@set_option
@click.option("--simulator", type=click.Choice([*SIMULATORS, "both"]), default="both",
              show_default=True)  # fmt: skip
@click.option("--bench", "benches", multiple=True, metavar="NAME",
              help="Only this one (repeatable): a block's name, or bus.")  # fmt: skip
@click.option("--netlist", "with_netlist", is_flag=True,
              help="Run the block benches on Yosys' netlists, too.")  # fmt: skip
@click.option("--formal", "with_proofs", is_flag=True,
              help="Prove the properties of the small blocks, too.")  # fmt: skip
@click.option("--seed", type=int, help="Of all that is random; drawn and printed by default.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the verdicts as JSON.")  # fmt: skip
def verify(
    config: str,
    sets: tuple[str, ...],
    simulator: str,
    benches: tuple[str, ...],
    with_netlist: bool,
    with_proofs: bool,
    seed: int | None,
    json_path: Path | None,
) -> None:
    """Run the cocotb testbenches of every block and of the AXI ports on a configuration."""
    resolved = resolve_config(config, sets)
    seed = random.getrandbits(31) if seed is None else seed
    console = Console(stderr=True)
    console.print(f"seed {seed}")
    verdicts = []
    table = Table("bench", "source", "simulator", "result", title=f"{resolved.name}, seed {seed}")
    simulators = SIMULATORS if simulator == "both" else (simulator,)
    with console.status("") as status:
        runs = run_benches(
            resolved, simulators=simulators, seed=seed, benches=benches, with_netlist=with_netlist
        )
        for verdict in chain(runs, run_proofs(resolved) if with_proofs else ()):
            verdicts.append(verdict)
            result = verdict.failure or "pass"
            table.add_row(verdict.bench, verdict.source, verdict.simulator, result)
            status.update(f"{verdict.bench}: {result}")
    Console().print(table)
    report: dict[str, Any] = {
        "stillflow": version(),
        "config": resolved.keys(),
        "seed": seed,
        "benches": [vars(verdict) for verdict in verdicts],
    }
    write_json(json_path, report)
    failed = [verdict for verdict in verdicts if verdict.failure]
    if failed:
        first = failed[0]
        raise CheckFailed(
            f"{len(failed)} of {len(verdicts)} benches fail, the first: {first.bench} with "
            f"{first.simulator}: {first.failure}"
        )

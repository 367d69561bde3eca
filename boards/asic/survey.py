"""All that is found out about an accelerator in standard cells."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stillflow.boards.asic.areas import Area, Part, areas, part_of, parts
from stillflow.boards.asic.gates import open_netlist, read_activity
from stillflow.boards.asic.liberty import Liberty
from stillflow.boards.asic.macros import SramTiming
from stillflow.boards.asic.mapping import Mapped, map_cells
from stillflow.boards.asic.sta import Timing, analyse
from stillflow.boards.errors import CheckFailed
from stillflow.boards.inputs import random_inputs
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network, quantize
from stillflow.compiler.program import compile_network
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.engine.base import DramTiming
from stillflow.sim.execute import execute

SEED = 0
LATENCY = 40


@dataclass(frozen=True, kw_only=True)
class GateRun:
    """A model that ran on the netlist.

    Parameters
    ----------
    cycles : int
        Clock cycles, the register accesses of the driver among them.
    words, mismatches : int
        Of all ofmaps, and how many differ from the golden model.
    activity : Mapping[str, float]
        Changes of a cell's output per cycle, by its path; empty if they were not counted.
    """

    cycles: int
    words: int
    mismatches: int
    activity: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class AsicSurvey:
    """Area, timing and power of a netlist.

    Parameters
    ----------
    mapped : Mapped
        The netlist.
    liberty : Liberty
        Its cells.
    areas : list[Area]
        Block by block.
    parts : Mapping[Part, float]
        NAND2 equivalents by what they are for.
    timing : Timing
        Worst paths; power where a model ran.
    run : GateRun, optional
        The model's run.
    """

    mapped: Mapped
    liberty: Liberty
    areas: list[Area]
    parts: Mapping[Part, float]
    timing: Timing
    run: GateRun | None

    @property
    def power(self) -> dict[Part, float]:
        """Watts of each part in the run, memories not counted; empty if it was not asked for."""
        return self._power(1.0)

    @property
    def idle_power(self) -> dict[Part, float]:
        """The same if no cell's output changed: the clock, and leakage."""
        return self._power(0.0)

    def _power(self, activity: float) -> dict[Part, float]:
        if self.run is None or not self.timing.power:
            return {}
        watts = dict.fromkeys(Part, 0.0)
        for leaf in self.mapped.netlist.leaves():
            path = "/".join(leaf.path)
            if path in self.timing.power:
                power = self.timing.power[path]
                changes = activity * self.run.activity.get(path, 0.0)
                watts[part_of(leaf.modules)] += power.idle + power.change * changes
        return watts

    def check(self) -> None:
        """Check timing, and the bits of the run.

        Raises
        ------
        CheckFailed
            If a path is too slow or too fast, or a word differs.
        """
        if self.run is not None and self.run.mismatches:
            raise CheckFailed(f"{self.run.mismatches} words differ from the golden model")
        for kind, path in (("setup", self.timing.setup), ("hold", self.timing.hold)):
            if path.slack < 0:
                raise CheckFailed(
                    f"{kind} is missed by {-path.slack:.2f} ns from {path.start} to {path.end}"
                )

    def as_json(self) -> dict[str, Any]:
        """Make the report."""
        return {
            "tools": [self.mapped.tool, self.timing.tool],
            "liberty": self.liberty.path.name,
            "blocks": [asdict(area) for area in self.areas],
            "parts": self.parts,
            "timing": {
                "period_ns": self.timing.period,
                "fmax_mhz": self.timing.fmax,
                "setup": asdict(self.timing.setup),
                "hold": asdict(self.timing.hold),
            },
            "run": self.run and {"cycles": self.run.cycles, "words": self.run.words,
                                 "mismatches": self.run.mismatches},
            "power_w": self.power,
            "idle_power_w": self.idle_power,
        }  # fmt: skip


def survey(
    config: AcceleratorConfig,
    files: Mapping[str, str],
    top: str,
    liberty: Liberty,
    *,
    period: float,
    srams: SramTiming,
    model: Path | None,
    with_power: bool,
    tell: Callable[[str], None],
) -> AsicSurvey:
    """Synthesise a design to standard cells, measure it, and run a model on the netlist.

    Parameters
    ----------
    config : AcceleratorConfig
        What the design was made from.
    files : Mapping[str, str]
        File name to Verilog.
    top : str
        Module to synthesise; for a model, the accelerator.
    liberty : Liberty
        The cells.
    period : float
        Clock period, in ns.
    srams : SramTiming
        What is assumed of the memories.
    model : Path, optional
        ONNX model to run on seeded random inputs.
    with_power : bool
        Count how often cells change in the run, and tell their power.
    tell : callable
        Called with what is being done.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    EngineUnavailable
        If there is no Verilator or compiler.
    ValueError
        If the model cannot be compiled.
    """
    with tempfile.TemporaryDirectory(prefix="stillflow-") as scratch:
        folder = Path(scratch)
        tell("synthesis")
        mapped = map_cells(files, top, liberty, folder, period_ns=period)
        run = None
        if model is not None:
            saif = folder / "nets.saif" if with_power else None
            run = run_gates(config, mapped, liberty, model, saif, tell)
        tell("timing")
        timing = analyse(mapped, liberty, folder, period=period, srams=srams, with_power=with_power)
    return AsicSurvey(
        mapped=mapped,
        liberty=liberty,
        areas=areas(mapped.netlist, liberty),
        parts=parts(mapped.netlist, liberty),
        timing=timing,
        run=run,
    )


def run_gates(
    config: AcceleratorConfig,
    mapped: Mapped,
    liberty: Liberty,
    model: Path,
    saif: Path | None,
    tell: Callable[[str], None],
) -> GateRun:
    """Run a model on the netlist of an accelerator; see `survey`."""
    network = load_network(model)
    program = compile_network(network, config)
    network = program.network
    inputs = random_inputs(network, SEED)
    words = {
        port.tensor: quantize(port, network.tensors[port.tensor], inputs[port.name])
        for port in network.inputs
    }
    with open_netlist(
        mapped, liberty, axi_data_bits=config.axi_data_bits, timing=DramTiming(latency=LATENCY),
        memory_bytes=program.size, saif=saif, progress=tell,
    ) as engine:  # fmt: skip
        driver = Driver(engine)
        driver.load(program)
        outcome = execute(
            driver, program, words, progress=lambda cycles: tell(f"netlist: {cycles:,} cycles")
        )
        cycles = engine.cycles
    return GateRun(
        cycles=cycles,
        words=sum(outcome.tensors[layer.ofmap].size for layer in network.layers),
        mismatches=sum(outcome.mismatches(layer.ofmap) for layer in network.layers),
        activity={} if saif is None else read_activity(saif, mapped.netlist),
    )

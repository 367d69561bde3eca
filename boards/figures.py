"""Figures of a comparison: energy, utilisation, roofline. With Matplotlib, if it is there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from stillflow.boards.errors import ToolError
from stillflow.boards.files import write_bytes
from stillflow.compiler.breakdown import LEVELS, Breakdown
from stillflow.compiler.counts import OPERANDS

FORMATS = ("png", "svg")
Reports = Mapping[str, dict[str, Any]]


def write_figures(
    folder: Path, reports: Reports, energies: Mapping[str, Breakdown], *, bytes_per_cycle: int
) -> list[Path]:
    """Write ``energy``, ``utilization`` and ``roofline``, each as PNG and SVG.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    reports : Mapping[str, dict]
        By dataflow, as `stillflow.compiler.report.make_report` gives them.
    energies : Mapping[str, Breakdown]
        Of the reports' totals.
    bytes_per_cycle : int
        Of the DRAM.

    Raises
    ------
    ToolError
        If Matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ToolError("figures need Matplotlib: pip install stillflow[plot]") from error
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    @contextmanager
    def figure(name: str, columns: int = 1) -> Iterator[Any]:
        drawn = Figure(figsize=(5.5 * columns, 4), layout="constrained")
        yield drawn.subplots(1, columns)
        for kind in FORMATS:
            content = BytesIO()
            # The same input gives the same bytes.
            metadata = {"Date": None} if kind == "svg" else None
            drawn.savefig(content, format=kind, metadata=metadata)
            written.append(folder / f"{name}.{kind}")
            write_bytes(written[-1], content.getvalue())

    with mpl.rc_context({"svg.hashsalt": "stillflow", "svg.fonttype": "none"}):
        with figure("energy", 2) as (by_level, by_operand):
            _draw_energy(by_level, by_operand, reports, energies)
        with figure("utilization") as axes:
            _draw_utilization(axes, reports)
        with figure("roofline") as axes:
            _draw_roofline(axes, reports, bytes_per_cycle)
    return written


def _draw_energy(
    by_level: Any, by_operand: Any, reports: Reports, energies: Mapping[str, Breakdown]
) -> None:
    flows = list(energies)
    macs = [max(1, reports[flow]["total"]["macs"]) for flow in flows]
    for axes, names, energy_of in (
        (by_level, LEVELS, Breakdown.level),
        (by_operand, OPERANDS, Breakdown.operand),
    ):
        below = [0.0] * len(flows)
        for name in names:
            heights = [
                energy_of(energies[flow], name) / count
                for flow, count in zip(flows, macs, strict=True)
            ]
            axes.bar(flows, heights, bottom=below, label=name, width=0.6)
            below = [low + high for low, high in zip(below, heights, strict=True)]
        axes.set_ylabel("energy per MAC, in MACs")
        axes.legend()
    by_level.set_title("by level")
    by_operand.set_title("by operand, without the MACs")


def _draw_utilization(axes: Any, reports: Reports) -> None:
    width = 0.8 / len(reports)
    for number, (flow, report) in enumerate(reports.items()):
        layers = [layer for layer in report["layers"] if layer["macs"]]
        places = [place + width * number for place in range(len(layers))]
        axes.bar(places, [layer["utilization"] for layer in layers], width=width, label=flow)
        axes.set_xticks(range(len(layers)), [layer["name"] for layer in layers], rotation=90)
    axes.set_ylabel("utilisation")
    axes.set_ylim(0, 1)
    axes.tick_params(axis="x", labelsize=6)
    axes.legend()


def _draw_roofline(axes: Any, reports: Reports, bytes_per_cycle: int) -> None:
    for flow, report in reports.items():
        layers = [layer for layer in report["layers"] if layer["macs"]]
        moved = [layer["dram_read_bytes"] + layer["dram_write_bytes"] for layer in layers]
        intensities = [layer["macs"] / count for layer, count in zip(layers, moved, strict=True)]
        rates = [layer["macs"] / layer["cycles"] for layer in layers]
        axes.scatter(intensities, rates, s=14, label=flow)
    config = next(iter(reports.values()))["config"]
    pes = config["rows"] * config["cols"]
    knee = pes / bytes_per_cycle
    axes.plot([knee / 64, knee, knee * 64], [pes / 64, pes, pes], color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("MACs per DRAM byte")
    axes.set_ylabel("MACs per cycle")
    axes.legend()

"""A survey of standard cells as tables."""

from rich.console import Console
from rich.table import Table

from stillflow.boards.asic.areas import share_of_rest
from stillflow.boards.asic.survey import AsicSurvey


def show_asic(found: AsicSurvey) -> None:
    """Print a survey: blocks, parts, worst paths, and the model's run."""
    console = Console(highlight=False, soft_wrap=True)
    table = _table("block", "x", "NAND2", "cells", "FF", "SRAM bits")
    for area in found.areas:
        numbers = (area.instances, round(area.gates), area.cells, area.registers, area.sram_bits)
        table.add_row("  " * area.depth + area.name, *map(str, numbers))
    console.print(table)

    total = sum(found.parts.values())
    power, idle = found.power, found.idle_power
    table = _table("part", "NAND2", "area %", *(("mW", "power %", "idle mW") if power else ()))
    for part, gates in found.parts.items():
        row = [f"{gates:.0f}", f"{100 * gates / total:.1f}"]
        if power:
            row += [f"{1000 * power[part]:.2f}", f"{100 * power[part] / sum(power.values()):.1f}"]
            row.append(f"{1000 * idle[part]:.2f}")
        table.add_row(part.value, *row)
    console.print(table)
    console.print(f"neither PE nor requantiser lane: {100 * share_of_rest(found.parts):.1f} %")

    timing = found.timing
    console.print(f"{found.mapped.tool}, {timing.tool}, {found.liberty.path.name}")
    for kind, path in (("setup", timing.setup), ("hold", timing.hold)):
        console.print(
            f"{kind}: slack {path.slack:.2f} ns, {path.gates} cells from {path.start} to {path.end}"
        )
    console.print(f"clock: {timing.period:g} ns asked for, at most {timing.fmax:.1f} MHz")
    if found.run is not None:
        run = found.run
        console.print(
            f"netlist: {run.words:,} words in {run.cycles:,} cycles, {run.mismatches} differ from "
            "the golden model"
        )
    if power:
        console.print(
            f"power in this run: {1000 * sum(power.values()):.1f} mW, memories apart; "
            f"{1000 * sum(idle.values()):.1f} mW if nothing changed but the clock"
        )


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table

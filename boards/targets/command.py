"""``scripts/targets``: prints the table."""

import sys
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stillflow.boards.cli import report_errors
from stillflow.boards.errors import CheckFailed
from stillflow.boards.files import check_folder, write_json
from stillflow.boards.simulation import progress_line, wide_console
from stillflow.boards.targets.figure import Figure
from stillflow.boards.targets.measure import RANDOM_SEED, measure

HEADINGS = ("figure", "unit", "measured", "target", "bound", "met", "for comparison")
NUMERIC = ("measured", "target", "bound")


def cells_of(figure: Figure) -> tuple[str, ...]:
    """Give a figure's line, a cell for each of `HEADINGS`."""
    return (
        figure.subject,
        figure.unit,
        figure.shown(figure.measured),
        f"{'≤' if figure.at_most else '≥'} {figure.shown(figure.target)}",
        figure.shown(figure.bound),
        "yes" if figure.met else "no",
        figure.comparison,
    )


def table_of(figures: list[Figure]) -> Table:
    """Lay out the figures with target and bound beside each."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in NUMERIC else "left")
    for figure in figures:
        table.add_row(*cells_of(figure))
    return table


def markdown_of(figures: list[Figure]) -> str:
    """Lay out the figures as a Markdown table."""
    rules = ["---:" if heading in NUMERIC else "---" for heading in HEADINGS]
    rows = [HEADINGS, rules, *(cells_of(figure) for figure in figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=RANDOM_SEED, show_default=True, type=click.IntRange(0),
              help="Of the random layers.")  # fmt: skip
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option("--strict", is_flag=True, help="Exit with status 1 where a target is missed.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the figures as JSON.")  # fmt: skip
def targets(seed: int, markdown: bool, strict: bool, json_path: Path | None) -> None:
    """Print what stillflow aims at, what it reaches, and what is possible.

    Cycles come from the cost model, which equals the RTL; processor time is this machine's.
    """
    check_folder(json_path)
    with progress_line(Console(stderr=True)) as say:
        figures = list(measure(say, seed=seed))
    if markdown:
        click.echo(markdown_of(figures))
    else:
        wide_console().print(table_of(figures))
    write_json(json_path, {"figures": [figure.as_report() for figure in figures]})
    missed = [figure.subject for figure in figures if not figure.met]
    if strict and missed:
        raise CheckFailed(f"{len(missed)} targets are missed, the first: {missed[0]}")


if __name__ == "__main__":
    sys.exit(report_errors(lambda: targets.main(prog_name="targets", standalone_mode=False)))

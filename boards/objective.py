"""The objective on the command line: what is minimised, and a table of energy costs."""

import tomllib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from stillflow.compiler.counts import EnergyCosts
from stillflow.compiler.objective import MINIMISED, Minimised, Objective


def objective_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--objective`` and ``--energy-costs``; the command gets an `Objective`."""

    @click.option("--objective", "minimise", type=click.Choice(MINIMISED), default="cycles",
                  show_default=True, help="What the mapper minimises.")  # fmt: skip
    @click.option("--energy-costs", type=click.Path(path_type=Path), metavar="FILE.toml",
                  help="Energy of an access to spad, noc, glb and dram, in MACs.")  # fmt: skip
    @wraps(command)
    def with_objective(*, minimise: Minimised, energy_costs: Path | None, **options: Any) -> Any:
        costs = EnergyCosts() if energy_costs is None else read_costs(energy_costs)
        return command(objective=Objective(minimise=minimise, costs=costs), **options)

    return with_objective


def read_costs(path: Path) -> EnergyCosts:
    """Read a table of costs; what it leaves out stays the survey's.

    Raises
    ------
    ValueError
        If the file is no TOML, or a key or value is wrong.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    try:
        return EnergyCosts(**table)
    except TypeError as error:
        known = ", ".join(EnergyCosts.__dataclass_fields__)
        raise ValueError(f"{path}: keys must be among {known}, not {', '.join(table)}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error

"""Configurations by name or file: presets, TOML files, ``--set KEY=VALUE``."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from stillflow.boards.errors import near
from stillflow.boards.files import write_json
from stillflow.boards.version import version
from stillflow.hw.config import CONFIG_KEYS, AcceleratorConfig
from stillflow.hw.presets import PRESETS

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FLAGS = {key.name for key in fields(AcceleratorConfig) if key.type is bool}
_INTEGERS = {key.name for key in fields(AcceleratorConfig) if key.type is int}

json_option = click.option(
    "--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write a report."
)
set_option = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override one key; repeatable."
)


def config_option(command: _Command) -> _Command:
    """Add ``--config CONFIG`` and ``--set KEY=VALUE`` to a command (``config``, ``sets``)."""
    option = click.option(
        "--config", required=True, metavar="CONFIG", help="A preset's name or a TOML file."
    )
    return option(set_option(command))


def resolve_config(name_or_path: str, sets: Iterable[str] = ()) -> AcceleratorConfig:
    """Find a configuration and apply overrides.

    Parameters
    ----------
    name_or_path : str
        A preset's name or a TOML file.
    sets : Iterable[str]
        ``KEY=VALUE`` each; later ones win.

    Raises
    ------
    ValueError
        Naming the file or option and the key, if there is no such configuration or key, or a value
        cannot be.
    OSError
        If the file cannot be read.
    """
    if name_or_path in PRESETS:
        place, values = name_or_path, dict(PRESETS[name_or_path].keys())
    elif "/" in name_or_path or name_or_path.endswith(".toml"):
        place, values = name_or_path, _read_toml(Path(name_or_path))
    else:
        raise ValueError(
            f"CONFIG must be a TOML file or one of {', '.join(PRESETS)}, not {name_or_path!r}"
            + near(name_or_path, PRESETS)
        )
    for item in sets:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set must be KEY=VALUE, not {item!r}")
        _check_keys("--set", [key])
        values[key] = _parse(key, value)
        place = f"{name_or_path} with --set" if "--set" not in place else place
    return _make(place, values)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no TOML, or no UTF-8
        raise ValueError(f"{path}: {error}") from error
    _check_keys(str(path), values)
    return {"name": path.stem} | values


def _parse(key: str, value: str) -> int | str | bool:
    if key in _FLAGS:
        if value not in ("true", "false"):
            raise ValueError(f"--set: {key} must be true or false, not {value!r}")
        return value == "true"
    if key not in _INTEGERS:
        return value
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError(f"--set: {key} must be an integer, not {value!r}") from None


def _check_keys(place: str, keys: Iterable[str]) -> None:
    for key in keys:
        if key not in CONFIG_KEYS:
            raise ValueError(f"{place}: unknown key {key!r}" + near(key, CONFIG_KEYS))


def _make(place: str, values: Mapping[str, Any]) -> AcceleratorConfig:
    for key in fields(AcceleratorConfig):
        if key.default is MISSING and key.name not in values:
            raise ValueError(f"{place}: key {key.name!r} is missing")
    if not isinstance(values.get("name", ""), str):
        raise ValueError(f"{place}: name must be a string, not {values['name']!r}")
    try:
        return AcceleratorConfig(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{place}: {error}") from error


@click.command()
@json_option
def configs(json_path: Path | None) -> None:
    """List the named configurations."""
    columns = ("CONFIG", "PEs", "dataflow", "operands", "psum", "memory", "AXI", "lanes")
    table = Table(*columns, box=None, pad_edge=False)
    for name, config in PRESETS.items():
        table.add_row(
            name,
            f"{config.rows}x{config.cols}",
            config.dataflow,
            f"{config.act_bits}x{config.weight_bits} bit",
            f"{config.acc_bits} bit",
            f"{config.glb_kib} KiB",
            f"{config.axi_data_bits} bit",
            str(config.requant_lanes),
        )
    Console().print(table)
    write_json(
        json_path,
        {
            "stillflow": version(),
            "configs": [config.keys() for config in PRESETS.values()],
        },
    )

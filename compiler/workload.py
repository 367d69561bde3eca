"""Layer tables: the survey's networks, and CSV files of one's own.

The bundled ``workloads/networks.csv`` holds layer tables agreeing with the survey's Table II (Sze,
Chen, Yang, Emer 2017): C and M are totals over the groups, MACs count padding.

Columns are ``layer,type,N,G,C,M,H,W,R,S,stride,pad,dilation``; ``net`` chooses among several
networks in one file; ``E``, ``F`` and ``macs`` are checked against the shape; all others are
ignored. What may be left out, or empty: N and G (1), stride and dilation (1), pad (0), W (as H), S
(as R), M of pooling (as C), and of ``fc`` H (1) and R (as H).
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from stillflow.hw.layer import ConvShape, PoolShape

#: Names of the bundled networks.
WORKLOADS = (
    "lenet5",
    "alexnet",
    "overfeat",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet50",
    "mobilenetv1",
    "mobilenetv2",
)

TYPES = ("conv", "fc", "maxpool", "avgpool")
NETWORKS_CSV = Path(__file__).with_name("workloads") / "networks.csv"
#: Layers of NVDLA's own tests, with the cycles that its Verilog (nv_small) takes in simulation.
NVDLA_SMALL_CSV = NETWORKS_CSV.with_name("nvdla_small.csv")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class WorkloadLayer:
    """One row of a table.

    Parameters
    ----------
    name : str
        The ``layer`` column.
    type : str
        ``conv``, ``fc``, ``maxpool`` or ``avgpool``.
    shape : ConvShape or PoolShape
        Loop bounds.
    """

    name: str
    type: str
    shape: ConvShape | PoolShape


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Layers in the order of their table.

    Parameters
    ----------
    name : str
        The bundled network's name, or the file's without its suffix, with ``:net`` where one was
        chosen.
    entries : tuple[WorkloadLayer, ...]
        At least one.
    """

    name: str
    entries: tuple[WorkloadLayer, ...] = field(default=())


def load_workload(
    name_or_path: str | Path,
    *,
    net: str | None = None,
    layers: Sequence[str] | None = None,
    batch: int | None = None,
) -> Workload:
    """Read a bundled network or a CSV file.

    Parameters
    ----------
    name_or_path : str or Path
        One of `WORKLOADS` (case and hyphens do not matter), else a file.
    net : str, optional
        Value of the ``net`` column; needed where a file holds several. Case and hyphens do not
        matter.
    layers : sequence of str, optional
        Layers to keep, in the order of the table.
    batch : int, optional
        Replaces N.

    Raises
    ------
    ValueError
        If there is no such network, file, or layer, or a table cannot be understood: one line that
        names file, line, column and value.
    """
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch!r}")
    bundled = _plain(str(name_or_path))
    if bundled in WORKLOADS:
        if net is not None and _plain(net) != bundled:
            raise ValueError(f"net must be {bundled} or left out, not {net!r}")
        path, net, name = NETWORKS_CSV, bundled, bundled
    else:
        path = Path(name_or_path)
        name = path.stem if net is None else f"{path.stem}:{net}"
    rows = _chosen_net(path, _read_rows(path, name_or_path), net)
    entries = [row.layer() for row in rows]
    seen: dict[str, _Row] = {}
    for row, entry in zip(rows, entries, strict=True):
        if entry.name in seen:
            raise row.error("layer", f"must differ from line {seen[entry.name].line}'s")
        seen[entry.name] = row
    if layers is not None:
        for layer in layers:
            if layer not in seen:
                known = ", ".join(seen)
                raise ValueError(f"layers of {name} must be among {known}, not {layer!r}")
        entries = [entry for entry in entries if entry.name in layers]
    if not entries:
        raise ValueError(f"{path}: there must be at least one layer")
    if batch is not None:
        entries = [replace(entry, shape=replace(entry.shape, N=batch)) for entry in entries]
    return Workload(name=name, entries=tuple(entries))


@dataclass(frozen=True)
class _Row:
    """Cells of one line by column."""

    path: Path
    line: int
    cells: dict[str, str]

    def error(self, column: str, rule: str) -> ValueError:
        value = self.cells.get(column, "")
        return ValueError(f"{self.path}:{self.line}: {column} {rule}, not {value!r}")

    def parsed(self, column: str, rule: str, parse: Callable[[str], T | None], default: T) -> T:
        text = self.cells.get(column, "")
        if not text:
            return default
        value = parse(text)
        if value is None:
            raise self.error(column, rule)
        return value

    def integer(self, column: str, default: int | None = None) -> int:
        """Read a bound; without default it must be given."""
        value = self.parsed(column, "must be a whole number of at least 1", _integer, default or 0)
        if value < 1:
            raise self.error(column, "must be a whole number of at least 1")
        return value

    def layer(self) -> WorkloadLayer:
        """Read the layer and check what else the line says of it."""
        kind = self.cells.get("type", "").lower()
        if kind not in TYPES:
            raise self.error("type", f"must be one of {', '.join(TYPES)}")
        name = self.cells.get("layer", "")
        if not name:
            raise self.error("layer", "must be given")
        shape = self._pool_shape() if kind.endswith("pool") else self._conv_shape(kind == "fc")
        macs = shape.macs if isinstance(shape, ConvShape) else 0
        for column, expected in (("E", shape.E), ("F", shape.F), ("macs", macs)):
            given = self.parsed(column, "must be a whole number", _integer, expected)
            if given != expected:
                raise self.error(column, f"must be {expected} as the shape says")
        return WorkloadLayer(name=name, type=kind, shape=shape)

    def _window(self) -> dict[str, tuple[int, ...]]:
        rule = "must be a number or two like 2x1, each at least 1"
        pad = "must be a number or four like 1/1/2/0 (top/left/bottom/right)"
        return {
            "stride": self.parsed("stride", rule, _pair, (1, 1)),
            "dilation": self.parsed("dilation", rule, _pair, (1, 1)),
            "pad": self.parsed("pad", pad, _pad, (0, 0, 0, 0)),
        }

    def _conv_shape(self, fully_connected: bool) -> ConvShape:
        H = self.integer("H", 1 if fully_connected else None)
        W = self.integer("W", H)
        R = self.integer("R", H if fully_connected else None)
        S = self.integer("S", W if fully_connected else R)
        window = self._window()
        bounds = {"N": self.integer("N", 1), "G": self.integer("G", 1), "C": self.integer("C"),
                  "M": self.integer("M"), "H": H, "W": W, "R": R, "S": S}  # fmt: skip
        try:
            return ConvShape(**bounds, **window)  # type: ignore[arg-type]
        except ValueError as error:
            raise self._shape_error(error) from error

    def _pool_shape(self) -> PoolShape:
        C, H, R = self.integer("C"), self.integer("H"), self.integer("R")
        window = self._window()
        if window.pop("dilation") != (1, 1):
            raise self.error("dilation", "must be 1 in pooling")
        if self.integer("M", C) != C:
            raise self.error("M", f"must be C ({C}) in pooling")
        try:
            return PoolShape(
                N=self.integer("N", 1), C=C, H=H, W=self.integer("W", H), R=R,
                S=self.integer("S", R), **window,  # type: ignore[arg-type]
            )  # fmt: skip
        except ValueError as error:
            raise self._shape_error(error) from error

    def _shape_error(self, error: ValueError) -> ValueError:
        return ValueError(f"{self.path}:{self.line}: layer {self.cells['layer']!r}: {error}")


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) else None


def _pair(text: str) -> tuple[int, ...] | None:
    parts = _integers(text.split("x"), low=1)
    return parts * 2 if parts and len(parts) == 1 else parts if parts and len(parts) == 2 else None


def _pad(text: str) -> tuple[int, ...] | None:
    parts = _integers(text.split("/"), low=0)
    return parts * 4 if parts and len(parts) == 1 else parts if parts and len(parts) == 4 else None


def _integers(parts: Iterable[str], low: int) -> tuple[int, ...] | None:
    values = [_integer(part.strip()) for part in parts]
    found = tuple(value for value in values if value is not None and value >= low)
    return found if len(found) == len(values) else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "")


def _read_rows(path: Path, given: str | Path) -> list[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        known = ", ".join(WORKLOADS)
        raise ValueError(
            f"workload must be a CSV file or one of {known}, not {str(given)!r}"
        ) from (error)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no UTF-8 text"
        raise ValueError(f"{path}: cannot be read: {reason}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: must be CSV: {error}") from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise ValueError(f"{path}: there must be at least one layer")
    (first, header), *rest = lines
    for column in ("layer", "type", "C"):
        if column not in header:
            raise ValueError(f"{path}:{first}: there must be a column {column}, not only {header}")
    for column in header:
        if column and header.count(column) > 1:
            raise ValueError(f"{path}:{first}: column {column} must stand once, not twice")
    for number, cells in rest:
        if len(cells) != len(header):
            raise ValueError(
                f"{path}:{number}: there must be {len(header)} cells, not {len(cells)}"
            )
    return [_Row(path, number, dict(zip(header, cells, strict=True))) for number, cells in rest]


def _chosen_net(path: Path, rows: list[_Row], net: str | None) -> list[_Row]:
    nets = {_plain(row.cells["net"]): row.cells["net"] for row in rows if "net" in row.cells}
    known = ", ".join(nets.values())
    if net is None:
        if len(nets) > 1:
            raise ValueError(f"{path}: net must be chosen among {known}")
        return rows
    if _plain(net) not in nets:
        if not nets:
            raise ValueError(f"{path}: net must be left out (there is no such column), not {net!r}")
        raise ValueError(f"{path}: net must be among {known}, not {net!r}")
    return [row for row in rows if _plain(row.cells["net"]) == _plain(net)]

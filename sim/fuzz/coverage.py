"""Functional coverage: which kinds of layers were run, and which crosses of them never."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cocotb_coverage import coverage

from stillflow.compiler.graph import ConvLayer, PoolLayer
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.mapping import Mapping

#: Coverpoints and their bins.
BINS = {
    "op": ("conv", "maxpool", "avgpool"),
    "dataflow": tuple(str(flow.value) for flow in Dataflow),
    "stride": ("one", "up to the window", "beyond the window"),
    "padding": ("none", "symmetric", "asymmetric"),
    "group": ("dense", "grouped", "depthwise"),
    "tiles": ("one", "equal", "edge"),
    "stall": ("none", "random"),
}
#: Pooling takes each channel by itself.
_IGNORED = [
    tuple({"op": op, "group": group}.get(point) for point in BINS)
    for op in ("maxpool", "avgpool")
    for group in ("dense", "grouped")
]


@dataclass(frozen=True, kw_only=True)
class Point:
    """Bin of each coverpoint that a layer fell into; fields are the keys of `BINS`, in order."""

    op: str
    dataflow: str
    stride: str
    padding: str
    group: str
    tiles: str
    stall: str


def every_point() -> list[Point]:
    """List the bins of the cross: all that can be."""
    every = product(*BINS.values())
    return [
        Point(**dict(zip(BINS, bins, strict=True)))
        for bins in every
        if not any(_matches(bins, ignored) for ignored in _IGNORED)
    ]


def _matches(bins: tuple[str, ...], ignored: tuple[str | None, ...]) -> bool:
    return all(one in (None, other) for one, other in zip(ignored, bins, strict=True))


def point_of(layer: ConvLayer | PoolLayer, mapping: Mapping, *, stalled: bool) -> Point:
    """Classify a layer that runs with a nest, on a bus that stalls at random or does not."""
    return Point(
        op=layer.op,
        dataflow=str(mapping.config.dataflow.value),
        stride=_stride(layer.shape),
        padding=_padding(layer.shape),
        group=_group(layer.shape),
        tiles=tiles_of(mapping),
        stall="random" if stalled else "none",
    )


def _stride(shape: ConvShape | PoolShape) -> str:
    (down, right), window = shape.stride, (shape.R, shape.S)
    if (down, right) == (1, 1):
        return "one"
    return "beyond the window" if down > window[0] or right > window[1] else "up to the window"


def _padding(shape: ConvShape | PoolShape) -> str:
    if not any(shape.pad):
        return "none"
    top, left, bottom, right = shape.pad
    return "symmetric" if (top, left) == (bottom, right) else "asymmetric"


def _group(shape: ConvShape | PoolShape) -> str:
    if isinstance(shape, PoolShape) or 1 < shape.G == shape.C:
        return "depthwise"
    return "dense" if shape.G == 1 else "grouped"


def tiles_of(mapping: Mapping) -> str:
    """Classify a nest: one tile, equal tiles, or smaller ones at the edge."""
    full = (mapping.pn, mapping.pe, mapping.pf, mapping.mb, mapping.groups)
    last = (*mapping.last_pixels, mapping.mb_last, mapping.groups_last)
    if mapping.pixel_tiles * mapping.m_count * mapping.c_count * mapping.windows == 1:
        return "one"
    return "equal" if full == last else "edge"


def _reader(coverpoint: str) -> Callable[[Point], str]:
    return lambda point: getattr(point, coverpoint)


class Coverage:
    """Counts layers per bin and per cross of all bins, with cocotb-coverage.

    Parameters
    ----------
    section : str
        Name in the coverage database, which the process has once.
    """

    def __init__(self, section: str) -> None:
        names = {point: f"{section}.{point}" for point in BINS}
        points = [
            coverage.CoverPoint(names[point], xf=_reader(point), bins=list(bins))
            for point, bins in BINS.items()
        ]
        self._cross: Any = coverage.CoverCross(
            f"{section}.cross", items=list(names.values()), ign_bins=_IGNORED
        )

        def sampled(point: Point) -> None:
            """Let the decorators count."""

        # The cross counts what its points saw before, so they stand around it.
        count = self._cross(sampled)
        for decorate in points:
            count = decorate(count)
        self.sample: Callable[[Point], None] = count
        self._points = dict(zip(BINS, points, strict=True))

    def hits(self, point: str) -> dict[str, int]:
        """Layers in each bin of a coverpoint."""
        found: Any = self._points[point]
        return dict(found.detailed_coverage)

    @property
    def size(self) -> int:
        """Bins of the cross: all that can be."""
        return self._cross.size

    @property
    def missing(self) -> list[tuple[str, ...]]:
        """Bins of the cross that no layer fell into."""
        return [bins for bins, hits in self._cross.detailed_coverage.items() if not hits]

    @property
    def covered(self) -> int:
        """Bins of the cross that some layer fell into."""
        return self._cross.coverage


def database() -> str:
    """Give all counts of the process as XML, which cocotb-coverage can merge."""
    with TemporaryDirectory(prefix="stillflow-") as scratch:
        path = Path(scratch, "coverage.xml")
        coverage.coverage_db.export_to_xml(str(path))
        return path.read_text()

"""Utilisation that a dataflow's own spatial rule allows: only what does not divide is lost."""

from collections.abc import Iterable
from math import ceil

from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.layer import ConvShape


def spatial_cycles(shape: ConvShape, config: AcceleratorConfig) -> int:
    """Cycles of a layer if every one used as many PEs as the rule places.

    Weight stationary and no local reuse: the flattened C, R, S of a group over the rows, its
    filters over the columns. Output stationary: the flattened N, E, F over the rows, filters over
    the columns. Row stationary: sets of R rows by some ofmap rows, as many as fit beside and above
    each other, each with channels or filters of its own.
    """
    if config.dataflow == Dataflow.ROW_STATIONARY:
        return ceil(shape.macs / (config.pes * _set_share(shape, config)))
    reduction = shape.C // shape.G * shape.R * shape.S
    pixels = shape.N * shape.E * shape.F
    filters = -(-(shape.M // shape.G) // config.cols)
    if config.dataflow == Dataflow.OUTPUT_STATIONARY:
        return shape.G * -(-pixels // config.rows) * filters * reduction
    return shape.G * -(-reduction // config.rows) * filters * pixels


def _set_share(shape: ConvShape, config: AcceleratorConfig) -> float:
    """Share of the PEs that PE sets use on average."""
    folded = shape.C // shape.G, shape.M // shape.G

    def kept(total: int, parts: int) -> float:
        """Share that is left where so many parts take a total in turn."""
        return total / (parts * -(-total // parts))

    def best(parts: int) -> float:
        return max(kept(total, parts) for total in folded)

    high = config.rows // shape.R
    rows = high * shape.R / config.rows * best(high) if high else kept(shape.R, config.rows)
    columns = 0.0
    for width in range(1, min(config.cols, shape.E) + 1):
        wide = config.cols // width
        used = wide * width / config.cols
        columns = max(columns, used * kept(shape.E, width) * best(wide))
    return rows * columns


def spatial_utilisation(shapes: Iterable[ConvShape], config: AcceleratorConfig) -> float:
    """MACs of layers over the PEs in all their `spatial_cycles`."""
    layers = tuple(shapes)
    cycles = sum(spatial_cycles(shape, config) for shape in layers)
    return sum(shape.macs for shape in layers) / (cycles * config.pes)

"""Utilisation that a dataflow's own spatial rule allows: only what does not divide is lost."""

from collections.abc import Iterable

from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.layer import ConvShape


def spatial_cycles(shape: ConvShape, config: AcceleratorConfig) -> int:
    """Cycles of a layer if every one used as many PEs as the rule places.

    Weight stationary and no local reuse: the flattened C, R, S of a group over the rows, its
    filters over the columns. Output stationary: the flattened N, E, F over the rows, filters over
    the columns.

    Raises
    ------
    ValueError
        If the dataflow has no such rule here.
    """
    reduction = shape.C // shape.G * shape.R * shape.S
    pixels = shape.N * shape.E * shape.F
    filters = -(-(shape.M // shape.G) // config.cols)
    if config.dataflow == Dataflow.OUTPUT_STATIONARY:
        return shape.G * -(-pixels // config.rows) * filters * reduction
    if config.dataflow in (Dataflow.WEIGHT_STATIONARY, Dataflow.NO_LOCAL_REUSE):
        return shape.G * -(-reduction // config.rows) * filters * pixels
    raise ValueError(f"there is no spatial rule for dataflow {config.dataflow}")


def spatial_utilisation(shapes: Iterable[ConvShape], config: AcceleratorConfig) -> float:
    """MACs of layers over the PEs in all their `spatial_cycles`."""
    layers = tuple(shapes)
    cycles = sum(spatial_cycles(shape, config) for shape in layers)
    return sum(shape.macs for shape in layers) / (cycles * config.pes)

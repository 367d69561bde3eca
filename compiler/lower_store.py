"""The store side of a descriptor: runs of the ofmap in DRAM, and of what it is joined with."""

from stillflow.compiler.placement import Placement
from stillflow.compiler.work import Plan
from stillflow.hw.descriptor import FIELDS
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import runs_of_own
from stillflow.hw.tensor import TensorLayout


def _store_strips(mapping: Mapping, plan: Plan, place: Placement) -> dict[str, int]:
    """Row stationary: a run is a row of one filter's strip, its units are the strip's rows."""
    m, w, layout = mapping, mapping.work, place.ofmap_layout
    row_bytes = layout.image_bytes if plan.image_rows else layout.row_bytes
    plane = layout.plane_bytes
    filters, f_last = m.block_filters, m.last_pixels[2]
    image = plane if plan.pool else layout.image_bytes
    return {
        "ofmap_address": place.ofmap,
        "ofmap_stride_g": layout.image_bytes if plan.image_groups else w.M * plane,
        "ofmap_stride_m": m.mb * filters * plane,
        "ofmap_stride_nt": image,
        "ofmap_stride_et": m.pe * row_bytes,
        "ofmap_stride_ft": m.pf * layout.element_bytes,
        "ofmap_stride_mb": filters * plane,
        "ofmap_stride_n": m.strip_rows * row_bytes,
        "ofmap_stride_run": plane,
        "ofmap_stride_unit": row_bytes,
        "runs": filters,
        "runs_last": w.M - (m.blocks - 1) * filters,
        "run_pixels": m.pf,
        "run_pixels_e": m.pf,
        "run_pixels_f": f_last,
        "run_pixels_ef": f_last,
        "units": m.strip_rows,
        "units_last": m.last_strip_rows,
    }


def store_fields(mapping: Mapping, plan: Plan, place: Placement) -> dict[str, int]:
    """Fields of the ofmap's way out."""
    if mapping.pe_set:
        return _store_strips(mapping, plan, place)
    m, w = mapping, mapping.work
    config = m.config
    units = -(-w.M // config.channel_block)
    strides, runs = _runs(
        m, plan, place.ofmap_layout, tile=m.tile_windows, step=m.tile_windows, last=m.last_windows
    )
    return (
        {f"ofmap_stride_{name}": value for name, value in strides.items()}
        | runs
        | {
            "ofmap_address": place.ofmap,
            "units": min(config.block_units, units),
            "units_last": w.last_planes or units - (m.blocks - 1) * config.block_units,
        }
    )


def residual_fields(mapping: Mapping, plan: Plan, place: Placement) -> dict[str, int]:
    """Fields of the residuals' way in, where they are not the ofmap's."""
    m = mapping
    names = [f.name for f in FIELDS if f.name.startswith(("residual_stride_", "residual_run"))]
    if place.residual_layout is None or not runs_of_own(m.config):
        return dict.fromkeys(names, 0)
    rows, columns = m.own_tiles
    strides, runs = _runs(
        m, plan, place.residual_layout, tile=(rows[0], columns[0]), step=m.tile_step,
        last=(rows[-1], columns[-1]),
    )  # fmt: skip
    return {f"residual_stride_{name}": value for name, value in strides.items()} | {
        f"residual_{name}": value for name, value in runs.items()
    }


def _runs(
    m: Mapping, plan: Plan, layout: TensorLayout, *, tile: tuple[int, int], step: tuple[int, int],
    last: tuple[int, int],
) -> tuple[dict[str, int], dict[str, int]]:  # fmt: skip
    """Strides and runs of a tensor of which each tile has some rows and columns.

    ``tile`` and ``last`` are rows and columns of a tile and of the last ones, ``step`` those from
    tile to tile.
    """
    config = m.config
    pixel_bytes = layout.pixel * layout.element_bytes
    (rows, columns), (e_last, f_last) = tile, last
    # Where a plane is one row of the work, that is as long.
    row_bytes = m.work.stored[1] * pixel_bytes if plan.flat else layout.row_bytes
    units = -(-m.work.M // config.channel_block)
    image = layout.plane_bytes if plan.pool else layout.image_bytes
    merged = m.tile_counts[2] == 1 and row_bytes == f_last * pixel_bytes
    run = rows * f_last if merged else columns
    strides = {
        "g": layout.image_bytes if plan.image_groups else units * layout.plane_bytes,
        "m": m.mb * config.block_units * layout.plane_bytes,
        "nt": m.pn * image,
        "et": step[0] * row_bytes,
        "ft": step[1] * pixel_bytes,
        "mb": config.block_units * layout.plane_bytes,
        "n": image,
        "run": row_bytes,
        "unit": layout.plane_bytes,
    }
    return strides, {
        "runs": 1 if merged else rows,
        "runs_last": 1 if merged else e_last,
        "run_pixels": run,
        "run_pixels_e": e_last * f_last if merged else columns,
        "run_pixels_f": run if merged else f_last,
        "run_pixels_ef": e_last * f_last if merged else f_last,
    }

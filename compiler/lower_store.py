"""The store side of a descriptor: runs of the ofmap in DRAM."""

from stillflow.compiler.placement import Placement
from stillflow.compiler.work import Plan
from stillflow.hw.mapping import Mapping


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
    m, w, layout = mapping, mapping.work, place.ofmap_layout
    config = m.config
    pixel_bytes = layout.pixel * layout.element_bytes
    (rows, columns), (e_last, f_last) = m.tile_windows, m.last_windows
    width = w.stored[1]
    row_bytes = width * pixel_bytes if plan.flat else layout.row_bytes
    units = -(-w.M // config.channel_block)
    block_units = config.block_units
    image = layout.plane_bytes if plan.pool else layout.image_bytes
    merged = m.tile_counts[2] == 1 and row_bytes == width * pixel_bytes
    run = rows * width if merged else columns
    return {
        "ofmap_address": place.ofmap,
        "ofmap_stride_g": layout.image_bytes if plan.image_groups else units * layout.plane_bytes,
        "ofmap_stride_m": m.mb * block_units * layout.plane_bytes,
        "ofmap_stride_nt": m.pn * image,
        "ofmap_stride_et": rows * row_bytes,
        "ofmap_stride_ft": columns * pixel_bytes,
        "ofmap_stride_mb": block_units * layout.plane_bytes,
        "ofmap_stride_n": image,
        "ofmap_stride_run": row_bytes,
        "ofmap_stride_unit": layout.plane_bytes,
        "runs": 1 if merged else rows,
        "runs_last": 1 if merged else e_last,
        "run_pixels": run,
        "run_pixels_e": e_last * width if merged else columns,
        "run_pixels_f": run if merged else f_last,
        "run_pixels_ef": e_last * width if merged else f_last,
        "units": min(block_units, units),
        "units_last": w.last_planes or units - (m.blocks - 1) * block_units,
    }

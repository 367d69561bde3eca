"""From a mapping to the descriptor that the sequencers read."""

from stillflow.compiler.lower_store import residual_fields, store_fields
from stillflow.compiler.placement import Placement
from stillflow.compiler.work import Plan
from stillflow.hw.descriptor import BYTES, FIELDS, MAGIC, PLACES, WORDS
from stillflow.hw.mapping import Mapping


def lower(mapping: Mapping, plan: Plan, place: Placement) -> dict[str, int]:
    """Fields of the descriptor of a mapping.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    plan : Plan
        Whose work the mapping maps.
    place : Placement
        Addresses and words.

    Returns
    -------
    dict[str, int]
        A value for each of `stillflow.hw.descriptor.FIELDS` but the checksum.
    """
    fields = {"magic": MAGIC, "op": int(place.op), "pad_value": place.pad_value}
    fields |= place.finish
    fields |= {"zero_point": place.zero_point, "act_min": place.act_min, "act_max": place.act_max}
    return (
        fields
        | _loops(mapping)
        | _load(mapping, plan, place)
        | store_fields(mapping, plan, place)
        | residual_fields(mapping, plan, place)
    )


def _loops(mapping: Mapping) -> dict[str, int]:
    m, w = mapping, mapping.work
    n_count, e_count, f_count = m.tile_counts
    n_last, e_last, f_last = m.last_pixels
    full, last = m.slab_lines
    return (
        {
            "m_outer": int(m.m_outer),
            "filter_resident": int(m.filter_resident),
            "g_count": w.G,
            "m_count": m.m_count,
            "n_count": n_count,
            "e_count": e_count,
            "f_count": f_count,
            "c_count": m.c_count,
            "r_count": m.r_count,
            "s_count": m.s_count,
            "mb_count": m.mb,
            "mb_count_last": m.mb_last,
            "pn": m.pn,
            "pn_last": n_last,
            "pe": m.pe,
            "pe_last": e_last,
            "pf": m.pf,
            "pf_last": f_last,
            "tile_pixels": _step_pixels(m),
            "psum_stride": m.tile_vectors if m.tiled else 0,
            "pixel_groups": m.pixel_groups,
            "pixel_groups_e": m.pixel_groups_of(m.pn, e_last, m.pf),
            "pixel_groups_f": m.pixel_groups_of(m.pn, m.pe, f_last),
            "pixel_groups_ef": m.pixel_groups_of(n_last, e_last, f_last),
            "pixel_groups_n": m.pixel_groups_of(m.pn, e_last, f_last),
            "stride_n": m.image_stride,
            "stride_e": w.stride[0] * m.pitch,
            "stride_f": w.stride[1] * m.pixel,
            "k_elements": m.k_elements,
            "k_planes": m.k_planes,
            "k_planes_last": m.k_planes_last,
            "k_s": m.k_s,
            "k_r": m.k_r,
            "k_groups": m.groups,
            "k_groups_last": m.groups_last,
            "k_stride_plane": (m.pe_set.channels if m.pe_set else 1) * m.plane_stride,
            "k_stride_s": _k_step(m)[1] * m.pixel,
            "k_stride_r": _k_step(m)[0] * m.pitch,
            "k_stride_group": m.k_planes * m.plane_stride,
            "k_break": m.k_break,
            "slab_lines": full,
            "slab_lines_last": last,
        }
        | _fir(mapping)
        | _set(mapping)
        | _pool(mapping)
    )


def _step_pixels(m: Mapping) -> int:
    """Most ofmap vectors that a step or strip brings to the ofmap buffer."""
    if m.pe_set:
        return m.strip_vectors
    if m.fir:
        return m.fir.strip * m.pf
    return min(m.tile_pixels, m.config.rows) if m.psums_stay else m.stored_vectors


def _k_step(m: Mapping) -> tuple[int, int]:
    """Ifmap rows and columns from one iteration of the K walk's r and s loops to the next."""
    if m.fir:
        return m.fir.tap_rows, m.fir.tap_columns
    vertical, horizontal = m.work.dilation
    if m.pe_set:
        return m.pe_set.filter_rows * vertical, m.pe_set.columns * horizontal
    return vertical, horizontal


def _set(m: Mapping) -> dict[str, int]:
    names = [field.name for field in FIELDS if field.name.startswith("set_")]
    if m.pe_set is None:
        return dict.fromkeys([*names, "strips", "strips_last"], 0)
    pe_set, stride = m.pe_set, m.work.stride
    depth_last = pe_set.depth_of(m.k_planes_last)
    strips_last = m.strips_of(m.last_pixels[1])
    return {
        "set_sources": pe_set.sources(stride[0]),
        "set_channels": pe_set.channels,
        "set_rows": pe_set.rows,
        "set_shifts": pe_set.shifts(stride[0]),
        "set_filters": pe_set.filters,
        "set_depth": pe_set.depth_of(m.k_planes),
        "set_depth_last": depth_last,
        "set_channels_last": m.k_planes_last - (depth_last - 1) * pe_set.channels,
        "set_columns": pe_set.columns,
        "set_slide": min(stride[1], pe_set.columns),
        "strips": m.strips_of(m.pe),
        "strips_last": strips_last,
        "set_pes": pe_set.rows * m.strip_rows,
        "set_pes_last": pe_set.rows * m.last_strip_rows,
        "strip_stride": m.strip_rows * stride[0] * m.pitch,
    }


def _fir(m: Mapping) -> dict[str, int]:
    fir, w = m.fir, m.work
    names = ("lead", "run", "gap", "columns")
    taps = (fir.lead, fir.tap_rows, fir.gap, fir.tap_columns) if fir else (0, 0, 0, 0)
    return {f"tap_{name}": value for name, value in zip(names, taps, strict=True)} | {
        "depthwise": int(fir is not None),
        "strip_rows": fir.strip if fir else 0,
        "fir_rows": fir.rows if fir else 0,
        "emit_stride_e": w.stride[0] if fir else 0,
        "emit_stride_f": w.stride[1] if fir else 0,
        "strip_stride": fir.strip * w.stride[0] * m.pitch if fir else 0,
    }


def _pool(m: Mapping) -> dict[str, int]:
    pool = m.work.pool
    rows, columns = (
        pad + own - (count - 1) * step
        for pad, own, count, step in zip(
            pool.pad, pool.own, m.tile_counts[1:], m.tile_step, strict=True
        )
    )
    fields = {
        "pool_r": pool.size[0] - 1,
        "pool_s": pool.size[1] - 1,
        "pool_stride_e": pool.stride[0] - 1,
        "pool_stride_f": pool.stride[1] - 1,
        "pool_top": pool.pad[0],
        "pool_left": pool.pad[1],
        "pool_rows": rows,
        "pool_columns": columns,
    }
    return fields if pool.pools else dict.fromkeys(fields, 0)


def _load(mapping: Mapping, plan: Plan, place: Placement) -> dict[str, int]:
    m, w, layout = mapping, mapping.work, place.ifmap_layout
    size = layout.element_bytes
    row_bytes = plan.row_bytes(layout)
    top, left = w.pad
    image = layout.plane_bytes if plan.pool else layout.image_bytes
    group_planes = 1 if w.packed or plan.halo else m.planes
    h_step = m.tile_step[0] * w.stride[0]
    w_step = m.tile_step[1] * w.stride[1] * m.pixel
    part_h = m.window[0] * w.dilation[0]
    part_w = m.window[1] * w.dilation[1] * m.pixel
    per_group = m.k_planes * layout.plane_bytes
    return {
        "ifmap_address": place.ifmap
        - plan.halo * layout.plane_bytes
        - top * row_bytes
        - left * m.pixel * size,
        "ifmap_stride_g": (
            layout.image_bytes if plan.image_groups else group_planes * layout.plane_bytes
        ),
        "ifmap_stride_nt": m.pn * image,
        "ifmap_stride_et": h_step * row_bytes,
        "ifmap_stride_ft": w_step * size,
        "ifmap_stride_ct": m.groups * per_group,
        "ifmap_stride_rt": part_h * row_bytes,
        "ifmap_stride_st": part_w * size,
        "ifmap_stride_group": per_group,
        "ifmap_stride_n": image,
        "ifmap_stride_plane": layout.plane_bytes,
        "ifmap_stride_h": row_bytes,
        "load_rows": m.rows_of(m.pe),
        "load_rows_last": m.rows_of(m.last_pixels[1]),
        "load_width": m.load_width,
        "load_width_last": m.width_of(m.last_pixels[2]),
        "h_origin": -top,
        "h_step": h_step,
        "h_step_rt": part_h,
        "w_origin": -left * m.pixel,
        "w_step": w_step,
        "w_step_st": part_w,
        "h_size": w.H,
        "w_size": w.W * m.pixel,
        "slots": m.slots,
        "slot_size": m.slot_size,
        "buffer_stride_n": m.image_stride,
        "buffer_stride_group": m.k_planes * m.plane_stride,
        "buffer_stride_plane": m.plane_stride,
        "buffer_stride_h": m.pitch,
        "filter_address": place.filters,
    }


def pack(fields: dict[str, int]) -> bytes:
    """Descriptor as it lies in DRAM.

    Raises
    ------
    ValueError
        If a field does not fit its width: the layer is too large for the hardware's loops.
    """
    words = [0] * WORDS
    for field in FIELDS:
        if field.name == "checksum":
            continue
        value = fields[field.name]
        # Addresses and their strides count modulo 2^32.
        low = -(1 << (field.bits - 1)) if field.signed else 0
        high = (1 << (field.bits - 1)) - 1 if field.signed else (1 << field.bits) - 1
        if field.bits != 32 and not low <= value <= high:
            raise ValueError(f"{field.name} must be in {low}..{high}, not {value!r}")
        word, shift = PLACES[field.name]
        words[word] |= (value & ((1 << field.bits) - 1)) << shift
    words[PLACES["checksum"][0]] = -sum(words) & 0xFFFF_FFFF
    return b"".join(word.to_bytes(4, "little") for word in words).ljust(BYTES, b"\0")


def unpack(image: bytes) -> dict[str, int]:
    """Fields of a packed descriptor."""
    values = {}
    for field in FIELDS:
        word, shift = PLACES[field.name]
        raw = int.from_bytes(image[4 * word : 4 * word + 4], "little") >> shift
        raw &= (1 << field.bits) - 1
        if field.signed and raw >> (field.bits - 1):
            raw -= 1 << field.bits
        values[field.name] = raw
    return values

"""A mapping as nested loops, the way Timeloop prints them."""

from stillflow.hw.mapping import Mapping
from stillflow.hw.pe_set import PeSet


def print_nest(mapping: Mapping) -> str:
    """Loops of a mapping from DRAM to the PEs, outermost first; loops of one iteration left out.

    The column on the left is the level whose contents change with the loop.
    """
    m, w, config = mapping, mapping.work, mapping.config
    n_count, e_count, f_count = m.tile_counts
    chunks = sum(len(m.chunk_lengths(p)) for p in [m.k_planes] * (m.groups - 1) + [m.k_planes])
    m_loop = ("DRAM", "for", "m", m.m_count, "filter groups")
    pixels = [
        ("DRAM", "for", "n", n_count, f"tiles of {m.pn} images"),
        ("DRAM", "for", "e", e_count, f"tiles of {m.pe} rows"),
        ("DRAM", "for", "f", f_count, f"tiles of {m.pf} columns"),
    ]
    loops = [
        ("DRAM", "for", "g", w.G, "groups"),
        *([m_loop, *pixels] if m.m_outer else [*pixels, m_loop]),
        ("DRAM", "for", "c", m.c_count, f"reduction tiles of {m.groups} plane groups"),
        ("DRAM", "for", "r", m.r_count, f"window tiles of {m.window[0]} filter rows"),
        ("DRAM", "for", "s", m.s_count, f"window tiles of {m.window[1]} filter columns"),
        ("GLB", "for", "m", m.mb, f"blocks of {m.block_filters} filters"),
        *_inner(m, chunks),
    ]
    lines, depth, previous = [], 0, ""
    for level, keyword, letter, count, what in loops:
        if count == 1 and level != "PE":
            continue
        label = level if level != previous else ""
        note = f"  # {what}" if what else ""
        lines.append(f"{label:>5} | {'  ' * depth}{keyword} {letter} in [0:{count}){note}")
        depth, previous = depth + 1, level
    pool = w.pool
    pools = f"{pool.size[0]}x{pool.size[1]} windows pooled" if pool.pools else ""
    stays = "filters stay on chip for all pixel tiles" if m.filter_resident else ""
    facts = [
        f"ifmap tile {m.slot_size:,} of {config.ifmap_elements:,} elements, {m.slots} slots",
        f"psums {m.psum_entries:,} of {config.psum_depth:,} entries",
        stays,
        pools,
    ]
    return "\n".join([*lines, "      # " + "; ".join(fact for fact in facts if fact)])


def _inner(m: Mapping, chunks: int) -> list[tuple[str, str, str, int, str]]:
    """Loops over a tile on chip, by what stays in a PE."""
    config, fir = m.config, m.fir
    if m.pe_set:
        return _set_loops(m, m.pe_set)
    chunk_loop = ("GLB", "for", "k", chunks, f"chunks of up to {config.rows} of c, r, s")
    images, rows, columns = ("n", m.pn, "images"), ("e", m.pe, "rows"), ("f", m.pf, "columns")
    over_columns = ("PE", "par-for cols", "m", config.m_block, "")
    if m.psums_stay:
        return [
            ("GLB", "for", "p", m.pixel_groups, f"groups of {config.rows} pixels of n, e, f"),
            chunk_loop,
            ("PE", "for", "k", config.rows, "elements"),
            ("PE", "par-for rows", "p", config.rows, ""),
            over_columns,
        ]
    if fir:
        strips = -(-m.pe // fir.strip)
        taps = f"blocks of {fir.tap_rows}x{fir.tap_columns} taps"
        return [
            ("GLB", "for", "k", chunks, taps),
            ("GLB", "for", *images),
            ("GLB", "for", "e", strips, f"strips of {fir.strip} rows"),
            ("GLB", "for", *columns),
            ("GLB", "for", "e", fir.strip, "rows"),
            ("PE", "par-for rows", "k", fir.taps, "taps"),
            ("PE", "par-for cols", "m", config.m_block, "channels"),
        ]
    return [
        chunk_loop,
        *(("GLB", "for", *loop) for loop in (images, rows, columns)),
        ("PE", "par-for rows", "k", config.rows, ""),
        over_columns,
    ]


def _set_loops(m: Mapping, pe_set: PeSet) -> list[tuple[str, str, str, int, str]]:
    """Loops over a tile on chip, row stationary: passes, pixels, what a PE and a set do."""
    return [
        ("GLB", "for", "c", m.groups, f"groups of {m.k_planes} channels"),
        ("GLB", "for", "r", m.k_r, f"parts of {pe_set.filter_rows} filter rows"),
        ("GLB", "for", "s", m.k_s, f"parts of {pe_set.columns} filter columns"),
        ("GLB", "for", "e", m.strips_of(m.pe), f"strips of {m.strip_rows} rows"),
        ("GLB", "for", "f", m.pf, "columns"),
        ("PE", "for", "s", pe_set.columns, "filter columns"),
        ("PE", "for", "c", pe_set.depth, "channels"),
        ("PE", "for", "m", pe_set.filters, "filters"),
        ("PE", "par-for rows", "r", pe_set.filter_rows, "filter rows"),
        ("PE", "par-for rows", "c", pe_set.channels, "channels"),
        ("PE", "par-for cols", "e", m.strip_rows, "ofmap rows"),
    ]

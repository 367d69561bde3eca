from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.lazy import lazy
from stillflow.hw.mapping import Mapping
from stillflow.hw.work import Work

CONFIG = AcceleratorConfig(rows=8, cols=8, glb_kib=8, axi_data_bits=64, requant_lanes=8)
CONV = Work(
    G=1, N=2, C=24, M=20, H=7, W=9, R=3, S=2, E=7, F=8,
    stride=(1, 1), dilation=(1, 1), pad=(1, 0), packed=False,
)  # fmt: skip


def make(work=CONV, config=CONFIG, **changes):
    loops: dict[str, Any] = {"pn": 1, "pe": 2, "pf": 3, "mb": 1, "groups": 1} | changes
    return Mapping(config=config, work=work, **loops)


@st.composite
def mappings(draw):
    rows, cols = draw(st.sampled_from([(8, 8), (12, 8), (16, 4), (5, 10), (4, 4), (32, 16)]))
    config = AcceleratorConfig(rows=rows, cols=cols, glb_kib=64, axi_data_bits=64, requant_lanes=1)
    E, F = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    C = draw(st.one_of(st.integers(1, 9), st.integers(1, 70)))
    work = Work(
        G=draw(st.integers(1, 3)),
        N=draw(st.integers(1, 5)),
        C=C,
        M=draw(st.integers(1, 50)),
        H=12,
        W=12,
        R=draw(st.integers(1, 5)),
        S=draw(st.integers(1, 5)),
        E=E,
        F=F,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        dilation=draw(st.tuples(st.integers(1, 3), st.sampled_from([1, 1, 2]))),
        pad=(0, 0),
        packed=config.channel_block > C and draw(st.booleans()),
        maximum=draw(st.booleans()),
    )
    blocks = -(-work.M // config.m_block)
    r_count, s_count = (
        draw(st.sampled_from([count for count in range(1, size + 1) if size % count == 0]))
        for size in (work.R, work.S)
    )
    try:
        return Mapping(
            config=config,
            work=work,
            pn=draw(st.integers(1, work.N)),
            pe=draw(st.integers(1, E)),
            pf=draw(st.integers(1, F)),
            mb=draw(st.integers(1, blocks)),
            groups=draw(st.integers(1, 5)),
            r_count=r_count,
            s_count=s_count,
            m_outer=draw(st.booleans()),
        )
    except ValueError:
        assume(False)


def test_a_tile_must_fit_the_ifmap_buffer():
    elements = CONFIG.ifmap_elements
    message = rf"^an ifmap tile of \d+ elements must fit the buffer of {elements}$"
    with pytest.raises(ValueError, match=message):
        make(replace(CONV, H=60, W=60, E=60, F=60), pe=9, pf=60)


def test_psums_of_a_tile_must_fit_the_psum_memory():
    depth = CONFIG.psum_depth
    assert make(pn=2, pe=4, pf=8, groups=3, mb=3).psum_entries == 64
    with pytest.raises(
        ValueError, match=rf"^the psums of {3 * 2 * 7 * 8} pixels must fit {depth} entries$"
    ):
        # Of all blocks at once, since the reduction comes in tiles.
        make(pn=2, pe=7, pf=8, groups=1, mb=3)


@pytest.mark.parametrize("counts", [(2, 1), (1, 3), (4, 1)])
def test_window_tiles_must_divide_the_filter(counts):
    r_count, s_count = counts
    message = r"^window tiles must divide the 3x2 filter$"
    with pytest.raises(ValueError, match=message):
        make(r_count=r_count, s_count=s_count)


def test_window_tiles_shrink_the_ifmap_tile_and_keep_psums_of_all_blocks():
    whole, tiled = make(groups=3, mb=2), make(groups=3, mb=2, r_count=3, s_count=2)
    assert (tiled.window, tiled.windows) == ((1, 1), 6)
    assert (whole.rows_of(2), tiled.rows_of(2)) == (4, 2)
    assert (whole.load_width, tiled.load_width) == (4 * 8, 3 * 8)
    assert not whole.tiled
    assert tiled.tiled
    assert (whole.psum_entries, tiled.psum_entries) == (6, 12)
    assert tiled.tiles == 6 * whole.tiles * whole.m_count


@pytest.mark.parametrize(("m_outer", "blocks"), [(True, 2), (False, 3)])
def test_resident_filters_must_fit_the_filter_buffer(m_outer, blocks):
    work = replace(CONV, C=8)
    lines = 8 * 3 * 2 + 4 + 4
    fitting = replace(CONFIG, glb_kib=8)
    assert fitting.filter_lines >= blocks * lines
    make(work, fitting, mb=2, m_outer=m_outer, filter_resident=True)
    small = replace(CONFIG, glb_kib=4)
    assert small.filter_lines == 96
    with pytest.raises(
        ValueError, match=rf"^{blocks * lines} filter lines must fit the buffer of 96$"
    ):
        make(work, small, mb=2, m_outer=m_outer, filter_resident=True)


@given(mapping=mappings())
def test_tiles_cover_each_loop_exactly(mapping):
    work = mapping.work
    totals, sizes = (work.N, work.E, work.F), (mapping.pn, mapping.pe, mapping.pf)
    for total, size, count, last in zip(
        totals, sizes, mapping.tile_counts, mapping.last_pixels, strict=True
    ):
        assert (count - 1) * size + last == total
        assert 1 <= last <= size
    n, e, f = mapping.tile_counts
    assert mapping.pixel_tiles == n * e * f
    assert mapping.tile_pixels == mapping.pn * mapping.pe * mapping.pf
    assert (mapping.m_count - 1) * mapping.mb + mapping.mb_last == mapping.blocks
    assert (mapping.c_count - 1) * mapping.groups + mapping.groups_last == mapping.plane_groups
    whole = (mapping.plane_groups - 1) * mapping.k_planes
    assert whole + mapping.k_planes_last == mapping.planes
    assert (mapping.blocks - 1) * mapping.config.m_block < work.M


@given(mapping=mappings())
def test_chunks_fill_rows_with_the_lines_of_a_plane_group(mapping):
    rows = mapping.config.rows
    full, last = mapping.slab_lines
    for planes, lines in ((mapping.k_planes, full), (mapping.k_planes_last, last)):
        chunks = mapping.chunk_lengths(planes)
        assert sum(chunks) == lines
        assert all(1 <= chunk <= rows for chunk in chunks)
        # Joined filter positions never make more chunks than taken one by one.
        one_by_one = -(-planes * mapping.k_elements // rows) * mapping.k_s * mapping.window[0]
        assert len(chunks) <= one_by_one
    reduction = (full * (mapping.plane_groups - 1) + last) * mapping.windows
    if mapping.work.packed or mapping.work.C % mapping.config.channel_block == 0:
        assert reduction == mapping.work.C * mapping.work.R * mapping.work.S
    parameters = mapping.config.bias_lines + mapping.config.scale_lines
    assert mapping.block_lines == reduction + parameters
    assert mapping.filter_lines == mapping.block_lines * mapping.blocks * mapping.work.G


@settings(max_examples=400)
@given(mapping=mappings())
def test_lanes_of_a_chunk_move_by_whole_lines(mapping):
    work, banks = mapping.work, mapping.config.ifmap_banks
    assert mapping.pitch >= mapping.load_width
    if mapping.k_planes > 1:
        assert mapping.plane_stride % banks == mapping.config.channel_block % banks
    if mapping.k_break >= 2 and mapping.k_s > 1:
        assert mapping.k_planes == 1
        assert work.dilation[1] * mapping.pixel == mapping.k_elements
    if mapping.k_break == 3 and mapping.window[0] > 1:
        step = work.dilation[0] * mapping.pitch - mapping.k_elements * mapping.k_s
        assert step % banks == 0
    assert mapping.plane_stride >= mapping.pn * mapping.image_stride


def test_a_maximum_never_joins_filter_positions():
    narrow = AcceleratorConfig(rows=8, cols=4, glb_kib=8, axi_data_bits=32, requant_lanes=1)
    work = replace(CONV, C=4, M=4)
    summed = make(work, narrow)
    largest = make(replace(work, maximum=True), narrow)
    assert max(summed.chunk_lengths(1)) == 8
    assert largest.k_break == 1
    assert set(largest.chunk_lengths(1)) == {4}


@settings(max_examples=50)
@given(mapping=mappings())
def test_slots_share_the_ifmap_buffer(mapping):
    banks = mapping.config.ifmap_banks
    planes = min(mapping.groups * mapping.k_planes, mapping.planes)
    assert mapping.slot_size % banks == 0
    assert 0 <= mapping.slot_size - planes * mapping.plane_stride < banks
    assert mapping.slots * mapping.slot_size <= mapping.config.ifmap_elements
    more = (mapping.slots + 1) * mapping.slot_size
    assert more > mapping.config.ifmap_elements or mapping.slots == 255


def test_planes_lie_beside_each_other_where_rows_allow():
    assert make(replace(CONV, C=64), replace(CONFIG, rows=32, glb_kib=64)).k_planes == 4
    assert make().k_planes == 1
    assert make(replace(CONV, C=4, packed=True)).planes == 1


def test_ifmap_rows_and_columns_of_a_tile_include_the_windows_reach():
    mapping = make(replace(CONV, stride=(2, 3), dilation=(2, 1)))
    assert mapping.rows_of(4) == 3 * 2 + 2 * 2 + 1
    assert mapping.width_of(4) == (3 * 3 + 1 + 1) * mapping.pixel


@given(mapping=mappings())
def test_other_groups_are_as_if_made_anew(mapping):
    plain = replace(mapping, m_outer=False, filter_resident=False)
    smallest = replace(plain, mb=1, groups=1)
    computed = [name for name in dir(Mapping) if isinstance(getattr(Mapping, name), lazy)]
    for name in computed:
        getattr(smallest, name)
    regrouped = smallest.regrouped(mb=plain.mb, groups=plain.groups)
    assert regrouped == plain
    for name in computed:
        assert getattr(regrouped, name) == getattr(plain, name), name


@given(mapping=mappings(), m_outer=st.booleans(), filter_resident=st.booleans())
def test_another_order_is_as_if_made_anew(mapping, m_outer, filter_resident):
    order = {"m_outer": m_outer, "filter_resident": filter_resident}
    plain = replace(mapping, m_outer=False, filter_resident=False)
    try:
        anew = replace(mapping, **order)
    except ValueError as error:
        with pytest.raises(ValueError, match=f"^{error}$"):
            plain.ordered(**order)
        return
    ordered = plain.ordered(**order)
    assert ordered == anew
    computed = [name for name in dir(Mapping) if isinstance(getattr(Mapping, name), lazy)]
    assert "tiles" in computed
    for name in computed:
        assert getattr(ordered, name) == getattr(anew, name), name

from dataclasses import replace

import pytest

from stillflow.compiler.graph import PoolLayer
from stillflow.compiler.mapper import choose_mapping
from stillflow.compiler.work import merged_groups, plan_layer
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EDGE8, TINY
from stillflow.hw.tensor import blocked, packed


def plan(shape, config=TINY, *, layer=None, is_packed=False):
    sizes = shape.N, shape.C, shape.H, shape.W
    if is_packed:
        layout = packed(*sizes, beat=config.axi_bytes, element_bytes=config.act_bytes)
    else:
        layout = blocked(*sizes, block=config.channel_block, element_bytes=config.act_bytes)
    return plan_layer(layer or shape, layout, config)


def test_a_plain_convolution_keeps_its_loops():
    shape = ConvShape(
        N=2, C=6, M=9, H=11, W=7, R=3, S=2, stride=(2, 1), pad=(1, 0, 2, 3), dilation=(1, 2)
    )
    made = plan(shape)
    w = made.work
    assert (w.G, w.N, w.C, w.M, w.H, w.W, w.R, w.S) == (1, 2, 6, 9, 11, 7, 3, 2)
    assert (w.E, w.F, w.stride, w.dilation, w.pad) == (
        shape.E, shape.F, (2, 1), (1, 2), (1, 0)
    )  # fmt: skip
    assert (made.merged, made.row_step, made.flat, made.pool) == (1, 1, False, False)
    assert not w.packed
    assert not w.maximum


def test_a_pointwise_plane_becomes_one_row():
    made = plan(ConvShape(C=8, M=4, H=5, W=7))
    assert made.flat
    w = made.work
    assert (w.H, w.W, w.E, w.F) == (1, 35, 1, 35)


@pytest.mark.parametrize(
    "change",
    [
        {"stride": (1, 2)},
        {"pad": (0, 1, 0, 0)},
        {"R": 2},
        {"S": 2},
    ],
)
def test_any_other_layer_keeps_its_rows(change):
    shape = ConvShape(**{"C": 8, "M": 4, "H": 5, "W": 7, **change})
    made = plan(shape)
    assert not made.flat
    assert (made.work.E, made.work.F) == (shape.E, shape.F)


def test_a_packed_pointwise_layer_keeps_its_rows():
    # Its rows begin at whole beats: a plane is not one row.
    made = plan(ConvShape(C=3, M=4, H=5, W=7), is_packed=True)
    assert not made.flat
    assert made.work.packed


@pytest.mark.parametrize(("stride", "rows", "left"), [((2, 1), 5, (1, 1)), ((3, 2), 3, (1, 2))])
def test_rows_that_no_filter_touches_are_skipped(stride, rows, left):
    shape = ConvShape(C=8, M=4, H=9, W=9, S=3, stride=stride)
    made = plan(shape)
    assert made.row_step == stride[0]
    assert (made.work.H, made.work.stride) == (rows, left)
    assert made.work.E == shape.E


@pytest.mark.parametrize("change", [{"R": 2}, {"pad": (1, 0, 0, 0)}, {"pad": (0, 0, 1, 0)}])
def test_rows_are_not_skipped_where_filters_or_padding_need_them(change):
    shape = ConvShape(**{"C": 8, "M": 4, "H": 9, "W": 9, "stride": (2, 2), **change})
    made = plan(shape)
    assert made.row_step == 1
    assert made.work.stride == (2, 2)


@pytest.mark.parametrize(
    ("G", "C", "M", "block", "merged"),
    [
        (1, 5, 7, 4, 1),  # nothing to merge
        (8, 8, 8, 4, 4),  # depthwise: a block of groups
        (6, 12, 12, 4, 2),  # half a block each
        (6, 24, 12, 4, 2),  # ifmap blocks are whole, ofmap blocks are not
        (2, 16, 16, 4, 1),  # whole blocks
        (3, 3, 3, 4, 3),  # less than a block: all
        (5, 15, 10, 4, 5),
        (7, 7, 7, 4, 4),  # the last block is not full
        (7, 7, 14, 4, 4),
        (5, 10, 20, 4, 5),  # pairs would need a block of the ofmap too many
        (9, 9, 9, 1, 1),  # no blocks
    ],
)
def test_groups_are_merged_to_whole_blocks(G, C, M, block, merged):
    assert merged_groups(ConvShape(G=G, C=C, M=M), block) == merged


def test_merged_groups_are_one_group_of_the_work():
    made = plan(ConvShape(G=8, C=8, M=16, H=4, W=4, R=3, S=3), EDGE8)
    assert made.merged == 8
    assert (made.work.G, made.work.C, made.work.M) == (1, 8, 16)
    halves = plan(ConvShape(G=8, C=8, M=16, H=4, W=4, R=3, S=3), TINY)
    assert halves.merged == 4
    assert (halves.work.G, halves.work.C, halves.work.M) == (2, 4, 8)


@pytest.mark.parametrize("op", ["maxpool", "avgpool"])
def test_pooled_planes_are_images_of_one_block(op):
    shape = PoolShape(N=2, C=9, H=6, W=5, R=3, S=2, stride=(2, 1), pad=(1, 0, 0, 1))
    made = plan(shape, layer=PoolLayer(name="p", op=op, shape=shape, ifmap="x", ofmap="y"))
    w = made.work
    assert made.pool
    assert (w.G, w.N, w.C, w.M) == (1, 2 * 3, 4, 4)
    assert (w.H, w.W, w.R, w.S, w.E, w.F) == (6, 5, 3, 2, shape.E, shape.F)
    assert (w.stride, w.dilation, w.pad) == ((2, 1), (1, 1), (1, 0))
    assert w.maximum is (op == "maxpool")


def test_depthwise_windows_that_do_not_fit_as_a_whole_come_in_parts():
    """The rows of one ofmap row must be on chip to pass the weight chains."""
    small = replace(TINY, glb_kib=2, name="small")
    for size, depthwise in ((3, True), (18, False)):
        made = plan(ConvShape(G=4, C=4, M=4, H=18, W=18, R=size, S=size), small)
        assert made.work.depthwise is depthwise
        assert (choose_mapping(made, small).windows > 1) is not depthwise

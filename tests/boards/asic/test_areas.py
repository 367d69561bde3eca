import pytest

from stillflow.boards.asic.areas import Part, part_of, share_of_rest


@pytest.mark.parametrize(
    ("modules", "part"),
    [
        (("stillflow",), Part.CONTROL),
        (("stillflow", "stillflow_csr"), Part.CONTROL),
        (("stillflow", "stillflow_dataflow", "stillflow_dataflow_array"), Part.NETWORK),
        (("stillflow", "stillflow_dataflow_array", "column_ws_4x8x8"), Part.NETWORK),
        (("stillflow", "stillflow_dataflow_array", "column_ws_4x8x8", "pe_ws_8x8"), Part.PE),
        (("stillflow_dataflow_array", "row_rs_4_of_pe_rs_8x8", "pe_rs_8x8"), Part.PE),
        (("stillflow", "stillflow_dataflow_datapath_ifmap"), Part.BUFFERS),
        (("stillflow", "stillflow_dataflow_datapath_ifmap", "ifmap_bank_16x8"), Part.BUFFERS),
        (("stillflow", "stillflow_post", "requant_lane_32to8"), Part.LANES),
        (("stillflow", "stillflow_finisher", "finish_lane_8_32"), Part.POST),
        (("stillflow", "stillflow_reader", "stillflow_reader_segments"), Part.DMA),
        (("stillflow", "stillflow_loads", "stillflow_loads_nest"), Part.CONTROL),
    ],
)
def test_a_block_belongs_to_the_innermost_part(modules, part):
    assert part_of(modules) == part


def test_the_rest_is_all_but_pes_and_lanes():
    parts = dict.fromkeys(Part, 1.0) | {Part.PE: 4.0, Part.LANES: 1.0}
    assert share_of_rest(parts) == pytest.approx(0.5)

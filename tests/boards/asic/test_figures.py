import pytest

from stillflow.boards.asic.figures import generation, generic_cells, square
from stillflow.boards.multipliers.files import single_multipliers
from stillflow.boards.verilog import emit
from stillflow.hw.array.weight_stationary import WeightStationaryColumn
from stillflow.hw.presets import EDGE16, TINY


def test_generic_cells_count_gates_and_flip_flops():
    text = """
module two (input clk, input a, input b, input c, output reg q);
  always @(posedge clk) q <= a & (b | c);
endmodule
"""
    assert generic_cells({"two.v": text}, "two") == 3


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_squares_scale_memory_with_the_pes(size):
    config = square(size)
    assert (config.rows, config.cols) == (size, size)
    assert config.glb_kib * EDGE16.pes == EDGE16.glb_kib * config.pes


def test_generation_costs_time_and_bytes():
    seconds, kilobytes = generation(TINY)
    assert 0.1 < seconds < 60
    assert 100 < kilobytes < 1000


def test_a_column_stays_small():
    column = WeightStationaryColumn(EDGE16)
    files = single_multipliers(emit(column, "column"), "asic")
    assert generic_cells(files, "column") / EDGE16.rows < 500


def test_verilog_of_a_large_array_stays_short():
    _, kilobytes = generation(square(64))
    assert kilobytes < 630

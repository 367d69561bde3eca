import pytest

from stillflow.boards.asic.liberty import OSU018, read_liberty

LIBRARY = """\
library(two) {
  cell (NAND2X1) {
    area : 24;
    pin(A) { direction : input; }
  }
  cell ("NAND2X2") { area : 40; }
  cell (BUFX4) { area : 32; }
  cell (BUFX2) { area : 30; }
  cell (CLKBUF1) { area : 1; }
  cell (NAND23X1) { area : 2; }
  cell (DFFX1) {
    area : 96.0;
    ff (IQ, IQN) { next_state : "D"; }
  }
}
"""


def test_areas_are_counted_in_nands(tmp_path):
    path = tmp_path / "two.lib"
    path.write_text(LIBRARY)
    liberty = read_liberty(path)
    assert (liberty.gate, liberty.buffer) == (24, "BUFX2")
    counts = {"NAND2X1": 2, "DFFX1": 3, "sram_1r1w_16x8": 5}
    assert liberty.gates(counts) == 2 + 3 * 4
    assert liberty.registers(counts) == 3


@pytest.mark.parametrize("prefix", ["sky130_fd_sc_hd__", ""])
def test_names_with_the_prefix_of_a_library_are_known(prefix, tmp_path):
    path = tmp_path / "low.lib"
    path.write_text(LIBRARY.replace("NAND2X", f"{prefix}nand2_").replace("BUFX", f"{prefix}buf_"))
    assert read_liberty(path).buffer == f"{prefix}buf_2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.lib: must be a Liberty file with cells NAND2\.\.\. and BUF\.\.\.$"),
        (LIBRARY.replace("BUFX", "DRIVEX"), r"x\.lib: must be a Liberty file with cells "),
        (LIBRARY.replace("area : 24;", ""), r"x\.lib: cell NAND2X1 must have an area$"),
    ],
)
def test_other_files_are_refused(text, message, tmp_path):
    path = tmp_path / "x.lib"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_liberty(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.lib"):
        read_liberty(tmp_path / "no.lib")


def test_debians_cells_are_read(need_cells):
    liberty = read_liberty(None)
    assert liberty.path == OSU018
    assert liberty.gate == 24
    assert {name for name, cell in liberty.cells.items() if cell.is_register} == {
        "DFFNEGX1", "DFFPOSX1", "DFFSR", "LATCH",
    }  # fmt: skip

import pytest

from stillflow.boards.asic.sram_map import macro_files, read_macros
from stillflow.boards.cli import main
from stillflow.boards.lint import verilator_warnings, yosys_problems
from stillflow.boards.sram import behavioural
from stillflow.boards.yosys import run_yosys

OPENRAM = """\
[sram_1r1w_64x32]
macro = "sky130_sram_1kbyte_1rw1r_32x256_8"
words = 256
bits = 32
[sram_1r1w_64x32.ports]
clk0 = "clk"
csb0 = "!write_en"
web0 = "!write_en"
wmask0 = "ones:4"
addr0 = "write_addr"
din0 = "write_data"
clk1 = "clk"
csb1 = "!read_en"
addr1 = "read_addr"
dout1 = "read_data"
"""
#: Two macros of 4 bits side by side, with their model.
NARROW = """\
[sram_1r1w_4x6]
macro = "ram_4x4"
words = 4
bits = 4
ports = {ck = "clk", we = "write_en", re = "read_en", wa = "write_addr", ra = "read_addr",
         wd = "write_data", rd = "read_data"}
""".replace(",\n        ", ",")
NARROW_MODEL = """\
module ram_4x4 (input ck, input we, input re, input [1:0] wa, input [1:0] ra,
    input [3:0] wd, output reg [3:0] rd);
  reg [3:0] words [0:3];
  always @(posedge ck) begin
    if (we) words[wa] <= wd;
    if (re) rd <= words[ra];
  end
endmodule
"""


def read(tmp_path, text):
    path = tmp_path / "macros.toml"
    path.write_text(text)
    return read_macros(path)


def test_an_openram_macro_takes_the_place_of_a_model(tmp_path):
    files = macro_files(["sram_1r1w_64x32", "sram_1r1w_128x8"], read(tmp_path, OPENRAM))
    assert files.keys() == {"sram_1r1w_64x32.v", "blackbox/sky130_sram_1kbyte_1rw1r_32x256_8.v"}
    wrapper = files["sram_1r1w_64x32.v"]
    assert ".csb0(~i_write_en)" in wrapper
    assert ".wmask0({4{1'b1}})" in wrapper
    assert "wire [7:0] read_addr = {2'd0, i_read_addr};" in wrapper


def test_a_wrapper_works_as_the_model(tmp_path):
    unit = "sram_1r1w_4x6"
    wrapper = macro_files([unit], read(tmp_path, NARROW))[f"{unit}.v"]
    model = behavioural(unit).replace("`ifdef YOSYS\n`define STILLFLOW_SRAM_X\n`endif\n", "")
    (tmp_path / "gold.v").write_text(model.replace(f"module {unit}", "module gold"))
    (tmp_path / "gate.v").write_text(
        wrapper.replace(f"module {unit}", "module gate") + NARROW_MODEL
    )
    run_yosys(
        (
            "read_verilog gold.v gate.v",
            "proc",
            "flatten",
            "memory -nordff",
            "opt -full",
            "miter -equiv -make_assert -flatten gold gate miter",
            "hierarchy -top miter",
            "opt -full",
            "sat -verify -prove-asserts -seq 6 -set-init-zero miter",
        ),
        tmp_path,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[sram", "[ram"), r"ram_1r1w_64x32: must be a table named sram_1r1w_<words>x<bits>$"),
        (("words = 256", "words = 63"), r"words must be at least 64, not 63$"),
        (("words = 256", "words = 2.5"), r"words must be a positive integer, not 2\.5$"),
        (("bits = 32", "bits = true"), r"bits must be a positive integer, not True$"),
        (('"read_data"', '"read_word"'), r"ports: dout1 must be given a signal, not 'read_word'$"),
        (('addr1 = "read_addr"\n', ""), r"ports must have read_addr$"),
        (("words = 256\n", ""), r"must have macro, words, bits and ports$"),
        (('macro = "', 'macro = "1'), r"macro must be a module name, not '1sky130"),
        (("[sram", "[[sram"), r"macros\.toml: must be TOML \("),
    ],
)
def test_a_wrong_file_says_where(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, OPENRAM.replace(change[0], change[1], 1))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--gate-clocks", "--reset", "sync", "--reset-active", "high"],
        ["--reset-active", "high"],
    ],
    ids=" ".join,
)
def test_asic_verilog_is_clean(options, tmp_path):
    folder = tmp_path / "asic"
    assert main(["generate", "tiny", "--target", "asic", "-o", str(folder), *options]) == 0
    files = sorted(folder.glob("*.v"))
    assert verilator_warnings(files) == []
    yosys_problems(files)
    text = "".join(path.read_text() for path in files)
    assert "initial " not in text
    assert ("rst_n" in text) == ("high" not in options)
    assert ("posedge rst" in text) == ("sync" not in options)
    assert ("stillflow_clock_gate " in text) == ("--gate-clocks" in options)
    assert {"config.mk", "config.json", "stillflow.rdl", "stillflow_driver.c"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize("option", [["--reset", "sync"], ["--gate-clocks"], ["--macros", "x"]])
def test_options_of_standard_cells_need_their_target(option, tmp_path, capsys):
    assert main(["generate", "tiny", "-o", str(tmp_path / "x"), *option]) == 2
    assert f"error: {option[0]} must go with --target asic" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()

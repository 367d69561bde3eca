import json
import subprocess

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
holds = false
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
holds = HOLDS
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
    LOSES
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


@pytest.mark.parametrize("holds", [True, False])
def test_a_wrapper_works_as_the_model(tmp_path, holds):
    unit = "sram_1r1w_4x6"
    wrapper = macro_files([unit], read(tmp_path, NARROW.replace("HOLDS", str(holds).lower())))[
        f"{unit}.v"
    ]
    model = behavioural(unit).replace("`ifdef YOSYS\n`define STILLFLOW_SRAM_X\n`endif\n", "")
    (tmp_path / "gold.v").write_text(model.replace(f"module {unit}", "module gold"))
    (tmp_path / "gate.v").write_text(
        wrapper.replace(f"module {unit}", "module gate")
        + NARROW_MODEL.replace("LOSES", "" if holds else "else rd <= 4'b1010;")
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


def test_a_macro_is_the_same_everywhere(tmp_path):
    other = OPENRAM.replace("64x32", "32x32").replace("bits = 32", "bits = 16")
    with pytest.raises(ValueError, match=r"sky130_\w+ must be the same in every table$"):
        read(tmp_path, OPENRAM + other)
    same = OPENRAM + OPENRAM.replace("64x32", "32x32")
    assert len(set(map(id, read(tmp_path, same)))) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[sram", "[ram"), r"ram_1r1w_64x32: must be a table named sram_1r1w_<words>x<bits>$"),
        (("words = 256", "words = 63"), r"words must be at least 64, not 63$"),
        (("words = 256", "words = 2.5"), r"words must be a positive integer, not 2\.5$"),
        (("bits = 32", "bits = true"), r"bits must be a positive integer, not True$"),
        (('"read_data"', '"read_word"'), r"ports: dout1 must be given a signal, not 'read_word'$"),
        (('addr1 = "read_addr"\n', ""), r"ports must have read_addr$"),
        (("words = 256\n", ""), r"must have macro, words, bits, holds and ports$"),
        (("holds = false", "holds = 0"), r"holds must be true or false, not 0$"),
        (
            ('clk0 = "clk"\nc', 'clk0 = "zeros:1"\nclk1 = "zeros:1"\nc'),
            r"macros\.toml: must be TOML",
        ),
        (('csb1 = "!read_en"\n', ""), r"ports must have read_en$"),
        (('din0 = "', '"din 0" = "'), r"ports must be Verilog names, not 'din 0'$"),
        (('wmask0 = "ones:4"', 'dout0 = "read_data"'), r"ports must have read_data once$"),
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
def test_asic_verilog_is_clean(options, tmp_path, need_simulator):
    folder = tmp_path / "asic"
    assert main(["generate", "tiny", "--target", "asic", "-o", str(folder), *options]) == 0
    files = sorted(folder.glob("*.v"))
    assert verilator_warnings(files) == []
    yosys_problems(files)
    need_simulator("icarus")
    icarus = ["iverilog", "-g2005", "-Wall", "-t", "null", "-s", "stillflow", *map(str, files)]
    done = subprocess.run(icarus, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
    text = "".join(path.read_text() for path in files)
    assert "initial " not in text
    assert ("rst_n" in text) == ("high" not in options)
    assert ("posedge rst" in text) == ("sync" not in options)
    assert ("stillflow_clock_gate " in text) == ("--gate-clocks" in options)
    assert {"config.mk", "config.json", "stillflow.rdl", "stillflow_driver.c"} <= {
        path.name for path in folder.iterdir()
    }


def test_memories_without_a_macro_are_named(tmp_path, capsys):
    path, folder = tmp_path / "macros.toml", tmp_path / "asic"
    path.write_text(OPENRAM + OPENRAM.replace("64x32", "3x32"))
    options = ["--target", "asic", "-o", str(folder), "--macros", str(path)]
    assert main(["generate", "tiny", *options]) == 0
    said = capsys.readouterr().out.splitlines()
    models = "sram_1r1w_1024x8, sram_1r1w_128x32, sram_1r1w_384x32"
    assert said[1:] == [f"models, no macro: {models}", "macros, no such memory: sram_1r1w_3x32"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert list(manifest["target"]["macros"]) == ["sram_1r1w_64x32"]


def test_a_missing_mapping_file_writes_nothing(tmp_path, capsys):
    options = ["--target", "asic", "-o", str(tmp_path / "x"), "--macros", str(tmp_path / "no.toml")]
    assert main(["generate", "tiny", *options]) == 2
    assert "no.toml: No such file" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("option", [["--reset", "sync"], ["--gate-clocks"], ["--macros", "x"]])
def test_options_of_standard_cells_need_their_target(option, tmp_path, capsys):
    assert main(["generate", "tiny", "-o", str(tmp_path / "x"), *option]) == 2
    assert f"error: {option[0]} must go with --target asic" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()

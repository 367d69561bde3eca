import json
import re
from dataclasses import replace

import pytest

from stillflow.boards.cli import main
from stillflow.boards.configs import resolve_config
from stillflow.hw.presets import EDGE16, PRESETS, TINY

TOML = """\
rows = 4
cols = 4
glb_kib = 8
axi_data_bits = 32
requant_lanes = 1
"""


def test_a_preset_by_name():
    assert resolve_config("edge16") == EDGE16


def test_a_file_is_named_after_its_stem(tmp_path):
    (tmp_path / "mine.toml").write_text(TOML)
    assert resolve_config(str(tmp_path / "mine.toml")) == replace(TINY, name="mine")


def test_overrides_apply_in_order():
    config = resolve_config("edge16", ["rows=8", "glb_kib=0x80", "name=other", "rows=12"])
    assert config == replace(EDGE16, rows=12, glb_kib=128, name="other")


@pytest.mark.parametrize(
    ("name", "sets", "message"),
    [
        ("edge17", [], "CONFIG must be a TOML file or one of {presets}, not 'edge17'; {near}"),
        ("nothing", [], "CONFIG must be a TOML file or one of {presets}, not 'nothing'"),
        ("tiny", ["rows"], "--set must be KEY=VALUE, not 'rows'"),
        ("tiny", ["row=3"], "--set: unknown key 'row'; did you mean 'rows'?"),
        ("tiny", ["zzz=3"], "--set: unknown key 'zzz'"),
        ("tiny", ["rows=x"], "--set: rows must be an integer, not 'x'"),
        ("tiny", ["rows=0"], "tiny with --set: rows must be in 1..128, not 0"),
        (
            "tiny",
            ["dataflow=xs"],
            "tiny with --set: dataflow must be one of ws, os, nlr, rs, not 'xs'",
        ),
    ],
)
def test_errors_name_option_key_and_value(name, sets, message):
    near = "did you mean 'edge16'?"
    text = message.format(presets=", ".join(PRESETS), near=near)
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        resolve_config(name, sets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOML + "row = 3\n", "unknown key 'row'; did you mean 'rows'?"),
        (TOML.replace("rows = 4\n", ""), "key 'rows' is missing"),
        (TOML.replace("rows = 4", "rows = 4.5"), "rows must be an integer, not 4.5"),
        (TOML.replace("rows = 4", "rows = 400"), "rows must be in 1..128, not 400"),
        (TOML + "name = 3\n", "name must be a string, not 3"),
        (TOML + "dataflow = 3\n", "dataflow must be one of ws, os, nlr, rs, not '3'"),
        ("rows = \n", "Invalid value (at line 1, column 8)"),
        ("[rows]\n", "key 'cols' is missing"),
    ],
)
def test_errors_name_the_file(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="^" + re.escape(f"{path}: {message}") + "$"):
        resolve_config(str(path))


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*can't decode byte 0xff.*$"):
        resolve_config(str(path))


def test_a_missing_file_is_named(capsys, tmp_path):
    assert main(["generate", str(tmp_path / "none.toml"), "-o", str(tmp_path / "out")]) == 2
    line = f"stillflow: error: {tmp_path / 'none.toml'}: No such file or directory\n"
    assert capsys.readouterr().err == line


def test_the_table_has_every_preset(capsys, tmp_path):
    assert main(["configs", "--json", str(tmp_path / "configs.json")]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == ["CONFIG", *PRESETS]
    assert rows[3].split()[1:4] == ["16x16", "ws", "8x8"]
    report = json.loads((tmp_path / "configs.json").read_text())
    assert [config["name"] for config in report["configs"]] == list(PRESETS)
    assert report["configs"][2]["requant_lanes"] == 16

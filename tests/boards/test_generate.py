import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stillflow.boards import generate as module
from stillflow.boards.cli import main
from stillflow.boards.generate import write_folder
from stillflow.boards.yosys import run_yosys
from stillflow.hw.csr import REGISTERS

MANIFEST = json.dumps({"stillflow": "0", "files": {"a.v": "", "sub/b.v": ""}})


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate") / "new" / "tiny"
    report = folder.parent.parent / "report.json"
    arguments = ["generate", "tiny", "-o", str(folder), "--json", str(report), "--period", "4"]
    assert main(arguments) == 0
    return folder, report


def test_folder_has_what_the_manual_says(generated):
    folder, report = generated
    files = contents(folder)
    expected = ["registers.json", "registers.md", "stillflow.core", "stillflow.f", "stillflow.h"]
    expected += ["manifest.json", "stillflow.sdc", "stillflow.v"]
    assert set(expected) <= files.keys()
    assert files["manifest.json"] == report.read_text()
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["config"]["rows"] == 4
    assert manifest["files"] == {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()
    }


def test_verilog_elaborates_with_models_and_with_blackboxes(generated):
    folder, _ = generated
    listed = (folder / "stillflow.f").read_text().split()
    assert listed == sorted(path.name for path in folder.glob("*.v"))
    run_yosys([f"read_verilog {' '.join(listed)}", "hierarchy -check -top stillflow"], folder)
    stubs = sorted(str(path.relative_to(folder)) for path in folder.glob("blackbox/*.v"))
    logic = [name for name in listed if f"blackbox/{name}" not in stubs]
    assert stubs
    assert len(logic) + len(stubs) == len(listed)
    run_yosys(
        [f"read_verilog {' '.join(logic + stubs)}", "hierarchy -check -top stillflow"], folder
    )


def test_ports_are_the_conventional_ones(generated):
    folder, _ = generated
    text = (folder / "stillflow.v").read_text()
    header = text[text.index("module stillflow(") + 17 : text.index(");")]
    ports = [port.partition(" = ")[0].split()[-1] for port in header.split(",")]
    assert ports[:2] == ["clk", "rst"]
    assert {"irq", "s_axil_awaddr", "s_axil_rready", "m_axi_araddr", "m_axi_wlast"} <= set(ports)


def test_collateral_follows_options_and_tables(generated):
    folder, _ = generated
    assert "create_clock -name clk -period 4 " in (folder / "stillflow.sdc").read_text()
    registers = json.loads((folder / "registers.json").read_text())
    assert [entry["name"] for entry in registers["registers"]] == [r.name for r in REGISTERS]
    assert registers["counters"]["CYCLES"] == 0x80
    assert "| 0x08 | CONTROL | write pulse | 2 |" in (folder / "registers.md").read_text()
    core = (folder / "stillflow.core").read_text()
    assert core.startswith("CAPI=2:\nname: stillflow:accelerators:stillflow:")
    for name in (folder / "stillflow.f").read_text().split():
        assert f"      - {name}\n" in core


def test_the_same_input_gives_the_same_bytes(generated, tmp_path):
    folder, _ = generated
    program = "import sys; from stillflow.boards.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-W", "ignore", "-c", program, "generate", "tiny"]
    for _ in range(2):  # the second replaces the first
        subprocess.run(
            [*command, "-o", str(tmp_path / "again"), "--period", "4"],
            env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path), "HOME": "/none"},
            check=True,
        )
        assert contents(tmp_path / "again") == contents(folder)


def test_an_empty_folder_is_taken(tmp_path):
    write_folder(tmp_path, {"a.v": "new", "manifest.json": MANIFEST})
    assert contents(tmp_path) == {"a.v": "new", "manifest.json": MANIFEST}


def test_our_folder_is_updated_and_other_files_stay(tmp_path):
    folder = tmp_path / "out"
    write_folder(folder, {"a.v": "old", "sub/b.v": "old", "manifest.json": MANIFEST})
    (folder / "notes.txt").write_text("mine")
    write_folder(folder, {"a.v": "new", "sub/c.v": "new", "manifest.json": MANIFEST})
    assert contents(folder) == {
        "a.v": "new",
        "sub/c.v": "new",
        "manifest.json": MANIFEST,
        "notes.txt": "mine",
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("manifest", [None, "{}", "[]", "3", "no json", '{"stillflow": "0"}'])
def test_a_folder_of_others_is_refused(tmp_path, capsys, manifest):
    (tmp_path / "notes.txt").write_text("mine")
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    before = contents(tmp_path)
    assert main(["generate", "tiny", "-o", str(tmp_path)]) == 2
    line = f"{tmp_path}: must be empty or made by stillflow (it has no manifest.json of ours)"
    assert capsys.readouterr().err == f"stillflow: error: {line}\n"
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["generate", "tiny", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"stillflow: error: {tmp_path / 'out'}: must be a folder\n"


def test_a_manifest_cannot_remove_files_elsewhere(tmp_path):
    folder = tmp_path / "out"
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    listed = {"../outside.txt": "", str(outside): "", "old.v": ""}
    folder.mkdir()
    (folder / "old.v").write_text("")
    (folder / "manifest.json").write_text(json.dumps({"stillflow": "0", "files": listed}))
    write_folder(folder, {"manifest.json": MANIFEST})
    assert outside.read_text() == "mine"
    assert contents(folder) == {"manifest.json": MANIFEST}


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    def full(self, text, encoding):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "out"
    monkeypatch.setattr(module, "design_files", lambda *_: {"a.v": "", "manifest.json": ""})
    monkeypatch.setattr(module.Path, "write_text", full)
    assert main(["generate", "tiny", "-o", str(folder)]) == 2
    line = f"stillflow: error: {folder}: No space left on device\n"
    assert capsys.readouterr().err == line
    assert not list(tmp_path.iterdir())


def test_a_bad_config_is_refused_before_anything_is_written(tmp_path, capsys):
    assert main(["generate", "tiny", "--set", "rows=0", "-o", str(tmp_path / "out")]) == 2
    line = "tiny with --set: rows must be in 1..128, not 0"
    assert capsys.readouterr().err == f"stillflow: error: {line}\n"
    assert not list(tmp_path.iterdir())

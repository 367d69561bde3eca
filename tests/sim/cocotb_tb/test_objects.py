"""Verilator's library, kept from one build for the next."""

import subprocess

from stillflow.sim.cocotb_tb.objects import keep, lend, shared_folder

MAKEFILE = """\
verilated.o verilated_vpi.o: %.o: %.cpp Vtop.mk
\techo compiled > $@
"""


def make(folder):
    """Write what Verilator would, then compile; tell what was compiled."""
    for name in ("verilated.cpp", "verilated_vpi.cpp", "Vtop.mk"):
        (folder / name).write_text("")
    (folder / "Makefile").write_text(MAKEFILE)
    done = subprocess.run(
        ["make", "verilated.o", "verilated_vpi.o"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.count("echo compiled")


def test_the_next_build_compiles_none_of_what_was_kept(tmp_path, need_simulator):
    need_simulator("verilator")  # whose builds need make, too
    shared = shared_folder(tmp_path, ["flags"])
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, compiled in ((first, 2), (second, 0)):
        folder.mkdir()
        lend(shared, folder)
        assert make(folder) == compiled
        keep(folder, shared)
    assert (second / "verilated_vpi.o").read_text() == "compiled\n"
    (second / "verilated.o").write_text("of another build")
    keep(second, shared)
    assert (shared / "verilated.o").read_text() == "compiled\n"
    assert {path.name for path in shared.iterdir()} == {"verilated.o", "verilated_vpi.o"}


def test_other_flags_have_other_objects(tmp_path):
    folders = {shared_folder(tmp_path, parts) for parts in (["a", "b"], ["ab"], ["a"], ["a", "c"])}
    assert len(folders) == 4

import pytest
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]

from stillflow.boards import sram
from stillflow.boards.yosys import run_yosys
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.unit import VerilogPlatform


@pytest.mark.parametrize(("depth", "width"), [(4, 3), (3, 2), (2, 1)])
def test_model_is_equivalent_to_the_component(tmp_path, depth, width):
    component = Sram(depth=depth, width=width)
    name = component.unit_name
    (tmp_path / "gold.il").write_text(rtlil.convert(component, "gold"))
    text = sram.behavioural(name).replace("`ifdef YOSYS", "`ifdef NEVER")
    (tmp_path / "gate.v").write_text(text)
    prove = ("read_rtlil gold.il", "read_verilog gate.v", "delete -input gold/w:rst", "proc")
    prove += ("setattr -mod -unset top *", "flatten", "memory_nordff", "memory_map", "opt_clean")
    prove += (f"equiv_make gold {name} equiv", "equiv_induct equiv")
    log = run_yosys((*prove, "equiv_status -assert equiv"), tmp_path)
    assert "Equivalence successfully proven!" in log


def test_a_collision_is_undefined_to_yosys(tmp_path):
    (tmp_path / "gate.v").write_text(sram.behavioural("sram_1r1w_16x8"))
    passes = ["read_verilog gate.v", "proc", "opt", "memory_dff", "memory_collect", "write_rtlil o"]
    run_yosys(passes, tmp_path)
    assert r"parameter \RD_COLLISION_X_MASK 1'1" in (tmp_path / "o").read_text()


@pytest.mark.parametrize(("depth", "width"), [(1024, 32), (1, 1), (3072, 128)])
def test_ports_are_those_of_the_component(tmp_path, depth, width):
    made = VerilogPlatform(is_macro=sram.is_sram).add(Sram(depth=depth, width=width))
    for text in (sram.behavioural(made.name), sram.blackbox(made.name)):
        header = text[text.index("module ") : text.index(");")]
        ports = [line.rstrip(",").split()[-1] for line in header.splitlines()[1:]]
        assert tuple(ports) == made.ports


def test_stub_is_a_blackbox(tmp_path):
    (tmp_path / "stub.v").write_text(sram.blackbox("sram_1r1w_16x8"))
    log = run_yosys(["read_verilog stub.v", "select -list =A:blackbox"], tmp_path)
    assert "sram_1r1w_16x8" in log.splitlines()


@pytest.mark.parametrize("name", ["sram_1r1w_0x8", "sram_1r1w_8", "xsram_1r1w_8x8", "pe"])
def test_other_names_are_no_memories(name):
    assert not sram.is_sram(name)

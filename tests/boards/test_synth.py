import json
import re

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from stillflow.boards import sram
from stillflow.boards.cli import main
from stillflow.boards.errors import CheckFailed
from stillflow.boards.synthesis import words
from stillflow.boards.synthesis.netlist import Netlist
from stillflow.boards.synthesis.run import design, find_block
from stillflow.boards.synthesis.survey import survey
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.verilog import emit
from stillflow.boards.yosys import run_yosys
from stillflow.hw.array.pe import WeightStationaryPE
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.presets import EDGE16, TINY
from stillflow.hw.top import Accelerator
from stillflow.hw.unit import unit


class Pieces(wiring.Component):
    """A PE, an SRAM, a registered sum of three words, an output that is an input."""

    i_a: In(signed(8))
    i_b: In(signed(8))
    i_c: In(signed(8))
    o_product: Out(signed(16))
    o_word: Out(8)
    o_sum: Out(signed(10))

    def elaborate(self, platform):
        m = Module()
        m.submodules.bank = unit(platform, bank := Sram(depth=1024, width=8))
        m.submodules.pe = unit(platform, pe := WeightStationaryPE(TINY))
        m.d.comb += [
            pe.i_act.eq(self.i_a),
            pe.i_chain.eq(self.i_b),
            pe.i_shift.eq(1),
            pe.i_swap.eq(self.i_a[0]),
            self.o_product.eq(pe.o_product),
            bank.i_write_en.eq(self.i_c[1]),
            bank.i_write_data.eq(self.i_a),
            bank.i_write_addr.eq(self.i_b),
            bank.i_read_en.eq(self.i_c[0]),
            bank.i_read_addr.eq(self.i_c),
            self.o_word.eq(bank.o_read_data),
        ]
        a, b, c = (
            Signal.like(i, name=f"r_{n}") for n, i in enumerate((self.i_a, self.i_b, self.i_c))
        )
        m.d.sync += [a.eq(self.i_a), b.eq(self.i_b), c.eq(self.i_c), self.o_sum.eq(a + b + c)]
        return m


class Work(wiring.Component):
    """What ``function`` makes of three words, in one cycle."""

    i_a: In(signed(12))
    i_b: In(signed(12))
    i_c: In(signed(12))
    o_word: Out(signed(64))

    def __init__(self, function):
        self.function = function
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o_word.eq(self.function(self.i_a, self.i_b, self.i_c))
        return m


LOOP = """
module top(input clk, input a, output reg b);
  wire p;
  wire q = p ^ a;
  inverter inner(.a(q), .b(p));
  always @(posedge clk) b <= q;
endmodule
"""
INVERTER = "module inverter(input a, output b);\n  assign b = ~a;\nendmodule\n"


def measure_pieces(component, target):
    with design(emit(component, "top"), "top") as made:
        return survey(made, TARGETS[target], whole=True, tell=print)


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_target_finds_memory_multiplier_and_adders(target):
    found = measure_pieces(Pieces(), target)
    by_name = {block.name: block for block in found.blocks}
    assert list(by_name) == ["top", "pe_ws_8x8", "multiplier_8x8_held", "sram_1r1w_1024x8"]
    memory = by_name["sram_1r1w_1024x8"].size
    assert memory.rams == (2 if target == "ice40" else 1)
    assert memory.luts == memory.ffs == 0
    assert not found.memories_elsewhere
    assert by_name["pe_ws_8x8"].size.dsps == 1
    assert by_name["pe_ws_8x8"].levels == 1  # chooses the activation; the product is in the DSP
    held_outside = 8 * (target == "gowin")
    assert by_name["pe_ws_8x8"].size.ffs == 8 + held_outside
    top = by_name["top"]
    assert top.size.ffs == by_name["pe_ws_8x8"].size.ffs + 34
    assert top.size.carries >= 3
    assert top.levels == found.longest.cost == 2
    assert found.flat is not None
    assert (found.flat.size.dsps, found.flat.size.rams) == (1, memory.rams)
    assert found.flat.levels == 2
    assert found.unknown_cells == ()


def test_cells_that_a_target_does_not_know_are_told():
    netlist = "module top(input a, output b); CRYSTAL cell(.A(a), .B(b)); endmodule"
    crystal = "(* blackbox *) module CRYSTAL(input A, output B); endmodule"
    with design({"top.v": netlist, "crystal.v": crystal}, "top") as made:
        found = survey(made, TARGETS["ecp5"], whole=False, tell=print)
    assert found.unknown_cells == ("CRYSTAL",)
    assert found.as_json(0)["unknown_cells"] == ("CRYSTAL",)


def test_a_memory_outside_block_ram_is_told():
    name = "sram_1r1w_4x3"
    with design({"memory.v": sram.behavioural(name)}, name) as made:
        found = survey(made, TARGETS["ecp5"], whole=False, tell=print)
    assert found.memories_elsewhere == {name: found.blocks[0].size}
    assert found.as_json(1)["memories_elsewhere"] == [name]


@pytest.mark.parametrize("config", [TINY, EDGE16], ids=lambda config: config.name)
def test_no_cycle_of_the_accelerator_holds_too_much_arithmetic(config):
    with design(emit(Accelerator(config)), "stillflow") as made:
        found = words.arithmetic(made.words())
    assert {name: path for name, path in found.items() if path.cost > words.MOST} == {}
    costs = {name: path.cost for name, path in found.items()}
    assert costs["pe_ws_8x8"] == costs["requant_lane_32to8"] == words.MULTIPLICATION
    tree = next(name for name in costs if name.startswith("adder_tree_"))
    assert costs[tree] == words.ADDITION
    assert costs[next(name for name in costs if name.startswith("accumulator_column"))] > 0
    assert costs["stillflow"] == max(costs.values())


@pytest.mark.parametrize(
    ("function", "cost"),
    [
        (lambda a, b, c: a * b * c, 6),
        (lambda a, b, c: a * b + c, 4),
        (lambda a, b, c: a * b + c - a + b, 6),
        (lambda a, b, c: a + b - c + (a & b) - (a | c), 4),
        (lambda a, b, c: (a + b) & ((b + c) ^ (a - c)), 1),
        (lambda a, b, c: a[:3] + b[:3] + c[:3], 0),
        (lambda a, b, c: a, 0),
    ],
)
def test_arithmetic_is_counted_along_a_path(function, cost):
    with design(emit(Work(function), "top"), "top") as made:
        assert words.arithmetic(made.words())["top"].cost == cost


def test_too_much_arithmetic_fails_the_check():
    found = measure_pieces(Work(lambda a, b, c: a * b * c), "gowin")
    message = r"^arithmetic between registers must cost at most 4, not 6: from \S*mul\S* to \S+$"
    with pytest.raises(CheckFailed, match=message):
        found.check()


def test_a_combinational_loop_fails_the_check():
    message = r"^there is a combinational loop at \S+ \(\$(xor|not)\)$"
    with design({"top.v": LOOP, "inverter.v": INVERTER}, "top") as made:
        netlist = made.words()
        with pytest.raises(CheckFailed, match=message):
            words.arithmetic(netlist)


def test_paths_through_the_hierarchy_are_those_of_the_flat_design(tmp_path):
    files = emit(Accelerator(TINY))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    read = (f"read_verilog {' '.join(files)}", "hierarchy -top stillflow")
    flatten = ("write_json deep.json", "flatten -noscopeinfo", "write_json flat.json")
    run_yosys((*read, *words.PASSES, *flatten), tmp_path)
    deep = Netlist.read(tmp_path / "deep.json", "stillflow")
    flat = Netlist.read(tmp_path / "flat.json", "stillflow")
    assert flat.cells("stillflow") == deep.cells("stillflow")
    paths = words.arithmetic(deep), words.arithmetic(flat)
    assert paths[0]["stillflow"].cost == paths[1]["stillflow"].cost
    assert len(deep.rows()) > len(flat.rows()) == 1


def test_command_prints_the_blocks_and_writes_the_report(tmp_path, capsys):
    report = tmp_path / "report.json"
    arguments = ["synth", "tiny", "--target", "ecp5", "--block", "array", "--set", "cols=2"]
    assert main([*arguments, "--set", "requant_lanes=1", "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^stillflow_dataflow_data\S* +1 +\d+ +\d+ +8 ", printed, re.MULTILINE)
    assert re.search(r"^Yosys \S+: synth_ecp5 -noflatten$", printed, re.MULTILINE)
    read = json.loads(report.read_text())
    assert (read["target"], read["top"]) == ("ecp5", "stillflow_dataflow_datapath_array")
    assert read["config"]["cols"] == 2
    assert read["total"]["dsps"] == 8
    assert read["total"]["cells"]["MULT18X18D"] == 8
    assert "luts_per_mac" not in read["total"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "--target", "asic"], r"Invalid value for '--target': 'asic' is not one of .*"),
        (["tiny"], r"Missing option '--target'.*"),
        (["none", "--target", "ecp5"], r"CONFIG must be a TOML file or one of .*, not 'none'"),
        (
            ["tiny", "--target", "ecp5", "--block", "sram"],
            r"--block must be one of sram_1r1w_\w+, .*sram_1r1w_\w+, not 'sram'",
        ),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, message):
    assert main(["synth", *arguments]) == 2
    assert re.fullmatch(rf"stillflow: error: {message}\n", capsys.readouterr().err)


def test_a_block_is_found_by_its_name_or_part_of_it():
    modules = [
        "pe_ws_8x8",
        "stillflow",
        "stillflow_loads",
        "stillflow_loads_nest",
        "stillflow_nest",
    ]
    assert find_block("pe", modules) == "pe_ws_8x8"
    assert find_block("loads", modules) == "stillflow_loads"
    assert find_block("stillflow", modules) == "stillflow"
    message = r"^--block must be one of stillflow_loads_nest, stillflow_nest, not 'nest'$"
    with pytest.raises(ValueError, match=message):
        find_block("nest", modules)
    with pytest.raises(ValueError, match=r"^--block must be one of pe_ws_8x8, .*, not 'alu'$"):
        find_block("alu", modules)

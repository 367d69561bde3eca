import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue]
from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from stillflow.boards.errors import ToolError
from stillflow.boards.verilog import emit
from stillflow.boards.yosys import run_yosys
from stillflow.hw.buffer.sram import Sram
from stillflow.hw.unit import unit

WIDTH = 3


class Cell(wiring.Component):
    """Adds, holds, compares: flip-flops with and without reset and enable, a case."""

    unit_name = "pe"
    unit_key = ()

    i_word: In(WIDTH)
    i_mode: In(2)
    o_word: Out(WIDTH)
    o_flag: Out(1)

    def elaborate(self, platform):
        m = Module()
        plain = Signal(WIDTH, reset_less=True)
        with m.Switch(self.i_mode):
            with m.Case(0):
                m.d.sync += [plain.eq(self.i_word), self.o_flag.eq(0)]
            with m.Case(1):
                m.d.sync += plain.eq(plain + self.i_word)
            with m.Case(2):
                m.d.sync += self.o_flag.eq(plain > self.i_word)
        m.d.comb += self.o_word.eq(plain)
        return m


class Row(wiring.Component):
    """Two cells and some logic of its own."""

    unit_name = "row"
    unit_key = ()

    i_word: In(WIDTH)
    i_mode: In(2)
    o_word: Out(WIDTH)
    o_flag: Out(1)

    def elaborate(self, platform):
        m = Module()
        word, flags = self.i_word, 0
        for n in range(2):
            m.submodules[f"cell_{n}"] = unit(platform, cell := Cell())
            m.d.comb += [cell.i_word.eq(word ^ n), cell.i_mode.eq(self.i_mode)]
            word, flags = cell.o_word, flags ^ cell.o_flag
        m.d.comb += [self.o_word.eq(word), self.o_flag.eq(flags)]
        return m


class Grid(wiring.Component):
    """Two rows as units, and a row that is none."""

    i_word: In(WIDTH)
    i_mode: In(2)
    o_word: Out(WIDTH)
    o_flag: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = unit(platform, first := Row())
        m.submodules.second = unit(platform, second := Row())
        m.submodules.third = third = Row()
        m.d.comb += [
            first.i_word.eq(self.i_word),
            first.i_mode.eq(self.i_mode),
            second.i_word.eq(first.o_word),
            second.i_mode.eq(self.i_mode + 1),
            third.i_word.eq(second.o_word),
            third.i_mode.eq(self.i_mode),
            self.o_word.eq(third.o_word),
            self.o_flag.eq(first.o_flag & second.o_flag | third.o_flag),
        ]
        return m


class Memories(wiring.Component):
    """A table, a memory of flip-flops, two SRAMs of one size."""

    i_addr: In(2)
    o_word: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = memory.Memory(shape=8, depth=4, init=[1, 2, 3, 4])
        m.submodules.scratch = scratch = memory.Memory(shape=8, depth=4, init=[])
        write, scratched = scratch.write_port(), scratch.read_port()
        listed = table.read_port(domain="comb")
        words = []
        for n in range(2):
            m.submodules[f"bank_{n}"] = unit(platform, bank := Sram(depth=1024, width=8))
            m.d.comb += [
                bank.i_read_en.eq(1),
                bank.i_read_addr.eq(self.i_addr),
                bank.i_write_en.eq(self.i_addr[0]),
                bank.i_write_data.eq(scratched.data),
            ]
            words.append(bank.o_read_data)
        m.d.comb += [
            write.en.eq(1),
            write.data.eq(listed.data),
            listed.addr.eq(self.i_addr),
            scratched.addr.eq(self.i_addr),
            self.o_word.eq(words[0] ^ words[1]),
        ]
        return m


def test_one_file_for_each_distinct_module():
    files = emit(Grid(), "grid")
    assert sorted(files) == ["grid.v", "grid_third.v", "pe.v", "row.v"]
    for name, text in files.items():
        assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [name.removesuffix(".v")]
    assert re.findall(r"^  (\w+) (\w+) \($", files["grid.v"], re.MULTILINE) == [
        ("row", "first"),
        ("row", "second"),
        ("grid_third", "third"),
    ]


def test_ports_come_in_the_order_of_the_signature():
    text = emit(Grid(), "grid")["grid.v"]
    assert (
        "module grid(\n  input clk,\n  input rst,\n  input [2:0] i_word,\n  input [1:0] i_mode,\n"
        "  output [2:0] o_word,\n  output o_flag\n);\n"
    ) in text


def compare_with_flat_design(files: dict[str, str], folder: Path) -> str:
    (folder / "gold.il").write_text(rtlil.convert(Grid(), "gold"))
    for name, text in files.items():
        (folder / name).write_text(text)
    prove = ("read_rtlil gold.il", f"read_verilog {' '.join(files)}", "proc")
    prove += ("setattr -mod -unset top *", "flatten", "opt_clean")
    prove += ("miter -equiv -flatten -make_assert gold gate miter",)
    return run_yosys((*prove, "sat -verify -prove-asserts -seq 4 -set-init-zero miter"), folder)


def test_units_are_equivalent_to_the_design_without_units(tmp_path):
    log = compare_with_flat_design(emit(Grid(), "gate"), tmp_path)
    assert "SAT proof finished - no model found: SUCCESS!" in log


def test_a_wrong_unit_is_not_equivalent(tmp_path):
    files = emit(Grid(), "gate")
    files["pe.v"] = files["pe.v"].replace(" > ", " >= ")
    with pytest.raises(ToolError, match=r"^Yosys stopped .* proof did fail!$"):
        compare_with_flat_design(files, tmp_path)


def test_the_same_component_gives_the_same_bytes_in_another_process():
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.boards.test_verilog import Grid, emit
print(*emit(Grid()).values(), sep="", end="")
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {"".join(emit(Grid()).values())}


def test_each_module_says_what_it_is_made_of():
    files = emit(Grid())
    assert "// Cell, tests.boards.test_verilog:\n// Adds, holds, compares: " in files["pe.v"]
    assert "\n// Grid, tests.boards.test_verilog:\n" in files["stillflow.v"]
    assert "\n// Row, tests.boards.test_verilog:\n" in files["stillflow_third.v"]


def test_text_is_plain_and_names_no_place():
    for text in (emit(Grid()) | emit(Memories())).values():
        assert "\\" not in text
        assert "/home" not in text
        assert ".py" not in text
        assert "(*" not in text


def test_srams_are_one_module_and_tables_keep_their_contents():
    files = emit(Memories())
    assert sorted(files) == ["sram_1r1w_1024x8.v", "stillflow.v"]
    assert files["stillflow.v"].count("sram_1r1w_1024x8 bank_") == 2
    assert "table_[3] = 8'h04;" in files["stillflow.v"]
    assert "scratch[0] =" not in files["stillflow.v"]


def test_the_top_must_not_be_called_like_a_unit():
    with pytest.raises(ValueError, match=r"^name must differ from the units' names, not 'row'$"):
        emit(Grid(), "row")

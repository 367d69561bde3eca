import re

import pytest

from stillflow.boards.asic.macros import SramTiming, sram_liberty
from stillflow.boards.yosys import run_yosys


def test_every_pin_of_every_size_is_described(tmp_path):
    names = ("sram_1r1w_64x32", "sram_1r1w_24x5")
    text = sram_liberty(names, SramTiming(access=1.25, setup=0.75))
    (tmp_path / "srams.lib").write_text(text)
    run_yosys(("read_liberty -lib srams.lib", "write_verilog -blackboxes srams.v"), tmp_path)
    verilog = (tmp_path / "srams.v").read_text()
    for name, address, bits in (("sram_1r1w_64x32", 6, 32), ("sram_1r1w_24x5", 5, 5)):
        module = re.search(rf"module {name}\(.*?endmodule", verilog, re.DOTALL)
        assert module is not None
        for way, high, port in (
            ("input", address, "i_read_addr"), ("input", address, "i_write_addr"),
            ("input", bits, "i_write_data"), ("output", bits, "o_read_data"),
        ):  # fmt: skip
            assert re.search(rf"{way} \[{high - 1}:0\] {port};", module[0])
        for pin in ("clk", "i_read_en", "i_write_en"):
            assert re.search(rf"input {pin};", module[0])
    assert text.count('values ("1.25, 1.25")') == 2 * len(names)
    assert text.count('values ("0.75, 0.75")') == 2 * 5 * len(names)


@pytest.mark.parametrize("names", [(), ("sram_1r1w_16x16",)])
def test_braces_meet(names):
    text = sram_liberty(names, SramTiming())
    assert text.count("{") == text.count("}")

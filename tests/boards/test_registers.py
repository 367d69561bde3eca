"""The register map as PeakRDL reads it, against the tables of the hardware."""

import re

import pytest
from peakrdl.main import main as peakrdl

from stillflow.boards.registers import register_description
from stillflow.hw.csr import COUNTER_BASE, REGISTERS, Counter
from stillflow.hw.presets import PRESETS


@pytest.fixture
def description(tmp_path, monkeypatch):
    path = tmp_path / "stillflow.rdl"
    path.write_text(register_description(PRESETS["tiny"]))

    def export(kind, target):
        monkeypatch.setattr("sys.argv", ["peakrdl", kind, str(path), "-o", str(target)])
        peakrdl()
        return target

    return export


def test_ip_xact_has_every_register_at_its_place(description, tmp_path):
    text = description("ip-xact", tmp_path / "stillflow.xml").read_text()
    found = dict(
        re.findall(
            r"<ipxact:register>\s*<ipxact:name>(\w+)</ipxact:name>.*?"
            r"<ipxact:addressOffset>'h([0-9A-Fa-f]+)</ipxact:addressOffset>",
            text,
            re.DOTALL,
        )
    )
    wanted = {register.name: register.offset for register in REGISTERS}
    for counter in Counter:
        wanted[f"{counter.name}_LOW"] = COUNTER_BASE + 8 * counter
        wanted[f"{counter.name}_HIGH"] = COUNTER_BASE + 8 * counter + 4
    assert {name: int(offset, 16) for name, offset in found.items()} == wanted


def test_html_and_c_header_are_made(description, tmp_path):
    assert (description("html", tmp_path / "html") / "index.html").exists()
    header = description("c-header", tmp_path / "map.h").read_text()
    assert re.search(r"PROGRAM_ADDRESS", header)

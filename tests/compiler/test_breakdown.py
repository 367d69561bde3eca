import pytest

from stillflow.compiler.breakdown import LEVELS, breakdown
from stillflow.compiler.counts import OPERANDS, Accesses, EnergyCosts
from stillflow.hw.presets import TINY

NAMES = [name for name in Accesses().as_report() if name.endswith(OPERANDS)]


def entry(**values):
    """One layer of a report: nothing happened but what is given."""
    counts = Accesses(**{name: values.pop(name) for name in list(values) if name in NAMES})
    return {"macs": 0, "dram_read_bytes": 0, "dram_write_bytes": 0} | values | counts.as_report()


def test_each_access_counts_at_its_level_for_its_operand():
    costs = EnergyCosts(spad=2, noc=3, glb=5, dram=7)
    level_of = {"glb": ("glb", 5), "act": ("glb", 5), "spa": ("spad", 2), "noc": ("noc", 3)}
    for name in NAMES:
        found = breakdown(entry(**{name: 10}), TINY, costs)
        level, cost = level_of[name[:3]]
        operand = name.rsplit("_", 1)[1]
        assert found.parts[level, operand] == 10 * cost
        moved = found.total - 10 * cost  # what is filled into the filter buffer came from DRAM
        assert moved == 0 or name == "glb_fills_filter"


def test_dram_words_belong_to_who_fills_or_spills_them():
    found = breakdown(
        entry(macs=4, dram_read_bytes=100, dram_write_bytes=8, glb_fills_filter=60), TINY,
        EnergyCosts(spad=0, noc=0, glb=0, dram=2),
    )  # fmt: skip
    assert [found.parts["dram", operand] for operand in OPERANDS] == [80, 120, 16]
    assert (found.alu, found.total) == (4, 220)
    assert sum(found.level(level) for level in LEVELS) == pytest.approx(found.total)
    assert sum(found.operand(o) for o in OPERANDS) + found.alu == pytest.approx(found.total)
    assert sum(found.as_report().values()) == pytest.approx(found.total)

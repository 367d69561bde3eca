import json

import numpy as np
import pytest

from stillflow.boards import bench as module
from stillflow.boards.cli import main
from stillflow.compiler.driver import Driver
from stillflow.hw.presets import TINY
from stillflow.sim.execute import execute
from tests.compiler.test_report import FIELDS, SUMS

TABLE = """layer,type,N,G,C,M,H,W,R,S,stride,pad,dilation,note
first,conv,1,1,3,8,9,9,3,3,2x1,1/0/1/2,1,rgb
depth,conv,2,8,8,8,6,6,3,3,1,1,2,
dense,fc,1,1,40,10,1,1,1,1,1,0,1,
larger,maxpool,1,1,9,9,6,6,2,2,2,0,1,
mean,avgpool,1,1,9,9,6,6,3,3,1,1,1,
"""
NAMES = ["first", "depth", "dense", "larger", "mean"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def benched(table, *arguments):
    path = table.with_name("report.json")
    assert main(["bench", str(table), "--config", "tiny", *arguments, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_a_table_runs_exactly_and_reports_every_field(table, capsys):
    report = benched(table)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert all(name in captured.out for name in [*NAMES, "total", "table on tiny, verilator"])
    assert report["bit_exact"] is True
    assert (report["workload"], report["engine"]) == ("table", "verilator")
    assert report["config"] == TINY.keys()
    assert [entry["name"] for entry in report["layers"]] == NAMES
    assert [entry["op"] for entry in report["layers"]] == [
        "conv", "conv", "fc", "maxpool", "avgpool",
    ]  # fmt: skip
    for entry in report["layers"]:
        assert set(entry) >= FIELDS
        assert entry["mismatches"] == 0
        assert entry["cycles"] > 0
        assert 0 < entry["roofline_efficiency"] <= 1
        assert 0 <= entry["utilization"] <= 1
    for key in SUMS:
        assert report["total"][key] == sum(entry[key] for entry in report["layers"]), key


def test_layers_and_batch_are_taken(table):
    report = benched(table, "--layers", "dense,first", "--batch", "3")
    first, dense = report["layers"]
    assert (first["name"], dense["name"]) == ("first", "dense")
    assert dense["macs"] == 3 * 400


def test_a_layer_costs_the_same_alone_in_a_table_and_side_by_side(table):
    together = benched(table)
    side_by_side = benched(table, "--jobs", "2")
    assert side_by_side == together
    alone = benched(table, "--layers", "depth")["layers"][0]
    # The way to the interrupt belongs to the last layer.
    entry = together["layers"][1]
    extra = [alone.pop(key) - entry.pop(key) for key in ("cycles", "predicted_cycles")]
    assert 0 <= extra[0] == extra[1] <= 400
    for key in ("utilization", "roofline_efficiency", "energy", "dram_write_bytes"):
        del alone[key], entry[key]
    assert alone == entry


def test_the_seed_decides_on_the_words_and_not_on_the_cycles(table, monkeypatch):
    words = []

    def keep(*arguments, **options):
        words.append(execute(*arguments, **options))
        return words[-1]

    monkeypatch.setattr(module, "execute", keep)
    one, same, other = (benched(table, "--seed", seed) for seed in ("1", "1", "2"))
    first, again, third = (outcome.tensors["dense:ofmap"] for outcome in words)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != third)
    assert one == same
    assert one["total"]["cycles"] == other["total"]["cycles"]


def test_the_memory_is_as_slow_as_told(table):
    fast = benched(table, "--dram-latency", "1")["total"]
    slow = benched(table, "--dram-latency", "100")["total"]
    narrow = benched(table, "--dram-latency", "1", "--dram-bytes-per-cycle", "1")["total"]
    assert fast["cycles"] < slow["cycles"]
    assert fast["cycles"] < narrow["cycles"]
    assert fast["dram_read_bytes"] == slow["dram_read_bytes"] == narrow["dram_read_bytes"]
    assert narrow["ideal_cycles"] > fast["ideal_cycles"]


@pytest.mark.parametrize("timing", [(), ("--dram-latency", "3", "--dram-bytes-per-cycle", "3")])
def test_the_cost_model_reports_the_figures_of_the_rtl(table, timing):
    rtl, model = benched(table, *timing), benched(table, "--engine", "model", *timing)
    assert model["engine"] == "model"
    assert model["bit_exact"] is None
    for one, other in zip(
        [*rtl["layers"], rtl["total"]], [*model["layers"], model["total"]], strict=True
    ):
        assert one.pop("mismatches") == 0
        assert other.pop("mismatches") is None
        assert one == other
        assert one["predicted_cycles"] == one["cycles"]


def test_a_waveform_is_written_by_the_engine_that_was_asked_for(table):
    wave = table.with_name("wave.vcd")
    report = benched(table, "--layers", "dense", "--engine", "pysim", "--wave", str(wave))
    assert report["engine"] == "pysim"
    assert report["bit_exact"] is True
    assert "$enddefinitions" in wave.read_text()
    assert report["layers"] == benched(table, "--layers", "dense")["layers"]


def test_one_flipped_weight_is_status_1_and_reported(table, monkeypatch, capsys):
    load = Driver.load

    def load_and_flip(driver, program):
        load(driver, program)
        address = program.layers[0].descriptor["filter_address"]
        (byte,) = driver.transport.read_memory(address, 1)
        driver.transport.write_memory(address, bytes([byte ^ 0x40]))

    monkeypatch.setattr(Driver, "load", load_and_flip)
    path = table.with_name("report.json")
    assert main(["bench", str(table), "--config", "tiny", "--json", str(path)]) == 1
    report = json.loads(path.read_text())
    assert report["bit_exact"] is False
    wrong = [entry["mismatches"] for entry in report["layers"]]
    assert wrong[0] > 0
    assert not np.any(wrong[1:])
    assert capsys.readouterr().err == (
        f"stillflow: error: {wrong[0]} words differ from the golden model\n"
    )

import json

import pytest

from stillflow.boards.cli import main
from stillflow.compiler.estimate import dram_bytes
from stillflow.compiler.printer import print_nest
from stillflow.compiler.program import map_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import load_workload
from stillflow.hw.presets import EDGE8


def mapped(tmp_path, *arguments):
    path = tmp_path / "nests.json"
    assert main(["map", *arguments, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_the_nests_of_a_network_are_printed_and_reported(tmp_path, capsys):
    report = mapped(tmp_path, "lenet5", "--config", "edge8")
    out = capsys.readouterr().out
    assert {"stillflow", "config", "workload", "objective", "layers"} <= set(report)
    assert report["config"] == EDGE8.keys()
    assert (report["workload"], report["objective"]) == ("lenet5", "cycles")
    network = synthetic_network(load_workload("lenet5"), EDGE8, seed=0, weights=False)
    for entry, (layer, mapping) in zip(report["layers"], map_network(network, EDGE8), strict=True):
        assert (entry["name"], entry["op"]) == (layer.name, layer.op)
        assert entry["predicted_cycles"] > 0
        assert (entry["dram_read_bytes"], entry["dram_write_bytes"]) == dram_bytes(mapping)
        assert entry["nest"] == print_nest(mapping)
        assert entry["nest"] in out
        assert f"{layer.name} ({layer.op}): about {entry['predicted_cycles']:,} cycles" in out


def test_layers_batch_and_keys_are_taken(tmp_path):
    one = mapped(tmp_path, "alexnet", "--config", "tiny", "--layers", "CONV2")
    four = mapped(tmp_path, "alexnet", "--config", "tiny", "--layers", "CONV2", "--batch", "4")
    assert [entry["name"] for entry in one["layers"]] == ["CONV2"]
    ratio = four["layers"][0]["predicted_cycles"] / one["layers"][0]["predicted_cycles"]
    assert 3.5 < ratio < 4.5
    wider = mapped(
        tmp_path, "alexnet", "--config", "tiny", "--layers", "CONV2", "--set", "rows=8", "--set",
        "glb_kib=16",
    )  # fmt: skip
    assert wider["config"]["rows"] == 8
    assert wider["layers"][0]["predicted_cycles"] < one["layers"][0]["predicted_cycles"]


def test_the_objective_is_taken(tmp_path):
    moved = {}
    for objective in ("cycles", "dram"):
        report = mapped(tmp_path, "alexnet", "--config", "tiny", "--objective", objective)
        assert report["objective"] == objective
        moved[objective] = [
            entry["dram_read_bytes"] + entry["dram_write_bytes"] for entry in report["layers"]
        ]
    assert all(d <= c for d, c in zip(moved["dram"], moved["cycles"], strict=True))
    assert moved["dram"] != moved["cycles"]


@pytest.mark.parametrize("workload", ["mobilenetv1", "resnet18"])
def test_every_layer_of_the_surveys_networks_has_a_nest_on_the_smallest_preset(tmp_path, workload):
    report = mapped(tmp_path, workload, "--config", "tiny")
    assert len(report["layers"]) == len(load_workload(workload).entries)

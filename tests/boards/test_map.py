import json

import pytest

from stillflow.boards.cli import main
from stillflow.compiler.printer import print_nest
from stillflow.compiler.program import map_network
from stillflow.compiler.synthetic import synthetic_network
from stillflow.compiler.workload import load_workload
from stillflow.hw.presets import EDGE8, TINY


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
        assert entry["predicted_cycles"] == entry["cycles"] > 0
        assert entry["nest"] == print_nest(mapping)
        assert entry["nest"] in out
        assert f"{layer.name} ({layer.op}): {entry['predicted_cycles']:,} cycles (" in out
        assert f"energy {entry['energy']:.4g}" in out


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
        arguments = ["alexnet", "--config", "tiny", "--layers", "CONV1,CONV3"]
        report = mapped(tmp_path, *arguments, "--objective", objective)
        assert report["objective"] == objective
        moved[objective] = [
            entry["dram_read_bytes"] + entry["dram_write_bytes"] for entry in report["layers"]
        ]
    assert sum(moved["dram"]) < sum(moved["cycles"])
    assert moved["dram"] != moved["cycles"]


@pytest.mark.parametrize("workload", ["mobilenetv1", "resnet18"])
def test_every_layer_of_the_surveys_networks_has_a_nest_on_the_smallest_preset(workload):
    network = synthetic_network(load_workload(workload), TINY, seed=0, weights=False)
    assert len(list(map_network(network, TINY))) == len(load_workload(workload).entries)


def test_a_table_of_costs_changes_energies_and_choices(tmp_path):
    costs = tmp_path / "costs.toml"
    costs.write_text("spad = 0\nnoc = 0\nglb = 0\ndram = 1.5\n")
    arguments = ["alexnet", "--config", "tiny", "--layers", "CONV3,CONV4", "--objective", "energy"]
    far = mapped(tmp_path, *arguments, "--energy-costs", str(costs))["layers"]
    for entry in far:
        moved = entry["dram_read_bytes"] + entry["dram_write_bytes"]
        assert entry["energy"] == entry["macs"] + 1.5 * moved
    costs.write_text("spad = 0\nnoc = 0\nglb = 1\ndram = 0\n")
    near = mapped(tmp_path, *arguments, "--energy-costs", str(costs))["layers"]
    assert [e["nest"] for e in near] != [e["nest"] for e in far]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mac = 1", "costs.toml: keys must be among spad, noc, glb, dram, not mac"),
        ("dram = -1", "costs.toml: dram must be a number from 0 on, not -1"),
        ("glb = 'much'", "costs.toml: glb must be a number from 0 on, not 'much'"),
        ("glb =", "costs.toml: Invalid value"),
    ],
)
def test_a_wrong_table_of_costs_is_bad_input(tmp_path, capsys, text, message):
    costs = tmp_path / "costs.toml"
    costs.write_text(text)
    arguments = ["map", "lenet5", "--config", "tiny", "--energy-costs", str(costs)]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err

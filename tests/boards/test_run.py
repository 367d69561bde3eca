import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from stillflow.boards import run as module
from stillflow.boards.cli import main
from stillflow.boards.inputs import random_inputs, read_inputs
from stillflow.compiler.driver import Driver
from stillflow.compiler.frontend import load_network
from stillflow.compiler.models import DIGITS, load_digits
from stillflow.hw.presets import TINY
from stillflow.sim.oracle import Oracle
from tests.compiler.test_report import FIELDS


def ort(model, inputs):
    """Give the answers of ONNX Runtime by output name."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = map(np.asarray, session.run(names, inputs))
    return dict(zip(names, answers, strict=True))


@pytest.fixture
def words_model(tmp_path):
    """QOperator model of batch 2 with words as input and output: uint8 ``x`` and ``y``."""
    rng = np.random.default_rng(6)
    constants = {
        "xs": np.float32(0.02), "xz": np.uint8(120),
        "w": rng.integers(-63, 64, (6, 5, 3, 3)).astype(np.int8),
        "ws": rng.uniform(0.01, 0.02, 6).astype(np.float32), "wz": np.zeros(6, np.int8),
        "ys": np.float32(0.1), "yz": np.uint8(124),
        "b": rng.integers(-2000, 2000, 6).astype(np.int32),
    }  # fmt: skip
    node = helper.make_node(
        "QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], "conv",
        pads=[1, 1, 1, 1],
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [2, 5, 6, 7])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [2, 6, 6, 7])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "words.onnx"
    onnx.save(model, path)
    return path


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def test_digits_run_exactly_and_give_onnx_runtimes_scores(tmp_path, capsys):
    images = load_digits()[0][:2]
    source = save(tmp_path / "x.npz", image=images)
    target, report_path = tmp_path / "y.npz", tmp_path / "report.json"
    arguments = ["--input", source, "--output", str(target), "--json", str(report_path)]
    assert main(["run", str(DIGITS), "--config", "tiny", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "2 run(s): 0 words differ from the golden model, 0 from ONNX Runtime" in captured.out
    report = json.loads(report_path.read_text())
    assert (report["workload"], report["engine"]) == ("digits", "verilator")
    assert report["config"] == TINY.keys()
    assert (report["bit_exact"], report["runs"], report["onnxruntime_differences"]) == (True, 2, 0)
    assert all(set(entry) >= FIELDS for entry in report["layers"])
    assert [entry["op"] for entry in report["layers"]].count("conv") == 2
    with np.load(target) as outputs:
        assert outputs.files == ["scores"]
        assert outputs["scores"].dtype == np.float32
        for image, scores in zip(images, outputs["scores"], strict=True):
            np.testing.assert_array_equal(scores, ort(DIGITS, {"image": image[None]})["scores"][0])


def test_words_in_and_out_in_batches_of_the_models_size(words_model, tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (6, 5, 6, 7)).astype(np.uint8)
    source, target = save(tmp_path / "x.npz", x=x), tmp_path / "y.npz"
    arguments = ["--config", "tiny", "--input", source, "--output", str(target)]
    report_path = tmp_path / "report.json"
    assert main(["run", str(words_model), *arguments, "--json", str(report_path)]) == 0
    with np.load(target) as outputs:
        y = outputs["y"]
    assert (y.dtype, y.shape) == (np.uint8, (6, 6, 6, 7))
    for k in range(3):
        part = slice(2 * k, 2 * k + 2)
        np.testing.assert_array_equal(y[part], ort(words_model, {"x": x[part]})["y"])
    report = json.loads(report_path.read_text())
    assert report["runs"] == 3
    assert [entry["name"] for entry in report["layers"]] == ["conv"]
    assert report["layers"][0]["macs"] == 2 * 6 * 5 * 9 * 42


def test_means_that_onnx_runtime_rounds_twice_are_counted_apart(tmp_path, capsys):
    """With an odd zero point ONNX Runtime's ties go the other way: one step, in that layer only."""
    scales = {"s": np.float32(2**-6), "z": np.uint8(3)}
    nodes = [
        helper.make_node(
            "QLinearAveragePool", ["x", "s", "z", "s", "z"], ["p"], "pool",
            domain="com.microsoft", kernel_shape=[2, 2], strides=[2, 2],
        ),
        helper.make_node("MaxPool", ["p"], ["y"], "largest", kernel_shape=[2, 2]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 5, 12, 12])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 5, 5, 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in scales.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path, report_path = tmp_path / "means.onnx", tmp_path / "report.json"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    assert main(["run", str(path), "--config", "tiny", "--json", str(report_path)]) == 0
    report = json.loads(report_path.read_text())
    assert (report["bit_exact"], report["onnxruntime_differences"]) == (True, 0)
    assert 10 < report["onnxruntime_roundings"] < 100
    rounded = report["onnxruntime_roundings"]
    said = f"0 from ONNX Runtime ({rounded} where it rounds in float arithmetic)"
    assert said in " ".join(capsys.readouterr().out.split())


def test_layers_side_by_side_report_the_same(tmp_path):
    reports = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        arguments = ["--config", "tiny", "--jobs", jobs, "--json", str(path)]
        assert main(["run", str(DIGITS), *arguments]) == 0
        reports.append(json.loads(path.read_text()))
    assert reports[0] == reports[1]


def test_the_cost_model_reports_the_figures_of_the_rtl_and_the_same_outputs(tmp_path):
    reports, scores = [], []
    for engine in ("verilator", "model"):
        path, target = tmp_path / f"{engine}.json", tmp_path / f"{engine}.npz"
        arguments = ["--engine", engine, "--json", str(path), "--output", str(target)]
        assert main(["run", str(DIGITS), "--config", "tiny", *arguments]) == 0
        reports.append(json.loads(path.read_text()))
        assert reports[-1].pop("engine") == engine
        with np.load(target) as outputs:
            scores.append(outputs["scores"])
    assert reports[0] == reports[1]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_random_inputs_are_seeded_and_use_the_whole_range(words_model):
    network = load_network(words_model)
    one, same, other = (random_inputs(network, seed)["x"] for seed in (1, 1, 2))
    assert (one.dtype, one.shape) == (np.uint8, (2, 5, 6, 7))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    assert one.min() < 10
    assert one.max() > 245
    image = random_inputs(load_network(DIGITS), 0)["image"]
    assert (image.dtype, image.shape) == (np.float32, (1, 1, 32, 32))
    assert np.unique(image).size > 200


def test_inputs_are_split_into_runs(tmp_path, words_model):
    x = np.arange(4 * 5 * 6 * 7).astype(np.uint8).reshape(4, 5, 6, 7)
    batches = read_inputs(tmp_path / save(tmp_path / "x.npz", x=x), load_network(words_model))
    assert len(batches) == 2
    np.testing.assert_array_equal(np.concatenate([batch["x"] for batch in batches]), x)


def flip_a_weight(monkeypatch):
    load = Driver.load

    def load_and_flip(driver, program):
        load(driver, program)
        address = program.layers[0].descriptor["filter_address"]
        (byte,) = driver.transport.read_memory(address, 1)
        driver.transport.write_memory(address, bytes([byte ^ 0x40]))

    monkeypatch.setattr(Driver, "load", load_and_flip)


def test_a_flipped_weight_is_status_1_but_results_are_written(
    words_model, tmp_path, monkeypatch, capsys
):
    flip_a_weight(monkeypatch)
    target, report_path = tmp_path / "y.npz", tmp_path / "report.json"
    arguments = ["--config", "tiny", "--output", str(target), "--json", str(report_path)]
    assert main(["run", str(words_model), *arguments]) == 1
    report = json.loads(report_path.read_text())
    assert report["bit_exact"] is False
    count = report["total"]["mismatches"]
    assert count > 0
    assert report["onnxruntime_differences"] >= count
    assert capsys.readouterr().err == (
        f"stillflow: error: {count} words differ from the golden model\n"
    )
    assert target.exists()


def test_a_difference_to_onnx_runtime_alone_is_status_1_too(
    words_model, tmp_path, monkeypatch, capsys
):
    model = onnx.load(words_model)
    for initializer in model.graph.initializer:
        if initializer.name == "b":
            bias = numpy_helper.to_array(initializer) + np.array([0, 0, 0, 0, 0, 10_000])
            initializer.CopyFrom(numpy_helper.from_array(bias.astype(np.int32), "b"))
    other = tmp_path / "other.onnx"
    onnx.save(model, other)
    monkeypatch.setattr(module, "Oracle", lambda path, network, batch: Oracle(other, network))
    assert main(["run", str(words_model), "--config", "tiny"]) == 1
    line = capsys.readouterr().err
    count = int(line.split()[2])
    assert line == f"stillflow: error: {count} words differ from ONNX Runtime\n"
    assert count > 0


def test_a_batch_replaces_the_models_own(tmp_path, capsys):
    images, _ = load_digits()
    given, found = tmp_path / "x.npz", tmp_path / "y.npz"
    np.savez(given, image=images[:3])
    options = ["--config", "tiny", "--input", str(given), "--output", str(found), "--batch", "3"]
    assert main(["run", str(DIGITS), *options]) == 0
    assert "1 run(s): 0 words differ" in capsys.readouterr().out
    answers = [ort(DIGITS, {"image": images[i : i + 1]})["scores"] for i in range(3)]
    np.testing.assert_array_equal(np.load(found)["scores"], np.concatenate(answers))

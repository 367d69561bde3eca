"""Quantised networks of the zoo against ONNX Runtime."""

import numpy as np
import pytest

from stillflow.compiler.frontend import load_network, quantize
from stillflow.compiler.graph import ConvLayer
from stillflow.compiler.zoo import NETWORKS, write_model
from stillflow.sim.golden.network import run_network
from stillflow.sim.oracle import Oracle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("zoo")


def checked(path):
    """Network of a model whose every tensor is as ONNX Runtime computes it."""
    network = load_network(path)
    (port,) = network.inputs
    tensor = network.tensors[port.tensor]
    words = np.random.default_rng(3).integers(0, 256, port.shape)
    image = ((words - tensor.zero_point) * tensor.scale).astype(np.float32)
    golden = run_network(network, {port.tensor: quantize(port, tensor, image)})
    oracle = Oracle(path, network)
    found = oracle.differences(golden, oracle.run({port.name: image}, golden))
    assert found.wrong == 0
    return network


@pytest.mark.parametrize("form", ["qdq", "qoperator"])
def test_lenet_is_exact_in_both_forms(folder, form):
    path = folder / f"lenet5-{form}.onnx"
    write_model(NETWORKS["lenet5"], path, form=form)
    names = [layer.name.removesuffix("_quant") for layer in checked(path).layers]
    assert names == ["C1", "S2", "C3", "S4", "C5", "F6", "OUT"]


def test_shortcuts_and_activations_are_fused(folder):
    path = folder / "resnet18.onnx"
    write_model(NETWORKS["resnet18"], path)
    network = checked(path)
    assert len(network.layers) == 23  # 20 convolutions, two poolings, the product
    assert sum(layer.joined is not None for layer in network.layers) == 8
    assert all(isinstance(layer, ConvLayer) for layer in network.layers if layer.joined)


def test_inception_is_written_in_place(folder):
    path = folder / "googlenet.onnx"
    write_model(NETWORKS["googlenet"], path)
    network = load_network(path)
    parts = [layer for layer in network.layers if network.tensors[layer.ofmap].part]
    assert len(parts) == 4 * 9
    assert all(layer.op == "conv" for layer in parts)
    assert [layer.name for layer in network.layers if layer.op == "lrn"] == ["norm1", "norm2"]
    assert sum(layer.op == "avgpool" for layer in network.layers) == 3  # two squares, the mean

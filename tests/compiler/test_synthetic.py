import numpy as np
import pytest

from stillflow.compiler.graph import ConvLayer, PoolLayer
from stillflow.compiler.synthetic import synthetic_inputs, synthetic_network
from stillflow.compiler.workload import Workload, WorkloadLayer, load_workload
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import TINY
from stillflow.sim.golden.network import run_network
from tests.networks import WIDE

TABLE = Workload(
    name="table",
    entries=(
        WorkloadLayer(name="large", type="conv", shape=ConvShape(
            C=32, M=24, H=14, W=14, R=3, S=3, pad=(1, 1, 1, 1))),
        WorkloadLayer(name="small", type="conv", shape=ConvShape(C=1, M=40, H=12, W=12)),
        WorkloadLayer(name="depthwise", type="conv", shape=ConvShape(
            N=2, G=16, C=16, M=32, H=15, W=15, R=5, S=5, stride=(2, 2))),
        WorkloadLayer(name="dense", type="fc", shape=ConvShape(C=400, M=500, N=3)),
        WorkloadLayer(name="max", type="maxpool", shape=PoolShape(C=20, H=9, W=9, R=3, S=3)),
        WorkloadLayer(name="mean", type="avgpool", shape=PoolShape(C=20, H=9, W=9, R=3, S=3)),
    ),
)  # fmt: skip
CONFIGS = pytest.mark.parametrize("config", [TINY, WIDE], ids=lambda config: config.name)


@CONFIGS
@pytest.mark.parametrize("seed", range(3))
def test_few_words_saturate_and_all_of_the_range_is_used(config, seed):
    network = synthetic_network(TABLE, config, seed=seed)
    inputs = dict(synthetic_inputs(network, seed=seed))
    words = run_network(network, inputs)
    info = np.iinfo(network.tensors["large:ifmap"].dtype)
    for layer in network.layers:
        ofmap = words[layer.ofmap].astype(int)
        saturated = np.isin(ofmap, (info.min, info.max)).mean()
        # The maximum of nine uniform words is often the largest word: that is no saturation.
        assert saturated < 0.05 or layer.op == "maxpool", layer.name
        assert np.ptp(ofmap) > 0.4 * (info.max - info.min), layer.name


@CONFIGS
def test_layers_have_tensors_of_their_own_in_the_words_of_the_hardware(config):
    network = synthetic_network(TABLE, config, seed=0)
    dtype = f"int{config.act_bits}"
    assert [layer.name for layer in network.layers] == [entry.name for entry in TABLE.entries]
    assert {tensor.dtype for tensor in network.tensors.values()} == {dtype}
    assert len(network.tensors) == 2 * len(TABLE.entries)
    assert {port.tensor for port in network.inputs} == {layer.ifmap for layer in network.layers}
    assert {port.tensor for port in network.outputs} == {layer.ofmap for layer in network.layers}
    for layer, entry in zip(network.layers, TABLE.entries, strict=True):
        assert layer.shape == entry.shape
        source, target = network.tensors[layer.ifmap], network.tensors[layer.ofmap]
        assert source.shape == (entry.shape.N, entry.shape.C, entry.shape.H, entry.shape.W)
        assert target.shape[2:] == (entry.shape.E, entry.shape.F)
        if isinstance(layer, ConvLayer):
            assert layer.filters.dtype == f"int{config.weight_bits}"
            assert np.unique(layer.scale).size == layer.scale.size
            assert layer.op == entry.type
        elif layer.op == "maxpool":
            assert source.zero_point == target.zero_point


@CONFIGS
def test_words_are_uniform_over_their_types(config):
    network = synthetic_network(TABLE, config, seed=3)
    info = np.iinfo(f"int{config.act_bits}")
    words = [array.ravel() for array in synthetic_inputs(network, seed=3).values()]
    conv = network.layers[0]
    assert isinstance(conv, ConvLayer)
    for drawn, word in (
        (np.concatenate(words), info),
        (conv.filters, np.iinfo(conv.filters.dtype)),
    ):
        counts, _ = np.histogram(drawn, bins=8, range=(word.min, word.max + 1))
        assert np.all(abs(counts / drawn.size - 1 / 8) < 0.02)


def test_the_seed_decides_and_a_layer_does_not_depend_on_its_neighbours_parameters():
    one, same, other = (synthetic_network(TABLE, TINY, seed=seed).layers[0] for seed in (1, 1, 2))
    for layer in (one, same, other):
        assert isinstance(layer, ConvLayer)
    for key in ("filters", "bias", "scale"):
        np.testing.assert_array_equal(getattr(one, key), getattr(same, key))
        assert np.any(getattr(one, key) != getattr(other, key))
    network = synthetic_network(TABLE, TINY, seed=1)
    for a, b, c in zip(
        *(synthetic_inputs(network, seed=seed).values() for seed in (1, 1, 2)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert np.any(a != c)


def test_shapes_alone_make_no_weights():
    vgg = load_workload("vgg16")
    network = synthetic_network(vgg, TINY, seed=0, weights=False)
    for layer, entry in zip(network.layers, vgg.entries, strict=True):
        assert layer.shape == entry.shape
        assert isinstance(layer, PoolLayer) or layer.filters.size == 0

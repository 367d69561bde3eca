from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.graph import ConvLayer, Network, PoolLayer, Port, Tensor, clip_range
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.sim.golden.network import run_layer, run_network

act_types = st.sampled_from(["int8", "uint8"])
seeds = st.integers(0, 2**32 - 1)


def scalar(value, dtype):
    return np.array(value, dtype)


def conv_layer(draw_words, oracle_weights, rng, shape, ifmap_type, ofmap_type, *, per_channel=True):
    """Draw a layer whose ofmap mostly stays within its type, with the scales it comes from."""
    filters = oracle_weights(
        draw_words(rng, "int8", (shape.M, shape.C // shape.G, shape.R, shape.S))
    )
    bias = rng.integers(-5000, 5000, shape.M)
    x_scale = np.float32(rng.uniform(0.001, 0.1))
    w_scale = rng.uniform(0.001, 0.1, shape.M if per_channel else 1).astype(np.float32)
    deviation = 75 * 75 * (shape.C // shape.G * shape.R * shape.S) ** 0.5
    y_scale = np.float32(x_scale * w_scale.max() * deviation / 64)
    act_min, act_max = clip_range(ofmap_type)
    layer = ConvLayer(
        name="layer", op="conv", shape=shape, ifmap="x", ofmap="y", filters=filters, bias=bias,
        scale=np.broadcast_to((x_scale * w_scale) / y_scale, shape.M),
        act_min=act_min, act_max=act_max,
    )  # fmt: skip
    x = Tensor(
        name="x", shape=(shape.N, shape.C, shape.H, shape.W), dtype=ifmap_type,
        scale=float(x_scale), zero_point=int(draw_words(rng, ifmap_type, ())),
    )  # fmt: skip
    y = Tensor(
        name="y", shape=(shape.N, shape.M, shape.E, shape.F), dtype=ofmap_type,
        scale=float(y_scale), zero_point=int(draw_words(rng, ofmap_type, ())),
    )  # fmt: skip
    return layer, x, y, w_scale


@st.composite
def conv_shapes(draw):
    def small(low, high):
        return draw(st.integers(low, high))

    depthwise = draw(st.booleans())
    G = small(1, 20) if depthwise else small(1, 3)
    R, S = small(1, 4), small(1, 4)
    dilation = (small(1, 3), small(1, 3))
    pad = (small(0, 3), small(0, 3), small(0, 3), small(0, 3))
    return ConvShape(
        N=small(1, 2), G=G, C=G if depthwise else G * small(1, 9),
        M=G * small(1, 2 if depthwise else 9),
        H=(R - 1) * dilation[0] + small(1, 6), W=(S - 1) * dilation[1] + small(1, 6), R=R, S=S,
        stride=(small(1, 3), small(1, 3)), pad=pad, dilation=dilation,
    )  # fmt: skip


@given(
    shape=conv_shapes(),
    dtype=act_types,
    per_channel=st.booleans(),
    extreme=st.booleans(),
    seed=seeds,
)
def test_conv_matches_onnx_runtime(
    run_node, draw_words, oracle_weights, shape, dtype, per_channel, extreme, seed
):
    rng = np.random.default_rng(seed)
    layer, x, y, w_scale = conv_layer(
        draw_words, oracle_weights, rng, shape, dtype, dtype, per_channel=per_channel
    )
    ifmap = draw_words(rng, dtype, x.shape, extreme=extreme)
    theirs = run_node(
        "QLinearConv",
        [
            ifmap,
            np.float32(x.scale),
            scalar(x.zero_point, dtype),
            layer.filters,
            w_scale if per_channel else w_scale[0],
            np.zeros(w_scale.shape if per_channel else (), np.int8),
            np.float32(y.scale),
            scalar(y.zero_point, dtype),
            layer.bias.astype(np.int32),
        ],
        kernel_shape=[shape.R, shape.S],
        strides=list(shape.stride),
        pads=list(shape.pad),
        dilations=list(shape.dilation),
        group=shape.G,
    )
    np.testing.assert_array_equal(run_layer(layer, ifmap, x, y), theirs)


@given(N=st.integers(1, 5), C=st.integers(1, 70), M=st.integers(1, 40), dtype=act_types, seed=seeds)
def test_matrix_product_matches_onnx_runtime(
    run_node, draw_words, oracle_weights, N, C, M, dtype, seed
):
    rng = np.random.default_rng(seed)
    shape = ConvShape(N=N, C=C, M=M)
    layer, x, y, w_scale = conv_layer(
        draw_words, oracle_weights, rng, shape, dtype, dtype, per_channel=False
    )
    layer = replace(layer, op="fc", bias=np.zeros(M, np.int64))
    ifmap = draw_words(rng, dtype, x.shape)
    theirs = run_node(
        "QLinearMatMul",
        [
            ifmap[:, :, 0, 0],
            np.float32(x.scale),
            scalar(x.zero_point, dtype),
            np.ascontiguousarray(layer.filters[:, :, 0, 0].T),
            w_scale[0],
            scalar(0, "int8"),
            np.float32(y.scale),
            scalar(y.zero_point, dtype),
        ],
    )
    np.testing.assert_array_equal(run_layer(layer, ifmap, x, y)[:, :, 0, 0], theirs)


@given(
    N=st.integers(1, 3),
    C=st.integers(1, 12),
    plane=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    M=st.integers(1, 30),
    per_channel=st.booleans(),
    dtype=act_types,
    seed=seeds,
)
def test_fully_connected_layer_behind_a_flatten_matches_onnx_runtime(
    run_node, draw_words, oracle_weights, N, C, plane, M, per_channel, dtype, seed
):
    rng = np.random.default_rng(seed)
    H, W = plane
    shape = ConvShape(N=N, C=C, M=M, H=H, W=W, R=H, S=W)
    layer, x, y, w_scale = conv_layer(
        draw_words, oracle_weights, rng, shape, dtype, dtype, per_channel=per_channel
    )
    layer = replace(layer, op="fc")
    ifmap = draw_words(rng, dtype, x.shape)
    theirs = run_node(
        "QGemm",
        [
            ifmap.reshape(N, -1),
            np.float32(x.scale),
            scalar(x.zero_point, dtype),
            layer.filters.reshape(M, -1),
            w_scale if per_channel else w_scale[0],
            np.zeros(w_scale.shape if per_channel else (), np.int8),
            layer.bias.astype(np.int32),
            np.float32(y.scale),
            scalar(y.zero_point, dtype),
        ],
        domain="com.microsoft",
        transB=1,
        alpha=1.0,
    )
    np.testing.assert_array_equal(run_layer(layer, ifmap, x, y)[:, :, 0, 0], theirs)


def tensor_of(
    name: str,
    shape: tuple[int, int, int, int],
    *,
    dtype: Literal["int8", "uint8", "int16"] = "uint8",
    zero_point: int = 10,
) -> Tensor:
    return Tensor(name=name, shape=shape, dtype=dtype, scale=0.5, zero_point=zero_point)


def small_network():
    """Conv with ReLU, two poolings, a fully connected layer; in and out of uint8."""
    tensors = [
        tensor_of("image", (1, 1, 4, 4)),
        tensor_of("features", (1, 2, 4, 4), dtype="int8", zero_point=-1),
        tensor_of("largest", (1, 2, 2, 2), dtype="int8", zero_point=-1),
        tensor_of("means", (1, 2, 2, 2), dtype="int16", zero_point=100),
        tensor_of("logits", (1, 3, 1, 1), zero_point=0),
    ]
    layers = (
        ConvLayer(
            name="conv", op="conv", shape=ConvShape(C=1, M=2, H=4, W=4), ifmap="image",
            ofmap="features", filters=np.array([2, -2], np.int8).reshape(2, 1, 1, 1),
            bias=np.array([1, 1]), scale=np.array([0.5, 0.5], np.float32),
            act_min=-1, act_max=127,
        ),
        PoolLayer(
            name="max", op="maxpool", shape=PoolShape(C=2, H=4, W=4, R=2, S=2, stride=(2, 2)),
            ifmap="features", ofmap="largest",
        ),
        PoolLayer(
            name="avg", op="avgpool", shape=PoolShape(C=2, H=2, W=2, R=2, S=1, pad=(1, 0, 0, 0)),
            ifmap="largest", ofmap="means", scale=0.5,
        ),
        ConvLayer(
            name="fc", op="fc", shape=ConvShape(C=2, M=3, H=2, W=2, R=2, S=2), ifmap="means",
            ofmap="logits", filters=np.repeat(np.array([1, 2, 30], np.int8), 8).reshape(3, 2, 2, 2),
            bias=np.array([0, 0, 7]), scale=np.ones(3, np.float32), act_min=0, act_max=255,
        ),
    )  # fmt: skip
    return Network(
        name="small",
        inputs=(Port(name="in", shape=(1, 1, 4, 4), dtype="uint8", tensor="image"),),
        outputs=(Port(name="out", shape=(1, 3), dtype="uint8", tensor="logits"),),
        tensors={tensor.name: tensor for tensor in tensors},
        layers=layers,
    )


def test_network_gives_every_tensor():
    ifmap = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    words = run_network(small_network(), {"image": ifmap})
    assert {name: (array.dtype.name, array.shape) for name, array in words.items()} == {
        tensor.name: (tensor.dtype, tensor.shape) for tensor in small_network().tensors.values()
    }
    # Channel 0: round_even(word - 10 + 0.5) - 1, not below -1.
    # Channel 1: round_even(10 - word + 0.5) - 1, likewise.
    assert words["features"][0, 0].tolist() == [[-1] * 4, [-1] * 4, [-1, -1, -1, 1], [1, 3, 3, 5]]
    assert words["features"][0, 1].tolist() == [
        [9, 9, 7, 7],
        [5, 5, 3, 3],
        [1, 1, -1, -1],
        [-1] * 4,
    ]
    assert words["largest"][0].tolist() == [[[-1, -1], [3, 5]], [[9, 7], [1, -1]]]
    # Half of each column's sum above -1, the row above the first being zero.
    assert words["means"][0].tolist() == [[[100, 100], [102, 103]], [[105, 104], [106, 104]]]
    assert words["logits"].ravel().tolist() == [24, 48, 255]


def test_pooling_saturates_at_its_bounds():
    network = small_network()
    bounded = {
        "max": {"act_min": 0, "act_max": 4},
        "avg": {"act_min": 101, "act_max": 103},
    }
    layers = tuple(replace(layer, **bounded.get(layer.name, {})) for layer in network.layers)
    ifmap = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)
    words = run_network(replace(network, layers=layers), {"image": ifmap})
    assert words["largest"][0].tolist() == [[[0, 0], [3, 4]], [[4, 4], [1, 0]]]
    assert words["means"][0].tolist() == [[[101, 101], [102, 103]], [[102, 102], [103, 103]]]


def test_inputs_must_be_those_the_network_reads():
    with pytest.raises(
        ValueError, match=r"^inputs must be the words of \['image'\], not of \['picture'\]$"
    ):
        run_network(small_network(), {"picture": np.zeros((1, 1, 4, 4), np.uint8)})


@pytest.mark.parametrize(
    ("words", "given_words"),
    [
        (np.zeros((1, 1, 4, 4), np.int8), r"int8\[1, 1, 4, 4\]"),
        (np.zeros((1, 4, 4), np.uint8), r"uint8\[1, 4, 4\]"),
    ],
)
def test_input_of_the_wrong_type_or_shape_is_refused(words, given_words):
    with pytest.raises(
        ValueError, match=rf"^image must be uint8\[1, 1, 4, 4\], not {given_words}$"
    ):
        run_network(small_network(), {"image": words})


def test_ofmap_tensor_must_have_the_shape_of_the_layer():
    network = small_network()
    ifmap = np.zeros((1, 1, 4, 4), np.uint8)
    with pytest.raises(
        ValueError, match=r"^features must be int8\[1, 2, 5, 4\], not int8\[1, 2, 4, 4\]$"
    ):
        run_layer(
            network.layers[0],
            ifmap,
            network.tensors["image"],
            replace(network.tensors["features"], shape=(1, 2, 5, 4)),
        )


def test_max_pool_keeps_the_zero_point():
    network = small_network()
    with pytest.raises(ValueError, match=r"^zero point of largest must be -1, not 0$"):
        run_layer(
            network.layers[1],
            np.zeros((1, 2, 4, 4), np.int8),
            network.tensors["features"],
            replace(network.tensors["largest"], zero_point=0),
        )

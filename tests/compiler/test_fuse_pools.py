"""Which pooling layers become part of the pass before them."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from stillflow.compiler.endings import Joined
from stillflow.compiler.fuse_pools import fuse_pools
from stillflow.compiler.graph import ConvLayer, Network, Part, PoolLayer, Tensor
from stillflow.compiler.limits import check_end
from stillflow.compiler.objective import CYCLES
from stillflow.compiler.program import CompileError, compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import TINY
from stillflow.sim.golden.network import run_network
from tests.networks import port

CONFIG = replace(TINY, pool_windows=16)
QUICK = replace(CONFIG, cols=8, requant_lanes=8, glb_kib=64)  # a vector of words in every cycle
ADD = Joined(
    op="add", own="sum", residual="other", own_scale=1, residual_scale=1, shift=0, act_min=-128,
    act_max=127,
)  # fmt: skip


def network_of(window, *, op: Literal["maxpool", "avgpool"] = "maxpool", joined=None, readers=1):
    """Make a convolution, a pooling of its ofmap, and copies of that for more readers."""
    pool = replace(window, C=8)
    tensors = [
        Tensor(name=name, shape=shape, dtype="int8", scale=1.0, zero_point=3)
        for name, shape in (
            ("input", (1, 4, 13, 11)), ("words", (1, 8, 13, 11)), ("other", (1, 8, 13, 11)),
            ("sum", (1, 8, 13, 11)), ("output", (1, 8, pool.E, pool.F)),
            *((f"copy{i}", (1, 8, 13, 11)) for i in range(1, readers)),
        )
    ]  # fmt: skip
    draws = np.random.default_rng(3)
    conv = ConvLayer(
        name="conv", op="conv",
        shape=ConvShape(C=4, H=13, W=11, M=8, R=3, S=3, pad=(1, 1, 1, 1)), ifmap="input",
        ofmap="words", filters=draws.integers(-128, 127, (8, 4, 3, 3)).astype(np.int8),
        bias=np.zeros(8, np.int64), scale=np.full(8, 0.01, np.float32), act_min=-128, act_max=127,
        joined=joined,
    )  # fmt: skip
    copy = PoolLayer(
        name="copy", op="avgpool", shape=PoolShape(C=8, H=13, W=11, R=1, S=1), ifmap="words",
        ofmap="",
    )  # fmt: skip
    layers = [
        conv,
        PoolLayer(name="pool", op=op, shape=pool, ifmap="words", ofmap="output"),
        *(replace(copy, name=f"copy{i}", ofmap=f"copy{i}") for i in range(1, readers)),
    ]
    used = {"input", "words", "output", *(f"copy{i}" for i in range(1, readers))}
    if joined is not None:
        used |= {"other", "sum"}
    return Network(
        name="pools", inputs=(port(tensors[0]),), outputs=(port(tensors[4]),),
        tensors={tensor.name: tensor for tensor in tensors if tensor.name in used},
        layers=tuple(layers),
    )  # fmt: skip


def concatenated(window, *, op: Literal["maxpool", "avgpool"] = "avgpool"):
    """Make two convolutions of one ifmap, their concatenation, and a pooling of that."""
    draws = np.random.default_rng(5)
    pool = PoolLayer(
        name="pool", op=op, shape=replace(window, C=24), ifmap="both", ofmap="output",
        scale=float(np.float32(1 / (window.R * window.S))) if op == "avgpool" else 1.0,
    )  # fmt: skip
    tensors = [
        Tensor(name=name, shape=shape, dtype="int8", scale=1.0, zero_point=3, part=part)
        for name, shape, part in (
            ("input", (1, 4, 13, 11), None), ("both", (1, 24, 13, 11), None),
            ("first", (1, 8, 13, 11), Part("both")),
            ("second", (1, 16, 13, 11), Part("both", channel=8)),
            ("output", (1, 24, pool.shape.E, pool.shape.F), None),
        )
    ]  # fmt: skip
    layers = [
        ConvLayer(
            name=name, op="conv", shape=ConvShape(C=4, H=13, W=11, M=M, R=1, S=1), ifmap="input",
            ofmap=name, filters=draws.integers(-128, 127, (M, 4, 1, 1)).astype(np.int8),
            bias=np.zeros(M, np.int64), scale=np.full(M, 0.01, np.float32), act_min=-128,
            act_max=127,
        )
        for name, M in (("first", 8), ("second", 16))
    ]  # fmt: skip
    return Network(
        name="concat", inputs=(port(tensors[0]),), outputs=(port(tensors[-1]),),
        tensors={tensor.name: tensor for tensor in tensors}, layers=(*layers, pool),
    )  # fmt: skip


def windows(**keys):
    return PoolShape(**{"C": 8, "H": 13, "W": 11, "R": 2, "S": 2, "stride": (2, 2)} | keys)


def names(network, config=CONFIG):
    return [layer.name for layer in fuse_pools(network, config, CYCLES).layers]


@pytest.mark.parametrize(
    "window",
    [
        windows(),
        windows(R=3, S=3),
        windows(R=3, S=3, stride=(3, 2), pad=(1, 1, 1, 1)),
        windows(R=4, S=2, stride=(3, 1), pad=(3, 0, 2, 1)),
    ],
)
def test_pooling_is_part_of_the_pass_before_it(window, monkeypatch):
    monkeypatch.setattr("stillflow.compiler.fuse_pools._pays", lambda *_: True)
    network = network_of(window)
    (layer,) = fuse_pools(network, CONFIG, CYCLES).layers
    assert isinstance(layer, ConvLayer)
    assert layer.pooled is not None
    assert (layer.name, layer.ofmap, layer.fused) == ("conv", "output", ("pool",))
    assert (layer.pooled.own, layer.pooled.shape) == ("words", window)
    program = compile_network(network, CONFIG)
    assert len(program.layers) == 1
    assert "words" not in program.addresses
    # The golden model gives the same words, and still all of them.
    words = np.random.default_rng(1).integers(-128, 127, (1, 4, 13, 11)).astype(np.int8)
    fused, apart = (run_network(n, {"input": words}) for n in (program.network, network))
    assert set(fused) == set(apart)
    assert all(np.array_equal(fused[name], apart[name]) for name in apart)


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (network_of(windows(), op="avgpool"), "means come too fast for a lane"),
        (network_of(windows(R=8, S=8, stride=(8, 8), pad=(1, 0, 0, 0)), op="avgpool"), "padding"),
        (network_of(windows(R=3, S=3, stride=(1, 1))), "three windows are open at a time"),
        (network_of(windows(stride=(3, 3))), "pixels between the windows"),
        (network_of(windows(R=1, stride=(1, 2))), "one row"),
        (network_of(windows(dilation=(2, 2))), "dilated"),
        (network_of(windows(pad=(1, 0, 0, 0)), joined=ADD), "residuals from the first pixel on"),
        (network_of(windows(), readers=2), "another reader"),
    ],
)
def test_other_pooling_is_a_pass_of_its_own(network, why):
    assert "pool" in names(network, QUICK), why


@pytest.mark.parametrize("op", ["maxpool", "avgpool"])
@pytest.mark.parametrize(
    "window", [windows(R=13, S=11, stride=(1, 1)), windows(R=5, S=5, stride=(5, 5))]
)
def test_sums_are_pooled_in_the_pass_that_makes_them(op, window):
    network = network_of(window, op=op, joined=ADD)
    (layer,) = fuse_pools(network, QUICK, CYCLES).layers
    assert isinstance(layer, ConvLayer)
    assert layer.joined is not None
    assert layer.pooled is not None
    assert layer.pooled.means == (op == "avgpool")
    program = compile_network(network, QUICK)
    assert {"input", "other", "output"} == set(program.addresses)
    draws = np.random.default_rng(1)
    words = {
        name: draws.integers(-128, 127, network.tensors[name].shape).astype(np.int8)
        for name in ("input", "other")
    }
    fused, apart = (run_network(n, words) for n in (program.network, network))
    assert set(fused) == set(apart)
    assert all(np.array_equal(fused[name], apart[name]) for name in apart)


def test_a_concatenation_is_pooled_in_its_parts():
    network = concatenated(windows(R=13, S=11))
    program = compile_network(network, QUICK)
    assert [layer.fused for layer in program.network.layers] == [("pool",), ("pool",)]
    assert {"input", "output", "output/0", "output/8"} == set(program.addresses)
    words = {"input": np.random.default_rng(1).integers(-128, 127, (1, 4, 13, 11), np.int8)}
    fused, apart = (run_network(n, words) for n in (program.network, network))
    assert set(apart) <= set(fused)
    assert all(np.array_equal(fused[name], apart[name]) for name in apart)


def test_a_concatenation_that_is_read_is_stored():
    network = concatenated(windows(R=13, S=11))
    for name in ("both", "second"):
        seen = replace(network, outputs=(*network.outputs, port(network.tensors[name])))
        assert names(seen, QUICK) == ["first", "second", "pool"]


def test_a_graph_output_is_stored():
    network = network_of(windows())
    network = replace(network, outputs=(*network.outputs, port(network.tensors["words"])))
    assert names(network) == ["conv", "pool"]


def test_accelerators_without_it_pool_in_a_pass():
    network = network_of(windows())
    assert names(network, TINY) == ["conv", "pool"]
    row_stationary = replace(CONFIG, dataflow=Dataflow.ROW_STATIONARY)
    assert names(network, row_stationary) == ["conv", "pool"]


def test_a_layer_that_pools_needs_the_hardware():
    fused = fuse_pools(network_of(windows()), CONFIG, CYCLES)
    with pytest.raises(CompileError, match=r"^conv: pool_windows must not be 0 for a layer"):
        compile_network(fused, TINY)


def test_windows_that_the_hardware_cannot_follow_are_refused():
    """What `fuse_pools` never makes, and others may."""
    (means,) = fuse_pools(
        network_of(windows(R=5, S=5, stride=(5, 5)), op="avgpool"), QUICK, CYCLES
    ).layers
    (joined,) = fuse_pools(network_of(windows(), joined=ADD), QUICK, CYCLES).layers
    for layer, text in (
        (means, "windows of means must have no padding"),
        (joined, "windows of joined words must not begin in padding"),
    ):
        assert isinstance(layer, ConvLayer)
        assert layer.pooled is not None
        padded = replace(layer.pooled, shape=replace(layer.pooled.shape, pad=(1, 0, 0, 0)))
        with pytest.raises(ValueError, match=f"^{text}$"):
            check_end(replace(layer, pooled=padded), QUICK)


def test_a_concatenation_with_a_gap_is_pooled_as_a_whole():
    network = concatenated(windows(R=13, S=11))
    tensors = network.tensors | {"second": replace(network.tensors["second"], part=None)}
    assert "pool" in names(replace(network, tensors=tensors), QUICK)


def test_it_is_done_only_where_it_is_better():
    """Windows that share rows: tiles compute those twice, and padding with them."""
    shared = network_of(windows(R=4, stride=(3, 2), pad=(3, 0, 2, 1)))
    assert names(shared) == ["conv", "pool"]
    assert names(network_of(windows())) == ["conv"]

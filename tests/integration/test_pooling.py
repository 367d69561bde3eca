"""Pooling in the pass of a layer: the same bits as in two, and what the cost model says."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from stillflow.compiler.endings import Pooled
from stillflow.compiler.graph import clip_range
from stillflow.compiler.program import CompileError, compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import PoolShape
from stillflow.hw.presets import TINY
from stillflow.sim.engine.settings import Stalls
from tests.compiler.test_fuse_pools import concatenated
from tests.integration.test_layers import check, compile_with_any_nests
from tests.networks import (
    ODD,
    TALL_OS,
    WIDE,
    draw_conv,
    draw_finish,
    draw_tensor,
    draw_words,
    network_of,
)

FLOWS = (Dataflow.WEIGHT_STATIONARY, Dataflow.OUTPUT_STATIONARY, Dataflow.NO_LOCAL_REUSE)
CONFIGS = {
    **{flow.value: replace(TINY, dataflow=flow, pool_windows=9) for flow in FLOWS},
    "odd": replace(ODD, pool_windows=4, operand_registers=True),
    "wide": replace(WIDE, pool_windows=16, axi_slices=True),
    "tall": replace(TALL_OS, pool_windows=16, activation_kib=4),
}


def draw_windows(random, plane):
    """Draw windows that a pass can pool, with padding or rows left over."""
    N, C, H, W = plane
    sizes, strides, pads = [], [], []
    for extent in (H, W):
        size = random.randint(2, max(2, min(4, extent)))
        pad = [random.choice([0, 0, random.randint(0, size - 1)]) for _ in range(2)]
        while extent + sum(pad) < size:
            pad[random.randint(0, 1)] = size - 1
        sizes.append(size)
        strides.append(size - random.randint(0, 1))
        pads.append(pad)
    return PoolShape(
        N=N, C=C, H=H, W=W, R=sizes[0], S=sizes[1], stride=tuple(strides),
        pad=(pads[0][0], pads[1][0], pads[0][1], pads[1][1]),
    )  # fmt: skip


def draw_means(random, own, config):
    """Draw means of one window a row, as large as may be; no pooling if they came too fast."""
    N, C, H, W = own.shape
    R, S = min(H, 7), min(W, 7)
    windows = PoolShape(N=N, C=C, H=H, W=W, R=R, S=S, stride=(R, S))
    if min(R, S) < 2 or windows.F > 1 or R * S * config.pace < config.m_block:
        return None
    low, high = clip_range(own.dtype)
    target = replace(own, shape=(N, C, windows.E, 1), zero_point=random.randint(low, high))
    scale = float(np.float32(random.uniform(0.5, 2) / (R * S)))
    low, high = sorted(random.randint(low, high) for _ in range(2))
    return target, Pooled(own=own.name, shape=windows, scale=scale, act_min=low, act_max=high)


def draw_fused(random, config, *, means=False):
    """Draw a layer that pools its words, with a table and a second tensor before that or not."""
    while True:
        shape = (
            random.choice([1, 1, 2, 3, 5]), random.choice([1, 3, 4, 8, 12, 18]),
            random.randint(1, 17), random.randint(1, 17),
        )  # fmt: skip
        source = draw_tensor(random, "t0", shape, config)
        words = draw_tensor(random, "own", shape, config)
        layer, plane = draw_conv(random, "layer", source, words, config)
        own = replace(words, shape=plane)
        hidden = [own]
        joins = random.random() < 0.6
        if joins:
            made, layer = draw_finish(random, layer, own, [], config)
            hidden += made
        windows = draw_windows(random, plane)
        if layer.joined is not None:  # residuals are read from the first pixel on
            windows = replace(windows, pad=(0, 0, windows.R - 1, windows.S - 1))
        target = replace(own, shape=(plane[0], plane[1], windows.E, windows.F))
        pooled = Pooled(own=own.name, shape=windows)
        if means and (drawn := draw_means(random, own, config)):
            target, pooled = drawn
        elif means:
            continue
        target = replace(target, name="t1")
        layer = replace(layer, ofmap=target.name, pooled=pooled)
        network = network_of([source, *hidden, target], [layer], inputs=random.random() < 0.7)
        try:
            compile_network(network, config, contents=False)
        except CompileError:  # a window is too large for half the ofmap buffer
            continue
        return network


@pytest.mark.slow
@pytest.mark.parametrize("means", [False, True], ids=["largest", "means"])
@pytest.mark.parametrize("name", CONFIGS)
def test_layers_that_pool_have_the_golden_bits_and_cost_what_is_predicted(name, means):
    config = CONFIGS[name]
    for seed in range(6):
        random = Random(seed)
        network = draw_fused(random, config, means=means)
        words = draw_words(random, network)
        check(compile_network(network, config), words)
        check(compile_with_any_nests(random, network, config), words)
        stalls = Stalls(seed=seed, ar=0.3, aw=0.3, w=0.3, r=0.3, b=0.3)
        check(compile_network(network, config), words, stalls=stalls)


@pytest.mark.parametrize("op", ["maxpool", "avgpool"])
def test_a_concatenation_is_pooled_in_its_parts(op):
    config = replace(TINY, pool_windows=9, glb_kib=32)
    network = concatenated(PoolShape(C=24, H=13, W=11, R=5, S=11, stride=(5, 11)), op=op)
    program = compile_network(network, config)
    assert len(program.layers) == 2
    check(program, {"input": np.random.default_rng(1).integers(-128, 127, (1, 4, 13, 11), np.int8)})

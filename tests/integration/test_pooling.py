"""Max pooling in the pass of a layer: the same bits as in two, and what the cost model says."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from stillflow.compiler.endings import Pooled, Table
from stillflow.compiler.graph import clip_range
from stillflow.compiler.program import compile_network
from stillflow.hw.config import Dataflow
from stillflow.hw.layer import PoolShape
from stillflow.hw.presets import TINY
from stillflow.sim.engine.settings import Stalls
from tests.integration.test_layers import check, compile_with_any_nests
from tests.networks import ODD, TALL_OS, WIDE, draw_conv, draw_tensor, draw_words, network_of

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


def draw_fused(random, config):
    """Draw a layer that pools its words, with a table before that or not."""
    shape = (
        random.choice([1, 1, 2, 3, 5]), random.choice([1, 3, 4, 8, 12, 18]), random.randint(1, 17),
        random.randint(1, 17),
    )  # fmt: skip
    source = draw_tensor(random, "t0", shape, config)
    words = draw_tensor(random, "own", shape, config)
    layer, plane = draw_conv(random, "layer", source, words, config)
    own = replace(words, shape=plane)
    hidden = [own]
    if config.act_bits == 8 and random.random() < 0.3:
        index = replace(own, name="index")
        rng = np.random.default_rng(random.getrandbits(32))
        entries = rng.integers(*clip_range(own.dtype), 256, endpoint=True).astype(own.dtype)
        layer = replace(layer, table=Table(index=index.name, entries=entries))
        hidden.append(index)
    windows = draw_windows(random, plane)
    target = replace(own, name="t1", shape=(plane[0], plane[1], windows.E, windows.F))
    layer = replace(layer, ofmap=target.name, pooled=Pooled(own=own.name, shape=windows))
    return network_of([source, *hidden, target], [layer], inputs=random.random() < 0.7)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_layers_that_pool_have_the_golden_bits_and_cost_what_is_predicted(name):
    config = CONFIGS[name]
    for seed in range(6):
        random = Random(seed)
        network = draw_fused(random, config)
        words = draw_words(random, network)
        check(compile_network(network, config), words)
        check(compile_with_any_nests(random, network, config), words)
        stalls = Stalls(seed=seed, ar=0.3, aw=0.3, w=0.3, r=0.3, b=0.3)
        check(compile_network(network, config), words, stalls=stalls)

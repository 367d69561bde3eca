"""Small layers on small accelerators, with any of the mapper's nests."""

from dataclasses import replace
from itertools import islice
from random import Random

from hypothesis import Phase
from hypothesis import strategies as st

from stillflow.compiler.lower import lower, pack, unpack
from stillflow.compiler.mapper import candidates
from stillflow.compiler.placement import Placement
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.descriptor import Op
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.tensor import blocked, packed
from stillflow.sim.golden.nest import Nest
from stillflow.sim.golden.walks import steps_of
from tests.networks import in_window_tiles


def config_of(rows, cols, glb_kib, axi_data_bits, requant_lanes=1, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits,
        requant_lanes=requant_lanes, **keys,
    )  # fmt: skip


CONFIGS = [
    config_of(4, 4, 1, 32),
    config_of(8, 4, 2, 64, 2),  # two planes side by side
    config_of(4, 8, 2, 32, 4),  # two channel blocks in a filter block
    config_of(5, 4, 2, 128, 4, max_burst_beats=8),  # beats wider than a channel block
    config_of(6, 10, 4, 64, 5),
    config_of(4, 4, 2, 32, act_bits=16, weight_bits=16, acc_bits=48),
    config_of(16, 4, 2, 32, max_burst_beats=4),
    config_of(3, 2, 1, 32),
]


#: The same accelerators where psums stay.
OUTPUT_STATIONARY = [replace(c, dataflow=Dataflow.OUTPUT_STATIONARY) for c in CONFIGS]

#: ... and where nothing does: the filter buffer holds as many lines in each bank.
NO_LOCAL_REUSE = [
    replace(c, dataflow=Dataflow.NO_LOCAL_REUSE, glb_kib=c.glb_kib + 1) for c in CONFIGS
]

#: Layers come from a seed, which has no simpler neighbours: what failed first is shown.
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)


def draw_conv(random, most_macs):
    """Draw a convolution of any kind that is not too large."""
    while True:
        G = random.choice([1, 1, 1, 2, 3])
        R, S = random.randint(1, 3), random.randint(1, 3)
        stride = random.randint(1, 3), random.randint(1, 3)
        dilation = random.randint(1, 2), random.randint(1, 2)
        pad = tuple(random.randint(0, 2) for _ in range(4))
        if random.random() < 0.2:
            R, S, pad = 1, 1, (0, 0, 0, 0)
        if random.random() < 0.5:
            stride, dilation = (1, 1), (1, 1)
        shape = {
            "N": random.randint(1, 3),
            "G": G,
            "C": G * (4 * random.randint(1, 3) if G > 1 else random.randint(1, 20)),
            "M": G * (4 * random.randint(1, 3) if G > 2 else random.randint(1, 24)),
            "H": (R - 1) * dilation[0] + random.randint(1, 7),
            "W": (S - 1) * dilation[1] + random.randint(1, 7),
        }
        drawn = ConvShape(**shape, R=R, S=S, stride=stride, dilation=dilation, pad=pad)
        if drawn.macs <= most_macs:
            return drawn


def draw_pool(random, most_macs):
    """Draw a pooling layer that is not too large."""
    while True:
        R, S = random.randint(1, 3), random.randint(1, 3)
        drawn = PoolShape(
            N=random.randint(1, 2),
            C=random.randint(1, 9),
            H=R + random.randint(0, 4),
            W=S + random.randint(0, 4),
            R=R,
            S=S,
            stride=(random.randint(1, 3), random.randint(1, 3)),
            pad=(random.randint(0, 1), 0, random.randint(0, 1), random.randint(0, 1)),
        )
        if most_macs >= drawn.N * 100 * drawn.E * drawn.F:
            return drawn


def place_layer(shape, config, ifmap=4096, filters=65536, ofmap=131072, is_packed=False, **words):
    """Layouts and addresses of a layer by itself."""
    size, block = config.act_bytes, config.channel_block
    if is_packed:
        source = packed(
            shape.N, shape.C, shape.H, shape.W, beat=config.axi_bytes, element_bytes=size
        )
    else:
        source = blocked(shape.N, shape.C, shape.H, shape.W, block=block, element_bytes=size)
    filter_count = shape.C if isinstance(shape, PoolShape) else shape.M
    target = blocked(shape.N, filter_count, shape.E, shape.F, block=block, element_bytes=size)
    top = 1 << (config.act_bits - 1)
    op = Op.MAXIMUM if isinstance(shape, PoolShape) else Op.ACCUMULATE
    values = {"op": op, "pad_value": 3, "zero_point": -1, "act_min": -top, "act_max": top - 1}
    return Placement(
        ifmap=ifmap, filters=filters, ofmap=ofmap, ifmap_layout=source, ofmap_layout=target,
        **values | words,
    )  # fmt: skip


def nests_of(shape, config, **options):
    """Every nest the mapper considers for a layer."""
    place = place_layer(shape, config, **options)
    plan = plan_layer(shape, place.ifmap_layout, config)
    return [Nest(mapping, plan, place) for mapping in islice(candidates(plan, config), 400)]


def draw_nest(random, most_macs, pools, configs=CONFIGS):
    while True:
        config = random.choice(configs)
        draw = draw_pool if pools and random.random() < 0.15 else draw_conv
        shape = draw(random, most_macs)
        may_pack = isinstance(shape, ConvShape) and shape.G == 1
        may_pack = may_pack and config.channel_block > shape.C
        choices = nests_of(shape, config, is_packed=may_pack and random.random() < 0.8)
        if choices:
            # Each kind of nest has its turn, however few there are of it.
            kind = random.choice(sorted({_kind(nest) for nest in choices}))
            nest = random.choice([nest for nest in choices if _kind(nest) == kind])
            if random.random() < 0.4:
                nest = replace(nest, mapping=in_window_tiles(random, nest.mapping))
            return shape, nest


def _kind(nest):
    m = nest.mapping
    return m.m_outer, m.filter_resident, m.m_count > 1, m.c_count > 1, m.pixel_tiles > 1, m.pn > 1


def nests(most_macs=6000, pools=True, configs=CONFIGS):
    """Draw a layer with one of its nests: ``shape, nest``.

    From a seed: Hypothesis itself hardly leaves the simplest layers.
    """
    seeds = st.integers(0, 2**32 - 1)
    return seeds.map(lambda seed: draw_nest(Random(seed), most_macs, pools, configs))


def descriptor_of(nest):
    """Fields of the nest's descriptor, as the hardware sees them."""
    return unpack(pack(lower(nest.mapping, nest.plan, nest.place)))


def vectors_of(nest):
    """``g, block, pixel`` of each vector that enters the ofmap buffer."""
    return [
        (step.g, step.block, pixel)
        for step in steps_of(nest)
        if step.final
        for pixel in step.pixels
    ]

"""Small layers on small accelerators, with any of the mapper's nests."""

from itertools import islice

from hypothesis import assume
from hypothesis import strategies as st

from stillflow.compiler.lower import Placement, lower, pack, unpack
from stillflow.compiler.mapper import candidates
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.descriptor import Op
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.tensor import blocked, packed
from tests.hw.sequencer.interpreter import FilterLine, Nest, Step


def config_of(rows, cols, glb_kib, axi_data_bits, requant_lanes=1, **keys):
    return AcceleratorConfig(
        rows=rows, cols=cols, glb_kib=glb_kib, axi_data_bits=axi_data_bits,
        requant_lanes=requant_lanes, **keys,
    )  # fmt: skip


CONFIGS = [
    config_of(4, 4, 1, 32),
    config_of(8, 4, 2, 64, 2),  # two planes side by side
    config_of(4, 8, 2, 32, 4),  # two channel blocks in a filter block
    config_of(5, 4, 1, 128, 4),  # beats wider than a channel block
    config_of(6, 10, 4, 64, 5),
    config_of(4, 4, 2, 32, act_bits=16, weight_bits=16, acc_bits=48),
    config_of(16, 4, 2, 32, max_burst_beats=4),
]

short = st.integers(1, 3)


@st.composite
def conv_shapes(draw, most_macs=4000):
    G = draw(st.sampled_from([1, 1, 1, 2, 3]))
    R, S = draw(short), draw(short)
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    pad = draw(st.tuples(*[st.integers(0, 2)] * 4))
    shape = ConvShape(
        N=draw(st.integers(1, 3)),
        G=G,
        C=G * draw(st.integers(1, 12)),
        M=G * draw(st.integers(1, 12)),
        H=max(1, (R - 1) * dilation[0] + 1 - pad[0] - pad[2]) + draw(st.integers(0, 6)),
        W=max(1, (S - 1) * dilation[1] + 1 - pad[1] - pad[3]) + draw(st.integers(0, 6)),
        R=R,
        S=S,
        stride=draw(st.tuples(short, short)),
        dilation=dilation,
        pad=pad,
    )
    assume(shape.macs <= most_macs)
    return shape


@st.composite
def pool_shapes(draw):
    R, S = draw(short), draw(short)
    shape = PoolShape(
        N=draw(st.integers(1, 2)),
        C=draw(st.integers(1, 9)),
        H=R + draw(st.integers(0, 4)),
        W=S + draw(st.integers(0, 4)),
        R=R,
        S=S,
        stride=draw(st.tuples(short, short)),
        pad=draw(st.tuples(*[st.integers(0, 1)] * 4)),
    )
    assume(shape.E * shape.F * shape.N <= 40)
    return shape


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


@st.composite
def nests(draw, most_macs=4000, pools=True):
    """Draw a layer, a config and a nest, with the layer's shape."""
    config = draw(st.sampled_from(CONFIGS))
    kinds = [conv_shapes(most_macs)] + ([pool_shapes()] if pools else [])
    shape = draw(st.one_of(kinds))
    is_conv = isinstance(shape, ConvShape)
    may_pack = is_conv and shape.G == 1 and shape.C < config.channel_block
    choices = nests_of(shape, config, is_packed=may_pack and draw(st.booleans()))
    assume(choices)
    return shape, draw(st.sampled_from(choices))


def descriptor_of(nest):
    """Fields of the nest's descriptor, as the hardware sees them."""
    return unpack(pack(lower(nest.mapping, nest.plan, nest.place)))


def steps_of(nest):
    return [event for event in nest.walk() if isinstance(event, Step)]


def filter_positions(nest):
    """Filter lines in the order they are loaded, and where each was loaded for each step.

    Returns
    -------
    positions : list[list[int]]
        For each step: position of each of its lines (weights, biases, scales) in the order of
        loading, counted from 0.
    loads : int
        Lines loaded in all.
    """
    latest, positions, loads = {}, [], 0
    for event in nest.walk():
        if isinstance(event, FilterLine):
            latest[event.index] = loads
            loads += 1
        elif isinstance(event, Step):
            lines = (*event.weights, *event.bias, *event.scale)
            positions.append([latest[line] for line in lines])
    return positions, loads

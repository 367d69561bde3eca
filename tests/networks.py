"""Small random networks for any configuration."""

from dataclasses import replace

import numpy as np

from stillflow.compiler.endings import Joined, Table
from stillflow.compiler.graph import ConvLayer, Network, PoolLayer, Port, Tensor, clip_range
from stillflow.compiler.layouts import choose_layouts
from stillflow.compiler.work import plan_layer
from stillflow.hw.config import AcceleratorConfig, Dataflow
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.presets import EDGE8, TINY
from stillflow.hw.residual import encode_join

# No channel blocks, wide weights in slices; then lanes that share a block, wide words.
ODD = AcceleratorConfig(
    name="odd", rows=5, cols=3, weight_bits=16, acc_bits=40, glb_kib=4, axi_data_bits=64,
    requant_lanes=3, max_burst_beats=7, outstanding_reads=3,
)  # fmt: skip
WIDE = AcceleratorConfig(
    name="wide", rows=12, cols=10, act_bits=16, weight_bits=16, acc_bits=48, glb_kib=32,
    axi_data_bits=128, requant_lanes=2,
)  # fmt: skip
# Psums stay in the array; then more rows than meet in one level of gates, no pace.
TINY_OS = replace(TINY, name="tiny_os", dataflow=Dataflow.OUTPUT_STATIONARY)
TALL_OS = AcceleratorConfig(
    name="tall_os", rows=18, cols=6, dataflow=Dataflow.OUTPUT_STATIONARY, glb_kib=16,
    axi_data_bits=64, requant_lanes=6,
)  # fmt: skip
# Nothing stays: rows that are a power of two, then rows and lines that are not.
TINY_NLR = replace(TINY, name="tiny_nlr", dataflow=Dataflow.NO_LOCAL_REUSE)
ODD_NLR = replace(ODD, name="odd_nlr", dataflow=Dataflow.NO_LOCAL_REUSE)
# Filter rows stay: PE sets that leave rows over, scratchpads that hold little, lines of odd width.
TINY_RS = replace(TINY, name="tiny_rs", dataflow=Dataflow.ROW_STATIONARY)
ODD_RS = AcceleratorConfig(
    name="odd_rs", rows=7, cols=5, dataflow=Dataflow.ROW_STATIONARY, act_bits=16, weight_bits=16,
    acc_bits=48, glb_kib=16, axi_data_bits=64, requant_lanes=1, ifmap_spad=7, filter_spad=31,
    psum_spad=5,
)  # fmt: skip
CONFIGS = {
    config.name: config
    for config in (TINY, EDGE8, ODD, WIDE, TINY_OS, TALL_OS, TINY_NLR, ODD_NLR, TINY_RS, ODD_RS)
}


def draw_conv(random, name, source, target, config):
    """Draw a convolution or fully connected layer of a tensor; its ofmap is called ``target``."""
    N, C, H, W = source.shape
    G = random.choice([1, 1, 1, C, *(g for g in range(2, C) if C % g == 0)])
    M = G * random.choice([1, 2, 3]) if G > 1 else random.choice([1, 3, 4, 7, 8, 9, 16, 21])
    if random.random() < 0.2:
        shape = ConvShape(N=N, C=C, H=H, W=W, M=random.randint(1, 24), R=H, S=W)
    elif random.random() < 0.25:
        stride = random.choice([(1, 1), (2, 2), (1, 3), (3, 1)])
        shape = ConvShape(N=N, G=G, C=C, H=H, W=W, M=M, stride=stride)
    else:
        pad = tuple(random.choice([0, 0, 1, 2, 3]) for _ in range(4))
        R = random.randint(1, min(5, H + pad[0] + pad[2]))
        S = random.randint(1, min(5, W + pad[1] + pad[3]))
        most = (
            (H + pad[0] + pad[2] - 1) // max(1, R - 1),
            (W + pad[1] + pad[3] - 1) // max(1, S - 1),
        )
        dilation = tuple(random.choice([1, random.randint(1, max(1, min(3, m)))]) for m in most)
        stride = random.randint(1, 4), random.randint(1, 4)
        if random.random() < 0.5:
            stride = (1, 1)
        shape = ConvShape(
            N=N, G=G, C=C, H=H, W=W, M=M, R=R, S=S, stride=stride, pad=pad, dilation=dilation
        )  # fmt: skip
    rng = np.random.default_rng(random.getrandbits(32))
    terms = shape.C // shape.G * shape.R * shape.S
    spread = np.sqrt(terms) * 2.0 ** (config.act_bits + config.weight_bits - 2) / 3
    low, high = clip_range(target.dtype)
    if random.random() < 0.4:  # ReLU, or ReLU6
        low, high = target.zero_point, random.choice([high, max(target.zero_point, high - 30)])
    weight_type = np.int8 if config.weight_bits == 8 else np.int16
    weight = np.iinfo(weight_type)
    layer = ConvLayer(
        name=name,
        op="conv",
        shape=shape,
        ifmap=source.name,
        ofmap=target.name,
        filters=rng.integers(
            weight.min, weight.max, (shape.M, shape.C // shape.G, shape.R, shape.S), endpoint=True
        ).astype(weight_type),
        bias=np.rint(rng.normal(0, spread, shape.M)).astype(np.int64),
        scale=(rng.uniform(0.5, 1.5, shape.M) * 2.0 ** (config.act_bits - 2) / spread).astype("f"),
        act_min=low,
        act_max=high,
    )
    return layer, (N, shape.M, shape.E, shape.F)


def draw_pool(random, name, source, target):
    """Draw a pooling layer of a tensor."""
    N, C, H, W = source.shape
    R, S = random.randint(1, min(4, H)), random.randint(1, min(4, W))
    shape = PoolShape(
        N=N, C=C, H=H, W=W, R=R, S=S, stride=(random.randint(1, 3), random.randint(1, 3)),
        pad=tuple(random.randint(0, (size - 1) // 2) for size in (R, S, R, S)),
    )  # fmt: skip
    same = (target.dtype, target.zero_point) == (source.dtype, source.zero_point)
    op = "maxpool" if same else "avgpool"
    scale = float(np.float32(random.uniform(0.5, 2) / (R * S))) if op == "avgpool" else 1.0
    layer = PoolLayer(
        name=name, op=op, shape=shape, ifmap=source.name, ofmap=target.name, scale=scale
    )
    return layer, (N, C, shape.E, shape.F)


def draw_tensor(random, name, shape, config, like=None):
    dtype = "int16" if config.act_bits == 16 else random.choice(["int8", "uint8"])
    zero_point = random.randint(*clip_range(dtype))
    if like is not None:
        dtype, zero_point = like.dtype, like.zero_point
    return Tensor(name=name, shape=shape, dtype=dtype, scale=1.0, zero_point=zero_point)


def port(tensor):
    return Port(name=tensor.name, shape=tensor.shape, dtype=tensor.dtype, tensor=tensor.name)


def network_of(tensors, layers, *, inputs=True):
    """Join layers that read the first tensor, a graph input or not, and write the last."""
    return Network(
        name="drawn",
        inputs=(port(tensors[0]),) if inputs else (),
        outputs=(port(tensors[-1]),),
        tensors={tensor.name: tensor for tensor in tensors},
        layers=tuple(layers),
    )


def draw_finish(random, layer, target, tensors, config):
    """Let a layer end in a table, in joining with a second tensor, or in both; new tensors, layer.

    The second tensor is an earlier one or comes from outside. A maximum keeps its quantisation.
    """

    def words(name):
        like = target if layer.op == "maxpool" else None
        return draw_tensor(random, f"{target.name}.{name}", target.shape, config, like)

    def bounds(tensor):
        low, high = clip_range(tensor.dtype)
        return random.choice([low, min(high, tensor.zero_point)]), high

    made = []
    joins = random.random() < 0.7
    after = target
    if joins:
        known = [tensor for tensor in tensors if tensor.shape == target.shape]
        outside = draw_tensor(random, f"{target.name}.r", target.shape, config)
        residual = random.choice([*known, outside])
        own = words("own")
        made += [own] if residual is not outside else [own, outside]
        low, high = bounds(target)
        op = random.choice(["add", "add", "mul"])
        scales = encode_join(random.uniform(0.01, 2.0), random.uniform(0.01, 2.0))
        if op == "mul":
            scales = 0, 0, random.randint(config.act_bits - 4, config.act_bits)
        layer = replace(
            layer,
            joined=Joined(
                op=op, own=own.name, residual=residual.name, own_scale=scales[0],
                residual_scale=scales[1], shift=scales[2], act_min=low, act_max=high,
            ),
        )  # fmt: skip
        after = own
    first = after
    if config.act_bits == 8 and (not joins or random.random() < 0.4):
        index = words("index")
        rng = np.random.default_rng(random.getrandbits(32))
        entries = rng.integers(*clip_range(after.dtype), 256, endpoint=True).astype(after.dtype)
        layer = replace(layer, table=Table(index=index.name, entries=entries))
        made.append(index)
        first = index
    low, high = bounds(first)
    if isinstance(layer, ConvLayer):
        layer = replace(layer, act_min=low, act_max=high)
    return made, layer


def draw_network(random, config, layers=1, finishing=0.35):
    """Draw layers, each of the tensor before or of an earlier one.

    ``finishing`` is how many of them have a table or a second tensor.
    """
    shape = (
        random.choice([1, 1, 2, 3]),
        random.choice([1, 2, 3, 4, 5, 8, 12, 16, 18, 40, 65]),
        random.choice([1, random.randint(1, 13)]),
        random.randint(1, 13),
    )
    tensors = [draw_tensor(random, "t0", shape, config)]
    hidden, made = [], []
    for number in range(1, layers + 1):
        source = random.choice([tensors[-1], random.choice(tensors)])
        name = f"layer{number}"
        if random.random() < 0.3:
            like = random.choice([source, None])
            target = draw_tensor(random, f"t{number}", source.shape, config, like)
            layer, shape = draw_pool(random, name, source, target)
        else:
            target = draw_tensor(random, f"t{number}", source.shape, config)
            layer, shape = draw_conv(random, name, source, target, config)
        target = replace(target, shape=shape)
        if random.random() < finishing:
            more, layer = draw_finish(random, layer, target, tensors, config)
            hidden += more
        tensors.append(target)
        made.append(layer)
    # A graph input of few channels lies packed, any other tensor in channel blocks.
    return network_of([*tensors[:-1], *hidden, tensors[-1]], made, inputs=random.random() < 0.7)


def draw_words(random, network):
    """Words of the tensors that no layer computes, over their types' whole ranges."""
    rng = np.random.default_rng(random.getrandbits(32))
    computed = {layer.ofmap for layer in network.layers}
    words = {}
    for name in sorted(network.stored - computed):
        tensor = network.tensors[name]
        low, high = clip_range(tensor.dtype)
        words[name] = rng.integers(low, high, tensor.shape, endpoint=True).astype(tensor.dtype)
    return words


def in_window_tiles(random, mapping):
    """Cut a nest's window at random, as the mapper would if it did not fit; where that fits."""
    w = mapping.work
    r_count, s_count = (
        random.choice([count for count in range(1, total + 1) if total % count == 0])
        for total in (w.R, w.S)
    )
    try:
        return replace(mapping, r_count=r_count, s_count=s_count)
    except ValueError:  # psums of all filter blocks at once
        return mapping


def draw_plan(random, config):
    """Draw a layer in the form that the hardware executes."""
    network = draw_network(random, config)
    (layer,) = network.layers
    return plan_layer(layer, choose_layouts(network, config)[layer.ifmap], config)

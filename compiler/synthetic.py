"""Layer tables as networks with seeded random data: what `stillflow bench` runs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.graph import ConvLayer, Layer, Network, PoolLayer, Port, Tensor, clip_range
from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import ConvShape

SPREAD = 0.125  # standard deviation of an ofmap word, in parts of its range: few saturate


def synthetic_network(
    workload: Workload, config: AcceleratorConfig, *, seed: int, weights: bool = True
) -> Network:
    """Give every layer of a table tensors of its own.

    Ifmaps and filters are uniform over their type; biases, zero points and per-channel scales are
    such that few ofmap words saturate.

    Parameters
    ----------
    workload : Workload
        The table.
    config : AcceleratorConfig
        Word widths.
    seed : int
        Of the weights and scales.
    weights : bool
        False where only shapes matter: no filters are made.
    """
    tensors: dict[str, Tensor] = {}
    layers: list[Layer] = []
    for index, entry in enumerate(workload.entries):
        random = np.random.default_rng((seed, index))
        layer, pair = _layer(entry, config, random, weights)
        layers.append(layer)
        tensors |= {tensor.name: tensor for tensor in pair}
    ports = {
        name: Port(name=name, shape=tensor.shape, dtype=tensor.dtype, tensor=name)
        for name, tensor in tensors.items()
    }
    return Network(
        name=workload.name,
        inputs=tuple(ports[layer.ifmap] for layer in layers),
        outputs=tuple(ports[layer.ofmap] for layer in layers),
        tensors=tensors,
        layers=tuple(layers),
    )


def _layer(
    entry: WorkloadLayer, config: AcceleratorConfig, random: np.random.Generator, weights: bool
) -> tuple[Layer, tuple[Tensor, Tensor]]:
    dtype = "int8" if config.act_bits == 8 else "int16"
    low, high = clip_range(dtype)
    shape = entry.shape
    channels = shape.M if isinstance(shape, ConvShape) else shape.C
    zero_in, zero_out = (int(z) for z in random.integers(low // 8, high // 8, 2, endpoint=True))
    if entry.type == "maxpool":
        zero_out = zero_in
    ifmap = Tensor(
        name=f"{entry.name}:ifmap", shape=(shape.N, shape.C, shape.H, shape.W), dtype=dtype,
        scale=1.0, zero_point=zero_in,
    )  # fmt: skip
    ofmap = Tensor(
        name=f"{entry.name}:ofmap", shape=(shape.N, channels, shape.E, shape.F), dtype=dtype,
        scale=1.0, zero_point=zero_out,
    )  # fmt: skip
    if not isinstance(shape, ConvShape):
        op = "maxpool" if entry.type == "maxpool" else "avgpool"
        scale = float(np.float32(1 / (shape.R * shape.S))) if op == "avgpool" else 1.0
        layer: Layer = PoolLayer(
            name=entry.name, op=op, shape=shape, ifmap=ifmap.name, ofmap=ofmap.name, scale=scale
        )
        return layer, (ifmap, ofmap)
    terms = shape.C // shape.G * shape.R * shape.S
    weight_low, weight_high = clip_range("int8" if config.weight_bits == 8 else "int16")
    # Spread of a sum of products of uniform words.
    deviation = np.sqrt(terms / 9.0) * 2.0 ** (config.act_bits + config.weight_bits - 2)
    unit = SPREAD * 2.0**config.act_bits / deviation
    layer = ConvLayer(
        name=entry.name,
        op="fc" if entry.type == "fc" else "conv",
        shape=shape,
        ifmap=ifmap.name,
        ofmap=ofmap.name,
        filters=random.integers(
            weight_low,
            weight_high,
            (shape.M, shape.C // shape.G, shape.R, shape.S) if weights else 0,
            endpoint=True,
        ).astype(f"int{config.weight_bits}"),
        bias=np.rint(random.normal(0, deviation / 4, shape.M)).astype(np.int64),
        scale=(unit * random.uniform(0.5, 1.5, shape.M)).astype(np.float32),
        act_min=low,
        act_max=high,
    )
    return layer, (ifmap, ofmap)


def synthetic_inputs(network: Network, *, seed: int) -> Mapping[str, NDArray[np.integer]]:
    """Words of every graph input, uniform over their type, by tensor name."""
    words = {}
    for index, port in enumerate(network.inputs):
        tensor = network.tensors[port.tensor]
        low, high = clip_range(tensor.dtype)
        random = np.random.default_rng((seed, 1, index))
        words[tensor.name] = random.integers(low, high, tensor.shape, endpoint=True).astype(
            tensor.dtype
        )
    return words

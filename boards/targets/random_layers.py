"""Layers that no table knows: shapes of every kind, drawn from a seed."""

from random import Random

from stillflow.compiler.workload import Workload, WorkloadLayer
from stillflow.hw.layer import ConvShape

LEAST_MACS, MOST_MACS = 1_000_000, 200_000_000
#: Kinds of layers, as often as they are drawn.
KINDS = ("dense", "dense", "dense", "pointwise", "depthwise", "grouped")


def random_layers(count: int, seed: int) -> Workload:
    """Draw convolutions of ``LEAST_MACS`` to ``MOST_MACS``.

    Parameters
    ----------
    count : int
        Layers.
    seed : int
        Of the draw.
    """
    random = Random(seed)
    entries = []
    while len(entries) < count:
        shape = draw_shape(random)
        if shape is not None and LEAST_MACS <= shape.macs <= MOST_MACS:
            entries.append(WorkloadLayer(name=f"random{len(entries)}", type="conv", shape=shape))
    return Workload(name=f"random{seed}", entries=tuple(entries))


def draw_shape(random: Random) -> ConvShape | None:
    """Draw any shape; None where a window does not fit its ifmap."""
    kind = random.choice(KINDS)
    H = random.randint(4, 112)
    W = random.choice([H, H, random.randint(4, 112)])
    C = random.choice([1, 3, random.randint(1, 512), 2 ** random.randint(2, 9)])
    M = random.choice([random.randint(1, 512), 2 ** random.randint(2, 9)])
    R = random.choice([1, 2, 3, 3, 3, 5, 7])
    S = random.choice([R, R, R, random.choice([1, 3, 5])])
    G = 1
    if kind == "pointwise":
        R = S = 1
    elif kind == "depthwise":
        G = M = C
    elif kind == "grouped":
        G = random.choice([2, 4, 8])
        C, M = G * random.randint(1, 64), G * random.randint(1, 64)
    stride = random.choice([1, 1, 1, 2])
    pad = random.choice([0, R // 2])
    if H + 2 * pad < R or W + 2 * pad < S:
        return None
    return ConvShape(
        G=G, C=C, H=H, W=W, M=M, R=R, S=S, stride=(stride, stride), pad=(pad, pad, pad, pad)
    )

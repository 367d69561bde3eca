"""Layers in the form that the hardware executes."""

from dataclasses import dataclass, replace

import numpy as np

from stillflow.compiler.endings import Pooled
from stillflow.compiler.graph import ConvLayer, Layer, PoolLayer, pooling
from stillflow.hw.config import AcceleratorConfig
from stillflow.hw.layer import ConvShape, PoolShape
from stillflow.hw.residual import ring_depth
from stillflow.hw.tensor import TensorLayout
from stillflow.hw.work import Windows, Work


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A layer's work, and how its tensors' bytes follow the work's loops.

    Parameters
    ----------
    work : Work
        The loops.
    merged : int
        Groups of the layer that are one group of the work, with zeros between them; the last may
        have fewer, and zeros instead.
    row_step : int
        Ifmap rows from one row of the work to the next: more than one where rows are skipped.
    flat : bool
        Whether a plane is one row of the work.
    pool : bool
        Whether planes are images of the work.
    image_rows : bool
        Whether images are rows of the work: their planes are one element.
    halo : int
        Channel planes before and behind its own that a group of the work reads, too.
    image_groups : bool
        Whether images are groups of the work, with the same filters: other tensors' planes lie
        between theirs.
    """

    work: Work
    merged: int = 1
    row_step: int = 1
    flat: bool = False
    pool: bool = False
    image_rows: bool = False
    halo: int = 0
    image_groups: bool = False

    def row_bytes(self, layout: TensorLayout) -> int:
        """Bytes from one row of the work to the next."""
        return layout.image_bytes if self.image_rows else layout.row_bytes * self.row_step


def merged_groups(shape: ConvShape, block: int) -> int:
    """Fewest groups that together begin and end on channel blocks.

    The last of the work's groups may have fewer, if it has as many channel blocks.
    """
    if shape.G == 1:
        return 1

    def whole(merged: int, channels: int) -> bool:
        each = channels // shape.G * merged
        works = -(-shape.G // merged)
        return each % block == 0 and works * each // block == -(-channels // block)

    for merged in range(1, shape.G):
        if whole(merged, shape.C) and whole(merged, shape.M):
            return merged
    return shape.G


def suits_chains(
    shape: ConvShape, config: AcceleratorConfig, *, packed: bool, joined: bool = False
) -> bool:
    """Whether a layer's pixels should move through the weight chains, a channel in each column.

    That is for depthwise layers on weight-stationary arrays. A pixel is read once or twice for each
    filter column and strip, as a dense block once for each tap; so not where strides skip pixels.
    The ifmap rows of an ofmap row must fit on chip: these windows do not come in parts.
    """
    planes = _planes_at_a_time(shape, config)
    row = ((shape.F - 1) * shape.stride[1] + shape.S) * config.channel_block
    return (
        config.has_chains
        and shape.G == shape.C == shape.M
        and shape.G > 1
        and not packed
        and shape.dilation == (1, 1)
        and shape.stride[0] * shape.stride[1] <= shape.R * shape.S
        and shape.F + config.store_pixels <= ring_depth(config, joins=joined)
        and planes * (shape.R * row + config.ifmap_banks) <= config.ifmap_elements
    )


def _planes_at_a_time(shape: ConvShape, config: AcceleratorConfig) -> int:
    """Channel planes that the array takes at a time, a channel in each column."""
    planes = -(-shape.C // config.channel_block)
    return min(config.rows // config.channel_block, config.block_units, planes)


def plan_layer(
    layer: Layer | ConvShape | PoolShape, ifmap: TensorLayout, config: AcceleratorConfig,
    ofmap: TensorLayout | None = None,
) -> Plan:  # fmt: skip
    """Bring a layer into the form that the hardware executes.

    Parameters
    ----------
    layer : Layer | ConvShape | PoolShape
        The layer or its shape.
    ifmap : TensorLayout
        How its ifmap lies in DRAM.
    config : AcceleratorConfig
        The accelerator.
    ofmap : TensorLayout, optional
        How its ofmap lies in DRAM, where that may be between others' planes.
    """
    shape = layer.shape if isinstance(layer, ConvLayer | PoolLayer) else layer
    joined = isinstance(layer, ConvLayer | PoolLayer) and layer.joined is not None
    pooled = None if isinstance(layer, ConvShape | PoolShape) else pooling(layer)
    dense = ifmap.dense and (ofmap is None or ofmap.dense)
    whole_rows = ifmap.whole_rows and (ofmap is None or ofmap.whole_rows)
    plan = _plan(
        layer, shape, ifmap, config, joined=joined, pooled=pooled is not None, dense=dense,
        whole_rows=whole_rows,
    )  # fmt: skip
    if joined:
        plan = replace(plan, work=replace(plan.work, joined=True))
    return plan if pooled is None else replace(plan, work=_with_windows(plan.work, pooled))


def _with_windows(work: Work, pooled: Pooled) -> Work:
    """Let the work's pixels be those that the windows of a pooling have."""
    shape = pooled.shape
    pool = Windows(
        size=(shape.R, shape.S), stride=shape.stride, pad=shape.pad[:2], own=(shape.H, shape.W),
        means=pooled.means,
    )  # fmt: skip
    pad = tuple(
        own + before * step
        for own, before, step in zip(work.pad, pool.pad, work.stride, strict=True)
    )
    return replace(work, pool=pool, pad=pad, E=pool.pixels(0, shape.E), F=pool.pixels(1, shape.F))


def _plan(
    layer: Layer | ConvShape | PoolShape,
    shape: ConvShape | PoolShape,
    ifmap: TensorLayout,
    config: AcceleratorConfig,
    *,
    joined: bool,
    pooled: bool,
    dense: bool,
    whole_rows: bool,
) -> Plan:
    block = config.channel_block
    packed = ifmap.pixel != block
    if isinstance(shape, PoolShape):
        maximum = not (isinstance(layer, PoolLayer) and layer.op == "avgpool")
        planes = -(-shape.C // block)
        groups = 1 if dense else shape.N
        work = Work(
            G=groups, N=shape.N * planes // groups, C=block, M=block, H=shape.H, W=shape.W,
            R=shape.R, S=shape.S, E=shape.E, F=shape.F, stride=shape.stride,
            dilation=shape.dilation, pad=shape.pad[:2], packed=False, maximum=maximum,
        )  # fmt: skip
        return Plan(work=work, pool=True, image_groups=groups > 1)
    if not pooled and suits_chains(shape, config, packed=packed, joined=joined):
        planes = -(-shape.C // block)
        taken = _planes_at_a_time(shape, config)
        groups = -(-planes // taken)
        work = Work(
            G=groups, N=shape.N, C=taken * block, M=taken * block, H=shape.H, W=shape.W, R=shape.R,
            S=shape.S, E=shape.E, F=shape.F, stride=shape.stride, dilation=(1, 1),
            pad=shape.pad[:2], packed=False, depthwise=True,
            last_planes=planes - (groups - 1) * taken,
        )  # fmt: skip
        return Plan(work=work)
    if isinstance(layer, ConvLayer) and layer.op == "lrn" and not packed and whole_rows:
        halo = -(-reach(layer) // block)
        planes = -(-shape.C // block)
        if planes > 2 * halo + 1:
            rows, columns = (shape.H, shape.W) if pooled else (1, shape.H * shape.W)
            work = Work(
                G=planes, N=shape.N, C=(2 * halo + 1) * block, M=block, H=rows, W=columns, R=1, S=1,
                E=rows, F=columns, stride=(1, 1), dilation=(1, 1), pad=(0, 0), packed=False,
            )  # fmt: skip
            return Plan(work=work, flat=not pooled, halo=halo)
    merged = 1 if ifmap.groups == shape.G else merged_groups(shape, block)
    per_c, per_m = shape.C // shape.G * merged, shape.M // shape.G * merged
    loops = {
        "G": -(-shape.G // merged), "N": shape.N, "C": per_c, "M": per_m, "R": shape.R,
        "S": shape.S, "dilation": shape.dilation, "packed": packed,
    }  # fmt: skip
    unpadded = not any(shape.pad)
    flattens = shape.R == shape.S == 1 and shape.stride == (1, 1) and unpadded and not packed
    flattens = flattens and whole_rows and not pooled
    if flattens and not config.has_pe_sets:  # there, ofmap rows lie side by side
        size = shape.H * shape.W
        work = Work(**loops, H=1, W=size, E=1, F=size, stride=(1, 1), pad=(0, 0))
        return Plan(work=work, merged=merged, flat=True)
    if config.has_pe_sets and shape.H == shape.W == 1 and unpadded:
        # Columns are ofmap rows: let images that share their filters be such.
        loops["N"] = 1
        work = Work(**loops, H=shape.N, W=1, E=shape.N, F=1, stride=(1, 1), pad=(0, 0))
        return Plan(work=work, merged=merged, image_rows=True)
    row_step = shape.stride[0] if shape.R == 1 and unpadded else 1
    work = Work(
        **loops, H=-(-shape.H // row_step), W=shape.W, E=shape.E, F=shape.F,
        stride=(shape.stride[0] // row_step, shape.stride[1]), pad=shape.pad[:2],
    )  # fmt: skip
    return Plan(work=work, merged=merged, row_step=row_step)


def reach(layer: ConvLayer) -> int:
    """Most channels between one of the ofmap and one of the ifmap that it sees."""
    ofmap, ifmap = np.nonzero(layer.filters[:, :, 0, 0])
    return int(np.abs(ofmap - ifmap).max())

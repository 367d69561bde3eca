"""Random tensors for a nest, what they give, and where their words lie."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stillflow.compiler.filters import filter_stream
from stillflow.compiler.tensors import store_tensor
from stillflow.hw.layer import PoolShape
from stillflow.sim.golden.conv import conv
from stillflow.sim.golden.nest import Nest
from stillflow.sim.golden.pool import max_pool


@dataclass(frozen=True)
class Values:
    """Operands of a nest and the psums of the golden model.

    ``ifmap`` is intx[N, C, H, W], ``psums`` int64[N, M, E, F]; the rest is of the work's groups, as
    `filter_stream` takes it.
    """

    nest: Nest
    ifmap: NDArray[np.signedinteger]
    filters: NDArray[np.signedinteger]
    bias: NDArray[np.int64]
    scale: NDArray[np.float32]
    psums: NDArray[np.integer]

    @cached_property
    def _dram(self):
        return np.frombuffer(
            store_tensor(self.ifmap, self.nest.place.ifmap_layout), self.ifmap.dtype
        )

    def word_at(self, address):
        """Word of the ifmap at a DRAM byte address; padding where there is none."""
        if address is None:
            return self.nest.place.pad_value
        return int(self._dram[(address - self.nest.place.ifmap) // self.ifmap.itemsize])

    def lines(self):
        """Filter stream as words: [lines, words of a line]."""
        mapping = self.nest.mapping
        stream = filter_stream(mapping, self.filters, self.bias, self.scale)
        words = np.frombuffer(stream, f"<i{mapping.config.weight_bits // 8}")
        return words.reshape(mapping.filter_lines, -1)


def draw_values(shape, nest, rng):
    """Draw operands of a layer."""
    work, config, pad = nest.mapping.work, nest.mapping.config, nest.place.pad_value
    ifmap = rng.integers(-128, 128, (shape.N, shape.C, shape.H, shape.W))
    ifmap = ifmap.astype(f"int{config.act_bits}")
    if isinstance(shape, PoolShape):
        filters = np.eye(work.M).astype(np.int8)[None, :, :, None, None]
        filters = filters.repeat(work.R, axis=3).repeat(work.S, axis=4)
        bias, scale = np.zeros((1, work.M), np.int64), np.ones((1, work.M), np.float32)
        # The golden model's padding never wins; here it is a word like any other.
        around = [(0, 0), (0, 0), shape.pad[::2], shape.pad[1::2]]
        padded = np.pad(ifmap, around, constant_values=pad)
        unpadded = PoolShape(
            N=shape.N, C=shape.C, H=padded.shape[2], W=padded.shape[3], R=shape.R, S=shape.S,
            stride=shape.stride,
        )  # fmt: skip
        psums = max_pool(padded, unpadded)
        return Values(nest, ifmap, filters, bias, scale, psums)
    filters = rng.integers(-128, 128, (shape.M, shape.C // shape.G, shape.R, shape.S))
    bias = rng.integers(-(1 << 14), 1 << 14, shape.M)
    psums = conv(ifmap, filters, bias, shape, pad)
    filters = spread_groups(shape, work, filters)
    bias = bias.reshape(work.G, work.M) - pad * filters.sum(axis=(2, 3, 4))
    scale = rng.uniform(0.5, 2, (work.G, work.M)).astype(np.float32) / np.float32(1 << 10)
    return Values(nest, ifmap, filters, bias, scale, psums)


def join(slices, slice_bits, bits):
    """Words of slices, lowest first: [slices, columns] to [columns]."""
    words = np.zeros(slices.shape[1], object)
    for number, part in enumerate(slices):
        words |= (part.astype(object) & ((1 << slice_bits) - 1)) << (slice_bits * number)
    words &= (1 << bits) - 1
    return np.where(words >> (bits - 1), words - (1 << bits), words).astype(np.int64)


def scatter(nest, step, pixel, words, ofmap):
    """Put the words of a complete vector, one per column, at their DRAM byte addresses."""
    config, block = nest.mapping.config, nest.mapping.config.channel_block
    for unit in range(nest.ofmap_units(step.block)):
        address = nest.ofmap_address(step.g, step.block, unit, pixel)
        for channel in range(block):
            place = address + channel * config.act_bytes
            assert place not in ofmap
            ofmap[place] = words[unit * block + channel]


def gather(ofmap, place):
    """Words [N, C, H, W] from their DRAM byte addresses."""
    layout = place.ofmap_layout
    n, c, h, w = np.indices((layout.N, layout.C, layout.H, layout.W))
    addresses = (
        place.ofmap
        + n * layout.image_bytes
        + c // layout.pixel * layout.plane_bytes
        + h * layout.row_bytes
        + (w * layout.pixel + c % layout.pixel) * layout.element_bytes
    )
    assert len(ofmap) == layout.bytes // layout.element_bytes
    return np.vectorize(ofmap.__getitem__, otypes=[np.int64])(addresses)


def spread_groups(shape, work, filters):
    """Return filters [G, M, C, R, S] of the work: zeros where it joins groups of the layer."""
    spread = np.zeros((work.G, work.M, work.C, shape.R, shape.S), np.int64)
    for m in range(shape.M):
        first = m // (shape.M // shape.G) * (shape.C // shape.G) % work.C
        spread[m // work.M, m % work.M, first : first + shape.C // shape.G] = filters[m]
    return spread

"""Least DRAM traffic of a convolution whose tiles share one memory: a bound for any accelerator."""

from dataclasses import dataclass

from stillflow.compiler.sizes import some, tiles
from stillflow.hw.layer import ConvShape

SIZES = 40  # of a loop's tiles that are tried


@dataclass(frozen=True, kw_only=True)
class OneLevel:
    """A memory that holds a tile's psums and what else stays.

    Parameters
    ----------
    bytes : int
        Its size.
    word_bytes, psum_bytes : int
        Of an activation or weight; of a psum.
    """

    bytes: int
    word_bytes: int
    psum_bytes: int


def least_traffic(shape: ConvShape, memory: OneLevel) -> int:
    """Fewest bytes that a layer moves, over tiles of images, rows, columns and filters.

    A tile's psums stay until they are complete, channels come one by one. Besides, the ifmap tile
    may stay for all filters, or a tile of filters for all pixels, if they fit. Padding is not
    read, an ofmap word is written once.
    """
    C, M = shape.C // shape.G, shape.M // shape.G
    word = memory.word_bytes
    filters = shape.G * M * C * shape.R * shape.S * word
    ofmap = shape.N * shape.M * shape.E * shape.F * word
    least = 0
    for n, e, f in _pixel_tiles(shape):
        rows, columns = (_covered(shape, axis, size) for axis, size in ((0, e), (1, f)))
        ifmap = shape.N * shape.G * C * rows * columns * word
        pixel_tiles = -(-shape.N // n) * -(-shape.E // e) * -(-shape.F // f)
        height = min((e - 1) * shape.stride[0] + shape.R, shape.H + sum(shape.pad[::2]))
        width = min((f - 1) * shape.stride[1] + shape.S, shape.W + sum(shape.pad[1::2]))
        plane = n * height * width * word
        for m in some(tiles(M, M), SIZES):
            psums = n * e * f * m * memory.psum_bytes
            taps = m * shape.R * shape.S * word
            passes = -(-M // m)
            for ifmap_stays in (False, True):
                for filters_stay in (False, True):
                    held = plane * (C if ifmap_stays else 1) + taps * (C if filters_stay else 1)
                    if psums + held > memory.bytes:
                        continue
                    # Filters outside the pixel tiles, or inside.
                    outside = ifmap * passes + filters * (1 if filters_stay else pixel_tiles)
                    once = filters_stay and passes == 1
                    inside = ifmap * (1 if ifmap_stays else passes)
                    inside += filters * (1 if once else pixel_tiles)
                    moved = ofmap + min(outside, inside)
                    least = min(least or moved, moved)
    return least


def _pixel_tiles(shape: ConvShape) -> list[tuple[int, int, int]]:
    """Images, rows and columns of tiles; several images only of whole planes."""
    found = [
        (1, e, f)
        for e in some(tiles(shape.E, shape.E), SIZES)
        for f in some(tiles(shape.F, shape.F), SIZES)
    ]
    return found + [(n, shape.E, shape.F) for n in range(2, shape.N + 1)]


def _covered(shape: ConvShape, axis: int, tile: int) -> int:
    """Ifmap rows (or columns) that all tiles read, padding left out."""
    total, out = (shape.H, shape.E) if axis == 0 else (shape.W, shape.F)
    window = (shape.R, shape.S)[axis]
    stride, pad = shape.stride[axis], shape.pad[axis]
    read = 0
    for first in range(0, out, tile):
        last = min(out, first + tile) - 1
        read += max(0, min(total, last * stride - pad + window) - max(0, first * stride - pad))
    return read

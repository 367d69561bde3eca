"""Bytes that a nest moves to and from the chip's buffers, by closed forms."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

from stillflow.hw.mapping import Mapping
from stillflow.hw.work import OnChip


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes of a layer to and from the chip's buffers; of the ifmap with its padding.

    ``unfilled`` is what a row of a row-stationary tile leaves empty of its beats, on average: of
    ifmap rows, of ofmap rows.
    """

    ifmap: int
    filters: int
    ofmap: int
    residual: int
    on_chip: OnChip
    unfilled: tuple[int, int] = (0, 0)

    @property
    def local(self) -> tuple[int, int]:
        """Bytes that are read from and written to the activation memory."""
        ifmap = self.ifmap if self.on_chip.ifmap else 0
        residual = self.residual if self.on_chip.residual else 0
        return ifmap + residual, self.ofmap if self.on_chip.ofmap else 0

    @property
    def dram(self) -> int:
        """Bytes to and from DRAM."""
        return self.ifmap + self.filters + self.ofmap + self.residual - sum(self.local)

    @property
    def beats(self) -> int:
        """The same in whole beats."""
        ifmap, ofmap = self.unfilled
        return self.dram + ifmap * (not self.on_chip.ifmap) + ofmap * (not self.on_chip.ofmap)


def traffic(mapping: Mapping) -> Traffic:
    """Bytes of a layer, an upper bound for choosing."""
    config, w = mapping.config, mapping.work
    _, e, f = mapping.tile_counts
    rows = min(mapping.rows_of(mapping.pe), w.H) * e * mapping.r_count
    width = min(mapping.load_width, w.W * mapping.pixel) * f * mapping.s_count
    reloads = mapping.m_count if mapping.m_outer or mapping.tiled else 1
    passes = 1 if mapping.filter_resident else mapping.pixel_tiles
    e_stored, f_stored = w.stored
    pixel = mapping.all_units * config.channel_block * config.act_bytes
    ofmap = pixel * w.N * e_stored * f_stored
    loaded_rows = mapping.all_planes * w.N * rows * reloads
    unfilled = 0, 0
    if mapping.pe_set:
        step = mapping.pf * w.stride[1]
        unfilled = (
            loaded_rows * f * mapping.s_count * _unfilled(mapping, w.W, step, mapping.load_width),
            w.M * w.G * w.N * e_stored * f * _unfilled(mapping, f_stored, mapping.pf, mapping.pf),
        )
    return Traffic(
        ifmap=loaded_rows * width * config.act_bytes,
        filters=mapping.filter_lines * config.filter_line_bytes * passes,
        ofmap=ofmap,
        residual=pixel * mapping.own_pixels if w.joined else 0,
        on_chip=w.on_chip,
        unfilled=unfilled,
    )


def _unfilled(mapping: Mapping, row: int, step: int, width: int) -> int:
    """Bytes that a tile's row of a plane leaves empty of its beats, on average over its places.

    ``row`` are the words of a whole row, ``step`` those from tile to tile, ``width`` a tile's.
    """
    beat, word = mapping.config.axi_bytes, mapping.config.act_bytes
    if mapping.tile_counts[2] == 1:
        width, step = min(width, row), 0
    grid = gcd(row * word, step * word, beat)
    return beat - grid + -width * word % grid


def least_traffic(mapping: Mapping) -> Iterator[Traffic]:
    """Give traffics: every nest with these pixel and window tiles moves as much as one of them."""
    config, w = mapping.config, mapping.work
    filters = mapping.filter_lines * config.filter_line_bytes
    if mapping.pe_set:
        yield from _least_set_traffic(mapping, filters)
        return
    rows = min(w.H, w.E * min(w.stride[0], mapping.rows_of(1)))
    width = min(w.W * mapping.pixel, w.F * min(w.stride[1] * mapping.pixel, mapping.width_of(1)))
    ifmap = mapping.all_planes * w.N * rows * width * config.act_bytes
    yield replace(traffic(mapping), ifmap=ifmap, filters=filters)


def _least_set_traffic(mapping: Mapping, filters: int) -> Iterator[Traffic]:
    """Row stationary: an ifmap tile meets the filters of whose psums there is room, or that stay.

    ``filters`` are the bytes of all.
    """
    config = mapping.config
    moved = traffic(mapping)
    loads = mapping.m_count if mapping.tiled else 1
    ifmap, (unfilled, of_ofmap) = moved.ifmap // loads, moved.unfilled
    passes = 1 if mapping.block_lines * mapping.blocks <= config.filter_lines else None
    whole = (
        mapping.windows == 1
        and config.ifmap_elements // mapping.slot_size >= mapping.plane_groups
    )  # fmt: skip
    stay = config.filter_lines // mapping.block_lines if whole else 0
    meets = mapping.blocks if whole else max(1, config.psum_depth // mapping.tile_vectors)
    for least, times in ((meets, passes or mapping.pixel_tiles), (stay, 1)):
        if least:
            again = -(-mapping.blocks // least)
            yield replace(
                moved, ifmap=ifmap * again, filters=filters * times,
                unfilled=(unfilled // loads * again, of_ofmap),
            )  # fmt: skip

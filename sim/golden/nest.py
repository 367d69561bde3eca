"""Walks a nest literally, loop by loop: what the sequencers must do, in the order of the nest.

No counters that carry, no strides that add up: every index is a ``for``, every address a sum of
products. It takes the mapping and the tensors' layouts, and never sees a descriptor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice, product

from stillflow.compiler.placement import Placement
from stillflow.compiler.work import Plan
from stillflow.hw.mapping import Mapping
from stillflow.sim.golden.events import Fill, FilterLine, Part, Pixel, Step


@dataclass(frozen=True)
class Nest:
    """A mapped layer and where its data lie."""

    mapping: Mapping
    plan: Plan
    place: Placement

    # -- the nest ------------------------------------------------------------------------------

    def walk(self) -> Iterator[Fill | FilterLine | Step]:
        """Yield everything in order: what a step needs comes right before it."""
        m = self.mapping
        slabs = self._slabs()
        tile, groups_before = -1, 0
        for g, m_outer in product(range(m.work.G), range(m.m_count if m.m_outer else 1)):
            n_tiles, e_tiles, f_tiles = map(range, m.tile_counts)
            for pixel_tile in product(n_tiles, e_tiles, f_tiles):
                for m_inner in range(1 if m.m_outer else m.m_count):
                    for part in self._parts():
                        tile += 1
                        groups = self._groups(part)
                        for block in self._blocks(m_outer + m_inner):
                            for group in groups:
                                if block == self._blocks(m_outer + m_inner)[0]:
                                    yield from self._fills(tile, g, pixel_tile, part, group)
                                if pixel_tile == (0, 0, 0) or not m.filter_resident:
                                    slab = slabs[g, block, part, group]
                                    for index in slab:
                                        yield FilterLine(index, index == slab[-1])
                                yield from self._steps(
                                    tile, groups_before, g, pixel_tile, part, block, group,
                                    slabs[g, block, part, group],
                                )  # fmt: skip
                            # Where psums stay, other pixels of the tile meet the same filters.
                            for pixel_group in range(1, self._pixel_groups(pixel_tile)):
                                for group in groups:
                                    yield from self._steps(
                                        tile, groups_before, g, pixel_tile, part, block, group,
                                        slabs[g, block, part, group], pixel_group,
                                    )  # fmt: skip
                        groups_before += len(groups)

    def _parts(self) -> list[Part]:
        m = self.mapping
        return [Part(*at) for at in product(range(m.c_count), range(m.r_count), range(m.s_count))]

    def _groups(self, part: Part) -> range:
        first = part.c * self.mapping.groups
        return range(first, min(first + self.mapping.groups, self.mapping.plane_groups))

    def _blocks(self, m_group: int) -> range:
        first = m_group * self.mapping.mb
        return range(first, min(first + self.mapping.mb, self.mapping.blocks))

    def _planes(self, group: int) -> range:
        first = group * self.mapping.k_planes
        return range(first, min(first + self.mapping.k_planes, self.mapping.planes))

    def _tile_range(self, pixel_tile: tuple[int, int, int]) -> tuple[range, range, range]:
        m, w = self.mapping, self.mapping.work
        sizes, steps = (m.pn, m.pe, m.pf), (m.pn, *m.tile_step)
        n, e, f = (
            range(i * step, min(i * step + size, total))
            for i, step, size, total in zip(pixel_tile, steps, sizes, (w.N, w.E, w.F), strict=True)
        )
        return n, e, f

    def _pixel_groups(self, pixel_tile: tuple[int, int, int]) -> int:
        images, rows, columns = map(len, self._tile_range(pixel_tile))
        return self.mapping.pixel_groups_of(images, rows, columns)

    # -- the filter stream ---------------------------------------------------------------------

    def _slabs(self) -> dict[tuple[int, int, Part, int], range]:
        """Lines of the stream of each group, filter block, reduction tile and plane group."""
        m, parts = self.mapping, self._parts()
        slabs, line = {}, 0
        for g, m_group, part in product(range(m.work.G), range(m.m_count), parts):
            for block, group in product(self._blocks(m_group), self._groups(part)):
                if m.pe_set:
                    lines = sum(len(lines) for lines in self._passes(group))
                else:
                    lines = len(self._reduction(group))
                if group == self._groups(part)[0]:
                    lines += m.bias_lines * (part == parts[0])
                    lines += m.scale_lines * (part == parts[-1])
                slabs[g, block, part, group] = range(line, line + lines)
                line += lines
        assert line == m.filter_lines
        return slabs

    def _reduction(self, group: int) -> list[tuple[int, int, int, int]]:
        """``r, s, plane, element`` of each line, in order; r and s within the window tile."""
        m = self.mapping
        return list(
            product(range(m.window[0]), range(m.k_s), self._planes(group), range(m.k_elements))
        )

    def _passes(self, group: int) -> list[list[tuple[int, int, int, int]]]:
        """``r, s, plane, filter`` of the first row's weights, row stationary, pass by pass."""
        m = self.mapping
        assert m.pe_set is not None
        rows = range(0, m.window[0], m.pe_set.filter_rows)
        columns = range(0, m.window[1], m.pe_set.columns)
        planes = self._planes(group)[:: m.pe_set.channels]
        return [
            list(product([r], range(s, s + m.pe_set.columns), planes, range(m.pe_set.filters)))
            for r, s in product(rows, columns)
        ]

    def _chunks(self, group: int) -> list[list[tuple[int, int, int, int]]]:
        """Lines that meet the rows together: up to ``rows`` of a run that ends at ``k_break``."""
        rows = self.mapping.config.rows
        kept = {1: 2, 2: 1, 3: 0}[self.mapping.k_break]  # a new r or s begins a new run
        chunks = []
        for _, run in groupby(self._reduction(group), key=lambda line: line[:kept]):
            lines = list(run)
            chunks += [lines[i : i + rows] for i in range(0, len(lines), rows)]
        return chunks

    # -- the ifmap tile ------------------------------------------------------------------------

    def _fills(
        self, tile: int, g: int, pixel_tile: tuple[int, int, int], part: Part, group: int
    ) -> Iterator[Fill]:
        m, w = self.mapping, self.mapping.work
        images, es, fs = self._tile_range(pixel_tile)
        base = tile % m.slots * m.slot_size
        rows, width = m.rows_of(len(es)), m.width_of(len(fs))
        places = list(product(self._planes(group), images, range(rows), range(width)))
        for place in places:
            plane, n, row, x = place
            h = es[0] * w.stride[0] - w.pad[0] + part.r * m.window[0] * w.dilation[0] + row
            first = fs[0] * w.stride[1] - w.pad[1] + part.s * m.window[1] * w.dilation[1]
            i = first * m.pixel + x
            element = (
                base
                + (plane - part.c * m.groups * m.k_planes) * m.plane_stride
                + (n - images[0]) * m.image_stride
                + row * m.pitch
                + x
            )
            inside = 0 <= h < w.H and 0 <= i < w.W * m.pixel
            address = self._ifmap_address(g, n, plane, h, i) if inside else None
            yield Fill(tile, element, address, place == places[-1])

    def _ifmap_address(self, g: int, n: int, plane: int, h: int, i: int) -> int:
        layout, plan = self.place.ifmap_layout, self.plan
        first = g - plan.halo if plan.halo else g * self.mapping.planes
        image, plane = self._plane_of(g, n, first + plane)
        return (
            self.place.ifmap
            + image * layout.image_bytes
            + plane * layout.plane_bytes
            + h * plan.row_bytes(layout)
            + i * layout.element_bytes
        )

    # -- steps ---------------------------------------------------------------------------------

    def _steps(
        self, tile: int, groups_before: int, g: int, pixel_tile: tuple[int, int, int],
        part: Part, block: int, group: int, slab: range, pixel_group: int = 0,
    ) -> Iterator[Step]:  # fmt: skip
        m, w, config = self.mapping, self.mapping.work, self.mapping.config
        groups = self._groups(part)
        chunks = self._passes(group) if m.pe_set else self._chunks(group)
        parts = self._parts()
        blocks = next(b for i in range(m.m_count) if block in (b := self._blocks(i)))
        entry = blocks.index(block) * m.tile_vectors if len(parts) > 1 else 0
        ranges = self._tile_range(pixel_tile)
        pixels = tuple(
            Pixel(
                offset=(n - ranges[0][0]) * m.image_stride
                + (e - ranges[1][0]) * w.stride[0] * m.pitch
                + (f - ranges[2][0]) * w.stride[1] * m.pixel,
                psum=entry + i,
                n=n,
                e=e,
                f=f,
            )
            for i, (n, e, f) in enumerate(product(*ranges))
        )
        pixel_groups = self._pixel_groups(pixel_tile)
        if pixel_groups > 1:
            pixels = pixels[pixel_group * config.rows : (pixel_group + 1) * config.rows]
        lines = iter(slab)
        for number, chunk in enumerate(chunks):
            opens = number == 0 and group == groups[0]
            ends = number == len(chunks) - 1 and group == groups[-1]
            begins, completes = part == parts[0], part == parts[-1]
            biases = m.bias_lines * (begins and opens)
            scales = m.scale_lines * (completes and opens)
            if m.params_first:
                bias, scale, weights = (_take(lines, i) for i in (biases, scales, len(chunk)))
                if pixel_group:  # they are where they are used
                    bias = scale = ()
            else:
                weights, bias, scale = (_take(lines, i) for i in (len(chunk), biases, scales))
            yield Step(
                g=g,
                block=block,
                tile=tile,
                pixel_group=pixel_group,
                groups=groups_before + groups.index(group) + 1,
                elements=tuple(
                    self._element(tile, part, *line[:3], 0 if m.pe_set else line[3])
                    for line in chunk
                ),
                weights=weights,
                bias=bias,
                scale=scale,
                pixels=pixels,
                images_rows_columns=(len(ranges[0]), len(ranges[1]), len(ranges[2])),
                opens=opens,
                ends=ends,
                begins=begins,
                completes=completes,
                tile_last=ends and block == blocks[-1] and pixel_group == pixel_groups - 1,
                lines_last=all(i == n - 1 for i, n in zip(pixel_tile, m.tile_counts, strict=True)),
            )
        assert next(lines, None) is None

    def _element(self, tile: int, part: Part, r: int, s: int, plane: int, element: int) -> int:
        m, dilation = self.mapping, self.mapping.work.dilation
        return (
            tile % m.slots * m.slot_size
            + (plane - part.c * m.groups * m.k_planes) * m.plane_stride
            + r * dilation[0] * m.pitch
            + s * dilation[1] * m.pixel
            + element
        )

    # -- the ofmap -----------------------------------------------------------------------------

    def ofmap_units(self, block: int) -> int:
        """Channel blocks of a filter block that exist in the ofmap."""
        first = block * self.mapping.config.block_units
        total = -(-self.mapping.work.M // self.mapping.config.channel_block)
        return min(self.mapping.config.block_units, total - first)

    def _plane_of(self, g: int, n: int, plane: int) -> tuple[int, int]:
        """Image and plane of a tensor at an image of the work, and a plane counted over groups."""
        if not self.plan.pool:
            return n, plane
        return (g, n) if self.plan.image_groups else (0, n)

    def ofmap_address(self, g: int, block: int, unit: int, pixel: Pixel) -> int:
        """DRAM byte address of a channel block of an ofmap pixel."""
        config, layout = self.mapping.config, self.place.ofmap_layout
        per_group = -(-self.mapping.work.M // config.channel_block)
        plane = g * per_group + block * config.block_units + unit
        image, plane = self._plane_of(g, pixel.n, plane)
        row_bytes = layout.row_bytes  # where a plane is one row, pixels are all in the first
        return (
            self.place.ofmap
            + image * layout.image_bytes
            + plane * layout.plane_bytes
            + pixel.e * row_bytes
            + pixel.f * layout.pixel * layout.element_bytes
        )


def _take(lines: Iterator[int], count: int) -> tuple[int, ...]:
    return tuple(islice(lines, count))

"""What the walkers of the hardware must emit, derived from a literal walk of the nest."""

from collections.abc import Mapping, Sequence
from typing import Any

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.words import LineKind, SegmentKind
from stillflow.sim.golden.events import Fill, FilterLine, Step
from stillflow.sim.golden.nest import Nest

Segment = Mapping[str, Any]  # members of `stillflow.hw.words.Segment`
#: Kind, position in the order of loading (None: no line), lane offset (None: any).
Command = tuple[LineKind, int | None, int | None]


def steps_of(nest: Nest) -> list[Step]:
    """List the steps of a nest."""
    return [event for event in nest.walk() if isinstance(event, Step)]


def filter_positions(nest: Nest) -> tuple[list[list[int]], int]:
    """Filter lines in the order they are loaded, and where each was loaded for each step.

    Returns
    -------
    positions : list[list[int]]
        For each step: position of each of its lines in stream order, counted from 0 in the order
        of loading.
    loads : int
        Lines loaded in all.
    """
    latest: dict[int, int] = {}
    positions: list[list[int]] = []
    loads = 0
    for event in nest.walk():
        if isinstance(event, FilterLine):
            latest[event.index] = loads
            loads += 1
        elif isinstance(event, Step):
            params = (*event.bias, *event.scale)
            first = nest.mapping.params_first
            lines = (*params, *event.weights) if first else (*event.weights, *params)
            positions.append([latest[line] for line in lines])
    return positions, loads


def complete_tiles(segments: Sequence[Segment], nest: Nest) -> int:
    """Ifmap tiles whose last plane group was asked for."""
    m = nest.mapping
    groups = sum(segment["group_last"] for segment in segments)
    whole, rest = divmod(groups, m.plane_groups * m.windows)
    tiles, inner = whole * m.c_count * m.windows, (m.c_count - 1) * m.windows
    if rest > inner * m.groups:
        return tiles + inner + (rest - inner * m.groups) // m.groups_last
    return tiles + rest // m.groups


def check_segments(segments: Sequence[Segment], nest: Nest) -> None:
    """Assert that read segments bring every element and line on chip, in the order of the walk.

    Parameters
    ----------
    segments : sequence
        As they were emitted; ``freed`` beside the members tells how many tiles were freed before.
    nest : Nest
        The layer.
    """
    config, mapping = nest.mapping.config, nest.mapping
    lanes, size = config.axi_elements, config.act_bytes
    events = [event for event in nest.walk() if isinstance(event, Fill | FilterLine)]
    elements = ceil_log2(config.ifmap_elements)
    place = 0
    for segment in segments:
        if segment["kind"] == SegmentKind.FILTER:
            lines, rest = divmod(segment["beats"] * config.axi_bytes, config.filter_line_bytes)
            assert rest == 0
            assert lines
            wanted = events[place : place + lines]
            address = segment["address"]
            for line in wanted:
                assert isinstance(line, FilterLine)
                assert line.last == (line is wanted[-1])
                assert address == nest.place.filters + line.index * config.filter_line_bytes
                address += config.filter_line_bytes
            place += lines
            continue
        is_padding = segment["kind"] == SegmentKind.PADDING
        assert is_padding or segment["kind"] == SegmentKind.IFMAP
        if not is_padding:
            assert segment["skip"] == segment["address"] // size % lanes
        last = (segment["beats"] - 1) * lanes + segment["tail"]
        completes = False
        for number in range(segment["skip"], last + 1):
            fill = events[place]
            assert isinstance(fill, Fill)
            assert (segment["element"] + number) % (1 << elements) == fill.element
            address = segment["address"] + (number - segment["skip"]) * size
            assert fill.address == (None if is_padding else address)
            assert fill.tile - segment["freed"] < mapping.slots
            completes = fill.group_last
            place += 1
        assert segment["group_last"] == completes
    assert place == len(events)


def lane_offset(step: Step, lane: int, nest: Nest, bits: int) -> int:
    """Bank words from where lane 0 leads to where an element lies, in ``bits`` bits."""
    ahead = step.elements[lane] - step.elements[0] - lane
    return ahead // nest.mapping.config.ifmap_banks % (1 << bits)


def commands_of(step: Step, positions: Sequence[int], nest: Nest, bits: int) -> list[Command]:
    """Line commands that load the weight block of a step, lane offsets being ``bits`` wide."""
    lines = iter(positions)
    commands: list[Command] = []
    for lane in range(nest.mapping.config.rows):
        if lane < len(step.elements):
            offset = lane_offset(step, lane, nest, bits)
            commands.append((LineKind.WEIGHT, next(lines), offset))
        else:
            commands.append((LineKind.WEIGHT, None, None))
    commands += [(LineKind.BIAS, next(lines), None) for _ in step.bias]
    commands += [(LineKind.SCALE, next(lines), None) for _ in step.scale]
    assert next(lines, None) is None
    return commands


def filter_place(position: int, config: AcceleratorConfig) -> dict[str, int]:
    """Members of `stillflow.hw.words.FilterPlace` for a line, by its place in the stream."""
    line, bank = divmod(position % config.filter_lines, config.filter_banks)
    return {"line": line} | ({"bank": bank} if config.filter_banks > 1 else {})


def block_of(step: Step, nest: Nest) -> dict[str, int]:
    """Members of `stillflow.hw.sequencer.block.Block` for a step, except its ``place``."""
    images, rows, columns = step.images_rows_columns
    lines = len(step.weights) + len(step.bias) + len(step.scale)
    kept = nest.mapping.filter_resident and not step.lines_last
    return {
        "element": step.elements[0],
        "psum": step.pixels[0].psum,
        "groups": step.groups,
        "images": images,
        "rows": rows,
        "columns": columns,
        "lanes": len(step.elements),
        "weights": len(step.weights),
        "first": step.first,
        "final": step.final,
        "tile_last": step.tile_last,
        "freed": 0 if kept else lines,
    }


def pass_of(step: Step, nest: Nest) -> dict[str, int]:
    """Members of a pass, the halves of the scratchpads and tables apart."""
    m, pe_set = nest.mapping, nest.mapping.pe_set
    assert pe_set is not None
    _, rows, columns = step.images_rows_columns
    lines = len(step.weights) + len(step.bias) + len(step.scale)
    depth = len(step.weights) // (pe_set.columns * pe_set.filters)
    last_group = depth != pe_set.depth_of(m.k_planes) or step.groups % m.plane_groups == 0
    planes = m.k_planes_last if last_group else m.k_planes
    strips = -(-rows // m.strip_rows)
    return {
        "element": step.elements[0],
        "psum": step.pixels[0].psum,
        "groups": step.groups % (1 << 16),
        "strips": strips,
        "last_rows": rows - (strips - 1) * m.strip_rows,
        "columns": columns,
        "stored": min(pe_set.filters, m.work.M - step.block * pe_set.filters),
        "depth": depth,
        "channels": planes - (depth - 1) * pe_set.channels,
        "first": step.first,
        "final": step.final,
        "tile_last": step.tile_last,
        "freed": 0 if m.filter_resident and not step.lines_last else lines,
    }


def chunk_of(step: Step, positions: Sequence[int], nest: Nest) -> dict[str, int]:
    """Members of `stillflow.hw.sequencer.chunk.Chunk` for a step."""
    config, mapping = nest.mapping.config, nest.mapping
    images, rows, columns = step.images_rows_columns
    maximum = mapping.work.maximum
    pixel_groups = mapping.pixel_groups_of(images, rows, columns)
    resident = mapping.filter_resident and not step.lines_last
    parameters = config.bias_lines * step.begins + config.scale_lines * step.completes
    return {
        "element": step.elements[0],
        "psum": step.pixels[0].psum - step.pixel_group * config.rows,
        "line": positions[0] % config.filter_lines,
        "lanes": len(step.elements),
        "groups": step.groups,
        "images": images,
        "rows": rows,
        "columns": columns,
        "parameters": parameters * step.opens,
        "bias": bool(step.bias),
        "scale": bool(step.scale),
        "restarts": step.opens and step.pixel_group == 0,
        "rewinds": not step.opens,
        "opens": step.opens or maximum,
        "drains": step.ends or maximum,
        "first": step.begins and (step.opens or not maximum),
        "final": step.final,
        "new_filters": step.pixel_group == 0,
        "tile_last": step.tile_last,
        "keeps": step.pixel_group < pixel_groups - 1 or resident,
    }

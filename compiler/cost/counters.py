"""Every performance counter but the cycles, in closed form from the nest."""

from collections.abc import Mapping as Fields
from dataclasses import dataclass
from itertools import product

from stillflow.compiler.cost.residues import Residues, beats, combined, merged, progression
from stillflow.compiler.cost.runs import residual_fields
from stillflow.compiler.cost.set_counters import row_beats, set_counters
from stillflow.hw.csr import RECORD_BYTES, Counter
from stillflow.hw.descriptor import BYTES
from stillflow.hw.fir import Fir
from stillflow.hw.mapping import Mapping
from stillflow.hw.residual import TABLE_BYTES, join_depth
from stillflow.hw.work import OnChip


def predict_counters(
    mapping: Mapping, fields: Fields[str, int], *, last: bool = True
) -> dict[Counter, int]:
    """Count what a layer adds to each counter.

    Parameters
    ----------
    mapping : Mapping
        The nest.
    fields : Mapping[str, int]
        Its descriptor: addresses decide how many beats a transfer touches.
    last : bool
        Whether it is the program's last layer, to which the last record belongs, too. Each layer
        has the record that was written before it.

    Returns
    -------
    dict[Counter, int]
        All counters but ``CYCLES``.
    """
    config, w = mapping.config, mapping.work
    passes = 1 if mapping.filter_resident else mapping.pixel_tiles
    filter_bytes = mapping.filter_lines * passes * config.filter_line_bytes
    moved = _tensor_beats(mapping, fields)
    array = array_counters(mapping)
    rows, columns = w.stored
    pixels = w.N * rows * columns  # of the ofmap
    elements = mapping.all_units * pixels * config.channel_block
    fills = moved.fills
    if w.joined:
        # As many residuals as words of the ofmap, but for windows and the pixels that these share.
        array[Counter.IFMAP_READS] += array[Counter.OFMAP_WRITES] * mapping.own_pixels // pixels
        fills += elements * mapping.own_pixels // pixels
    table_bytes = TABLE_BYTES if fields["table"] else 0
    read, written = moved.of(w.on_chip, on_chip=False)
    return array | {
        Counter.DRAM_READ_BYTES: BYTES + read * config.axi_bytes + filter_bytes + table_bytes,
        Counter.DRAM_WRITE_BYTES: written * config.axi_bytes + RECORD_BYTES * (1 + last),
        Counter.IFMAP_FILLS: fills,
        Counter.FILTER_FILLS: filter_bytes // (config.weight_bits // 8),
        Counter.OFMAP_SPILLS: elements,
        Counter.LAYERS: 1,
    }


def activation_words(mapping: Mapping, fields: Fields[str, int]) -> tuple[int, int]:
    """Words that a layer reads from and writes to the activation memory, in whole beats."""
    on_chip = mapping.work.on_chip
    if on_chip == OnChip():
        return 0, 0
    read, written = _tensor_beats(mapping, fields).of(on_chip, on_chip=True)
    return read * mapping.config.axi_elements, written * mapping.config.axi_elements


@dataclass(frozen=True, kw_only=True)
class _TensorBeats:
    """Beats of a layer's tensors, and elements of the ifmap that are filled, with padding."""

    ifmap: int
    residual: int
    ofmap: int
    fills: int

    def of(self, placed: OnChip, *, on_chip: bool) -> tuple[int, int]:
        """Beats that are read and written on chip, or in DRAM."""
        ifmap = self.ifmap if placed.ifmap == on_chip else 0
        residual = self.residual if placed.residual == on_chip else 0
        return ifmap + residual, self.ofmap if placed.ofmap == on_chip else 0


def _tensor_beats(mapping: Mapping, fields: Fields[str, int]) -> _TensorBeats:
    config, residual = mapping.config, 0
    ifmap, fills = _ifmap(mapping, fields)
    if mapping.work.joined:
        chunk = min(config.store_pixels, join_depth(config))
        residual = _ofmap_beats(mapping, residual_fields(mapping, fields), chunk)
    ofmap = _ofmap_beats(mapping, fields, config.store_pixels)
    return _TensorBeats(ifmap=ifmap, residual=residual, ofmap=ofmap, fills=fills)


def array_counters(mapping: Mapping, *, reductions: int | None = None) -> dict[Counter, int]:
    """Count what the array and the psums do, which no address changes.

    ``reductions`` replaces the nest's number of reduction tiles along the channels.
    """
    if mapping.pe_set:
        return set_counters(mapping, mapping.pe_set)
    config, w = mapping.config, mapping.work
    columns = config.m_block
    visits = w.G * mapping.blocks  # filter blocks
    pixels, (rows_stored, columns_stored) = mapping.pixels, w.stored
    chunks = mapping.chunks
    weight_lines = mapping.block_lines - config.bias_lines - config.scale_lines
    # Each step plays its lines: once a pixel tile where weights stay, once a pixel group otherwise.
    passed = _passes(mapping)
    steps = visits * passed * chunks
    parameter_lines = mapping.filter_lines // visits - weight_lines
    lines = visits * (passed * weight_lines + mapping.pixel_tiles * parameter_lines)
    shifts = visits * passed * weight_lines if mapping.psums_stay else steps * config.rows
    if config.reads_weights:
        shifts = 0
        lines = visits * (pixels * weight_lines + mapping.pixel_tiles * parameter_lines)
    vectors = visits * pixels * chunks
    lanes = macs = visits * pixels * weight_lines
    if mapping.fir:
        of_block = _streamed(mapping, mapping.fir) * chunks
        vectors, macs = of_block * w.G, of_block * w.G * mapping.fir.taps
        lanes = of_block * mapping.all_planes * config.channel_block
    sums = chunks
    if mapping.psums_stay and not w.maximum:
        sums = (reductions or mapping.c_count) * mapping.windows
    psums = visits * pixels * (sums - 1) * columns
    return {
        Counter.IFMAP_READS: lanes,
        Counter.FILTER_READS: lines * columns,
        Counter.PSUM_READS: psums,
        Counter.PSUM_WRITES: psums,
        Counter.OFMAP_WRITES: visits * w.N * rows_stored * columns_stored * columns,
        Counter.CHAIN_SHIFTS: shifts,
        Counter.WEIGHT_SWAPS: steps,
        Counter.MAC_CYCLES: vectors,
        Counter.MAC_LANES: macs,
    }


def _streamed(mapping: Mapping, fir: Fir) -> int:
    """Vectors that a tap block of one group sees over all tiles of a depthwise layer."""
    w = mapping.work
    _, e_count, _ = mapping.tile_counts
    columns = (w.F - 1) * w.stride[1] + fir.tap_columns
    vectors = 0
    for rows, times in ((mapping.pe, e_count - 1), (mapping.last_pixels[1], 1)):
        for first in range(0, rows, fir.strip):
            height = min(fir.strip, rows - first)
            last_column = (height - 1) * w.stride[0] + fir.tap_rows
            vectors += times * ((columns - 1) * fir.rows + last_column)
    return vectors * w.N


def _passes(mapping: Mapping) -> int:
    """How often a filter block's weights pass, or are passed by, the pixels of the layer."""
    return sum(
        times * mapping.pixel_groups_of(images, rows, columns)
        for times, images, rows, columns in mapping.tile_sizes
    )


def _ifmap(mapping: Mapping, fields: Fields[str, int]) -> tuple[int, int]:
    """Beats read for the ifmap, and elements filled, padding included."""
    config, w, d = mapping.config, mapping.work, fields
    beat = config.axi_bytes
    _, e_count, f_count = mapping.tile_counts

    # Rows of all tiles: those of padding only touch no beat.
    row_sets: list[Residues] = []
    all_rows = 0
    for tile, part in product(range(e_count), range(mapping.r_count)):
        rows = d["load_rows_last"] if tile == e_count - 1 else d["load_rows"]
        first = d["h_origin"] + tile * d["h_step"] + part * d["h_step_rt"]
        low, high = max(first, 0), min(first + rows, d["h_size"])
        corner = tile * d["ifmap_stride_et"] + part * d["ifmap_stride_rt"]
        corner += (low - first) * d["ifmap_stride_h"]
        row_sets.append(progression(high - low, d["ifmap_stride_h"], beat, corner))
        all_rows += rows
    # Depthwise, a group's planes follow those of the group before.
    groups, planes = (1, mapping.all_planes) if mapping.fir else (w.G, mapping.planes)
    starts = combined(
        [
            progression(groups, d["ifmap_stride_g"], beat, d["ifmap_address"]),
            progression(w.N, d["ifmap_stride_n"], beat),
            progression(planes, d["ifmap_stride_plane"], beat),
            merged(row_sets),
        ],
        beat,
    )

    total, all_elements = 0, 0
    for tile, part in product(range(f_count), range(mapping.s_count)):
        width = d["load_width_last"] if tile == f_count - 1 else d["load_width"]
        first = d["w_origin"] + tile * d["w_step"] + part * d["w_step_st"]
        low, high = max(first, 0), min(first + width, d["w_size"])
        if high > low:
            offset = tile * d["ifmap_stride_ft"] + part * d["ifmap_stride_st"]
            offset += (low - first) * config.act_bytes
            moved = {(start + offset) % beat: times for start, times in starts.items()}
            total += beats(moved, (high - low) * config.act_bytes, beat)
        all_elements += width
    reloads = mapping.m_count
    fills = mapping.all_planes * w.N * all_rows * all_elements
    return total * reloads, fills * reloads


def _ofmap_beats(mapping: Mapping, fields: Fields[str, int], chunk: int) -> int:
    """Beats of the ofmap.

    Every channel block of every ``chunk`` pixels of a run is a transfer of its own.
    """
    config, w, d = mapping.config, mapping.work, fields
    beat = config.axi_bytes
    unit_bytes = config.channel_block * config.act_bytes
    if mapping.pe_set:
        return row_beats(mapping, d, chunk)
    _, e_count, f_count = mapping.tile_counts
    groups, units = w.G, -(-w.M // config.channel_block)
    if mapping.fir:
        groups, units = 1, mapping.all_units
    outer = [
        progression(groups, d["ofmap_stride_g"], beat, d["ofmap_address"]),
        progression(units, d["ofmap_stride_unit"], beat),
        progression(w.N, d["ofmap_stride_n"], beat),
    ]
    total = 0
    for e_last in (False, True):
        e_tiles = progression(
            1 if e_last else e_count - 1,
            d["ofmap_stride_et"],
            beat,
            (e_count - 1) * d["ofmap_stride_et"] if e_last else 0,
        )
        runs = progression(d["runs_last"] if e_last else d["runs"], d["ofmap_stride_run"], beat)
        for f_last in (False, True):
            f_tiles = progression(
                1 if f_last else f_count - 1,
                d["ofmap_stride_ft"],
                beat,
                (f_count - 1) * d["ofmap_stride_ft"] if f_last else 0,
            )
            pixels = d["run_pixels" + "_" * (e_last or f_last) + "e" * e_last + "f" * f_last]
            starts = combined([*outer, e_tiles, runs, f_tiles], beat)
            whole, rest = divmod(pixels, chunk)
            chunks = combined([starts, progression(whole, chunk * unit_bytes, beat)], beat)
            total += beats(chunks, chunk * unit_bytes, beat)
            if rest:
                tail = whole * chunk * unit_bytes
                ends = {(start + tail) % beat: times for start, times in starts.items()}
                total += beats(ends, rest * unit_bytes, beat)
    return total

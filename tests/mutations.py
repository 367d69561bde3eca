"""Planted bugs: one line of the RTL changed, and the tests that must see it.

`scripts/mutate` applies them one by one to a copy; `tests/test_mutations.py` keeps the list true.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """One bug.

    Parameters
    ----------
    block : str
        Where it is, for people.
    path : str
        File, from the root.
    old, new : str
        What stands there exactly once, and what stands there instead.
    tests : str
        Files or folders of tests, one of which must fail.
    """

    block: str
    path: str
    old: str
    new: str
    tests: str


def _m(block: str, path: str, old: str, new: str, tests: str) -> Mutation:
    return Mutation(block, path, old, new, tests)


_ARRAY, _SEQUENCER, _BUFFER = "tests/hw/array", "tests/hw/sequencer", "tests/hw/buffer"

BLOCKS = (
    _m("PE, weight stationary", "hw/array/pe.py",
       "multiplier.i_load.eq(self.i_swap)", "multiplier.i_load.eq(self.i_swap & ~self.i_shift)",
       f"{_ARRAY}/test_pe.py"),
    _m("PE, depthwise", "hw/array/pe.py",
       "Mux(self.i_depthwise, self.i_chain, self.i_act)",
       "Mux(self.i_depthwise, self.o_chain, self.i_act)", f"{_ARRAY}/test_pe.py"),
    _m("PE, output stationary", "hw/array/pe.py",
       "Mux(self.i_opens, 0, psum) + multiplier", "psum + multiplier",
       f"{_ARRAY}/test_output_stationary.py"),
    _m("multiplier", "hw/array/multiplier.py",
       "with m.If(self.i_load):", "with m.If(1):", f"{_ARRAY}/test_multiplier.py"),
    _m("adder tree", "hw/array/tree.py",
       "for i in range(0, len(level), 2):", "for i in range(0, len(level) - 1, 2):",
       f"{_ARRAY}/test_tree.py"),
    _m("column, weight stationary", "hw/array/weight_stationary.py",
       "for row in reversed(range(rows)):", "for row in range(rows):",
       f"{_ARRAY}/test_weight_stationary.py"),
    _m("array, output stationary", "hw/array/output_stationary.py",
       "loaded.eq((loaded & ~ends) | turn)", "loaded.eq(loaded | turn)",
       f"{_ARRAY}/test_output_stationary.py"),
    _m("accumulator", "hw/array/accumulator.py",
       "compares.eq(maximum & ~first)", "compares.eq(maximum)",
       f"{_ARRAY}/test_accumulator.py"),
    _m("accumulator, bias", "hw/array/accumulator.py",
       "base.eq(Mux(self.i_first, bias, read", "base.eq(Mux(self.i_first, 0, read",
       f"{_ARRAY}/test_accumulator.py"),
    _m("ifmap bank", "hw/buffer/ifmap_bank.py",
       "self.i_read_line + self.i_read_wraps + self.i_read_offset",
       "self.i_read_line + self.i_read_offset", f"{_BUFFER}/test_ifmap.py"),
    _m("ifmap buffer", "hw/buffer/ifmap.py",
       "Mux(used_word[lane], word, 0)", "word", f"{_BUFFER}/test_ifmap.py"),
    _m("rotator", "hw/buffer/rotate.py",
       "lambda step: len(words) - step", "lambda step: step", f"{_BUFFER}/test_rotate.py"),
    _m("filter buffer", "hw/buffer/filter.py",
       "with m.If(line == config.filter_lines - 1):", "with m.If(line == config.filter_lines - 2):",
       f"{_BUFFER}/test_filter.py"),
    _m("ofmap buffer", "hw/buffer/ofmap.py",
       "Mux(after >= self.i_ring, after - self.i_ring, after)", "after",
       f"{_BUFFER}/test_ofmap.py"),
    _m("ofmap buffer, strips", "hw/buffer/ofmap.py",
       "ends = self.i_column_last & ~self.i_strip_last", "ends = self.i_column_last",
       f"{_BUFFER}/test_ofmap.py"),
    _m("requantiser, ties", "hw/post/requantize.py",
       "half & (sticky | significant[0])", "half", "tests/hw/post/test_requantize.py"),
    _m("serial requantiser, ties", "hw/post/requantize_serial.py",
       "half & (sticky | bits[0])", "half", "tests/hw/post/test_requantize.py"),
    _m("post-processing", "hw/post/post.py",
       "group.eq(Mux(done, 0, group + 1))", "group.eq(group + 1)",
       "tests/hw/post/test_post.py"),
    _m("loop nest", "hw/sequencer/nest.py",
       "Const(-3, signed(3))", "Const(-2, signed(3))",
       f"{_SEQUENCER}/test_nest.py"),
    _m("K walk", "hw/sequencer/k_walk.py",
       "KLevel.S: layer.k_stride_s,", "KLevel.S: layer.k_stride_r,",
       f"{_SEQUENCER}/test_k_walk.py"),
    _m("block walker", "hw/sequencer/block_walker.py",
       "held.tile_last.eq(k.o_done & last[Level.MB])", "held.tile_last.eq(k.o_done)",
       f"{_SEQUENCER}/test_block_walker.py"),
    _m("line that is there", "hw/sequencer/filter_position.py",
       "left_behind, left)", "left, left)", f"{_SEQUENCER}/test_block_walker.py"),
    _m("room", "hw/sequencer/ofmap_room.py",
       "self.o_room.eq(after <= spare)", "self.o_room.eq(1)",
       f"{_SEQUENCER}/test_streamer.py"),
    _m("depthwise walk", "hw/sequencer/fir_walk.py",
       "row_wait.eq(layer.emit_stride_e - 2)", "row_wait.eq(layer.emit_stride_e - 1)",
       f"{_SEQUENCER}/test_fir_walk.py"),
    _m("depthwise lines", "hw/sequencer/fir_lines.py",
       "in_gap.eq(has_lead),", "in_gap.eq(0),", f"{_SEQUENCER}/test_fir_lines.py"),
    _m("pixel walk", "hw/sequencer/pixel_walk.py",
       "after.image_start.eq(next_image),", "after.image_start.eq(next_row),",
       f"{_SEQUENCER}/test_pixel_walk.py"),
    _m("drain", "hw/sequencer/drain.py",
       "wait.eq(Mux(row.final, pace - 1, 0))", "wait.eq(0)", f"{_SEQUENCER}/test_drain.py"),
    _m("filter position", "hw/sequencer/filter_position.py",
       "block_now.eq(Mux(self.i_mark_block, here.as_value(), block.as_value()))",
       "block_now.eq(block.as_value())", f"{_SEQUENCER}/test_filter_position.py"),
    _m("tile place", "hw/sequencer/tile_place.py",
       "wraps.eq(slot == layer.slots - 1)", "wraps.eq(slot == layer.slots)",
       f"{_SEQUENCER}/test_tile_place.py"),
    _m("chunk walker", "hw/sequencer/chunk_walker.py",
       "held.rewinds.eq(~k.o_first)", "held.rewinds.eq(0)",
       f"{_SEQUENCER}/test_chunk_walker.py"),
    _m("chunk walker's lines", "hw/sequencer/chunk_walker.py",
       "stream.i_to_block.eq(tile_step & moved[Level.PIXELS])", "stream.i_to_block.eq(0)",
       f"{_SEQUENCER}/test_chunk_walker.py"),
    _m("group streamer", "hw/sequencer/group_streamer.py",
       "clear.eq(draining <= parameters + chunk.lanes)", "clear.eq(1)",
       "tests/integration/test_layers.py -k any_nest"),
    _m("read walker", "hw/sequencer/read_walker.py",
       "(used < layer.slots)", "(used <= layer.slots)", f"{_SEQUENCER}/test_read_walker.py"),
    _m("group rows", "hw/sequencer/group_rows.py",
       "segment.element.eq(element - skip)", "segment.element.eq(element)",
       f"{_SEQUENCER}/test_read_walker.py"),
    _m("row pieces", "hw/sequencer/row_pieces.py",
       "Mux(has_left, limit > 0, inside > 0)", "1", f"{_SEQUENCER}/test_row_pieces.py"),
    _m("store walker", "hw/sequencer/ofmap_chunks.py",
       "with m.If(free >= pixels):", "with m.If(free != 0):",
       f"{_SEQUENCER}/test_store_walker.py"),
    _m("reader", "hw/dma/reader.py",
       "held.eq(self.ar_valid & ~self.ar_ready)", "held.eq(0)", "tests/hw/dma/test_reader.py"),
    _m("reader, room", "hw/dma/reader.py",
       "room.eq(~comes_filter | (given >= lack) | self.i_clear)", "room.eq(1)",
       "tests/hw/dma/test_reader.py"),
    _m("burst splitter", "hw/dma/burst.py",
       "(beats[:bits] <= limit)", "(beats[:bits] < limit)",
       "tests/hw/dma/test_burst.py"),
    _m("packer", "hw/dma/packer.py",
       "issue & entry_end & run.release", "issue & entry_end", "tests/hw/dma/test_packer.py"),
    _m("writer", "hw/dma/writer.py",
       "rests & splitter.o_idle & channels.o_idle", "rests & splitter.o_idle",
       "tests/hw/dma/test_writer.py"),
    _m("write channels", "hw/dma/write_channels.py",
       "self.w_last.eq(beat + 1 == plan.beats)", "self.w_last.eq(beat == plan.beats)",
       "tests/hw/dma/test_writer.py"),
    _m("activation memory", "hw/buffer/activations.py",
       "self.i_write_mask[lane]", "self.i_write_mask.any()",
       "tests/hw/buffer/test_activations.py"),
    _m("activation reads", "hw/dma/activation_port.py",
       "shows & self.i_last", "self.i_last", "tests/hw/dma/test_reader.py"),
    _m("registers", "hw/control/csr_block.py",
       "self.s_axil_bresp.eq(Mux(mapped, OKAY, DECERR))", "self.s_axil_bresp.eq(OKAY)",
       "tests/hw/control/test_csr_block.py"),
    _m("job control", "hw/control/job.py",
       "state.eq(Mux(left == 0, State.FINISH, State.FETCH))", "state.eq(State.FINISH)",
       "tests/hw/control/test_job.py"),
    _m("counters", "hw/control/counters.py",
       "events.eq(since + came[name])", "events.eq(since + (came[name] != 0))",
       "tests/hw/control/test_counters.py"),
    _m("counters, sweep", "hw/control/counters.py",
       "m.d.sync += [turn.eq(0), reads.eq(1)]", "m.d.sync += turn.eq(0)",
       "tests/hw/control/test_counters.py"),
    _m("record, values of its own sweep", "hw/dma/record.py",
       "begins.eq(late)", "begins.eq(self.i_start)", "tests/hw/dma/test_record.py"),
    _m("record, bytes of its own", "hw/dma/record.py",
       "(self.o_hold | shown.last &", "(shown.last &", "tests/hw/dma/test_record.py"),
    _m("multiplier that keeps nothing", "hw/array/pe.py",
       "i_b.eq(Mux(self.i_used, self.i_weight, 0))", "i_b.eq(self.i_weight)",
       "tests/hw/array/test_no_local_reuse.py"),
    _m("array without local reuse", "hw/array/no_local_reuse.py",
       "for line in self.i_lines", "for line in self.i_lines[::-1]",
       "tests/hw/array/test_no_local_reuse.py"),
    _m("filter banks", "hw/buffer/filter_banks.py",
       "Mux(self.i_place.line == depth - 1, 0, self.i_place.line + 1)", "self.i_place.line + 1",
       "tests/hw/buffer/test_filter_banks.py"),
    _m("lines without local reuse", "hw/sequencer/streamer.py",
       'delayed(m, lines, FREE_DELAY, "lines_freed")', "lines",
       "tests/hw/sequencer/test_streamer.py"),
    _m("parameters without local reuse", "hw/sequencer/block_walker.py",
       "(guard == 0) & ~buffer_in_use", "guard == 0",
       "tests/hw/sequencer/test_block_walker.py"),
    _m("counted events", "hw/control/events.py",
       "Mux(array.mac, array.weights, 0)", "Mux(array.mac, array.lanes, 0)",
       "tests/hw/control/test_events.py"),
)  # fmt: skip

_COUNTED = "tests/compiler/cost/test_counters.py -k equals and tiny and not tiny_"
_AMOUNTS = {
    "DRAM_READ_BYTES": "(1, config.axi_bytes)",
    "DRAM_WRITE_BYTES": "(1, config.axi_bytes)",
    "IFMAP_READS": "(config.rows + residuals, 1)",
    "IFMAP_FILLS": "(config.axi_elements, 1)",
    "FILTER_READS": "(config.filter_banks, config.line_words)",
    "FILTER_FILLS": "(1, config.axi_bytes // (config.weight_bits // 8))",
    "PSUM_READS": "(1, config.m_block)",
    "PSUM_WRITES": "(1, config.m_block)",
    "OFMAP_WRITES": "(1, config.m_block)",
    "OFMAP_SPILLS": "(1, config.channel_block)",
    "CHAIN_SHIFTS": "(config.rows, config.m_block) if sets else (1, 1)",
    "WEIGHT_SWAPS": "(config.pes if sets else 1, 1)",
    "MAC_CYCLES": "(1, 1)",
    "MAC_LANES": "(config.pes if sets else config.rows, 1)",
    "LAYERS": "(1, 1)",
}
#: Each counter adds one too many with each event.
COUNTERS = tuple(
    _m(f"counter {name.lower()}", "hw/control/events.py", f"Counter.{name}: {amount},",
       f"Counter.{name}: {amount[:-1]} + 1),", _COUNTED)
    for name, amount in _AMOUNTS.items()
)  # fmt: skip
_FORMULAS = {
    "DRAM_READ_BYTES": "BYTES",
    "DRAM_WRITE_BYTES": "written * config.axi_bytes",
    "IFMAP_READS": "lanes",
    "IFMAP_FILLS": "fills",
    "FILTER_READS": "lines * columns",
    "FILTER_FILLS": "filter_bytes // (config.weight_bits // 8)",
    "PSUM_READS": "psums",
    "PSUM_WRITES": "psums",
    "OFMAP_WRITES": "visits * w.N * rows_stored * columns_stored * columns",
    "OFMAP_SPILLS": "elements",
    "CHAIN_SHIFTS": "shifts",
    "WEIGHT_SWAPS": "steps",
    "MAC_CYCLES": "vectors",
    "MAC_LANES": "macs",
    "LAYERS": "1",
}
#: Each closed form of the cost model is one too high.
FORMULAS = tuple(
    _m(f"cost {name.lower()}", "compiler/cost/counters.py", f"Counter.{name}: {formula}",
       f"Counter.{name}: 1 + {formula}", _COUNTED)
    for name, formula in _FORMULAS.items()
)  # fmt: skip

_RS_COUNTED = "tests/compiler/cost/test_counters.py -k equals and _rs"
_RS_WORDS = "tests/integration/test_layers.py -k _rs"
_SET_FORMULAS = {
    "IFMAP_READS": "blocks * depth * vectors",
    "FILTER_READS": "passed * mapping.block_lines",
    "PSUM_READS": "psums",
    "PSUM_WRITES": "psums",
    "OFMAP_WRITES": "sums * columns",
    "CHAIN_SHIFTS": "passed * weight_lines",
    "WEIGHT_SWAPS": "blocks * depth * fills",
    "MAC_CYCLES": "blocks * depth * beats_of",
    "MAC_LANES": "blocks * depth * macs",
}
#: Row stationary: each closed form one too high, then bugs of the blocks.
ROWS = (
    *(
        _m(f"row stationary, cost {name.lower()}", "compiler/cost/set_counters.py",
           f"Counter.{name}: {formula}", f"Counter.{name}: 1 + {formula}", _RS_COUNTED)
        for name, formula in _SET_FORMULAS.items()
    ),
    _m("row stationary, PE", "hw/array/row_stationary_pe.py",
       "psums.i_write_data.eq(Mux(self.i_opens, product, total))",
       "psums.i_write_data.eq(total)", _RS_WORDS),
    _m("row stationary, chain", "hw/array/row_stationary_pe.py",
       "Mux(self.i_opens, self.i_chain, product)", "Mux(self.i_opens, 0, product)", _RS_WORDS),
    _m("row stationary, diagonal", "hw/array/row_stationary.py",
       "word.diagonal - role.shift", "word.diagonal", _RS_WORDS),
    _m("row stationary, parameters", "hw/buffer/parameters.py",
       "m.d.sync += [half.eq(~half), place.eq(0)]", "m.d.sync += place.eq(0)", _RS_WORDS),
    _m("row stationary, places of weights", "hw/sequencer/pass_walker.py",
       "(is_weight & (room != 0))", "is_weight", _RS_WORDS),
    _m("row stationary, weights in use", "hw/sequencer/pass_streamer.py",
       "beat.mac & pixel_last & strip_last", "beat.mac & pixel_last", _RS_WORDS),
    _m("row stationary, last row's weights", "hw/timing.py",
       "return config.rows\n", "return 1\n", _RS_WORDS),
    _m("row stationary, room in the windows", "hw/sequencer/window_feeder.py",
       "room + self.i_released - (self.o_valid & (diagonal == 0))", "room", _RS_WORDS),
    _m("row stationary, shared columns", "hw/sequencer/window_feeder.py",
       "fresh.eq(layer.set_columns - layer.set_slide)", "fresh.eq(0)", _RS_WORDS),
    _m("row stationary, pace", "hw/sequencer/pass_streamer.py",
       "slow.eq(opens & follows & step.final)", "slow.eq(0)", _RS_WORDS),
    _m("row stationary, room for a strip", "hw/sequencer/pass_streamer.py",
       "waits.eq(slow & strip_begins & ~room)", "waits.eq(0)",
       "tests/compiler/cost/test_predict.py -k strips_that"),
    _m("row stationary, words that stay", "hw/sequencer/pass_streamer.py",
       "word_end & (pixel_last | (window < layer.set_slide))", "word_end", _RS_WORDS),
    _m("row stationary, words of the next pass", "hw/sequencer/window_feeder.py",
       "known & ~active & count.o_loaded", "known & ~active", _RS_WORDS),
    _m("row stationary, lanes", "hw/sequencer/role_walker.py",
       "row_offset + layer.buffer_stride_h,", "row_offset,", _RS_WORDS),
    _m("row stationary, stores", "hw/sequencer/ofmap_runs.py",
       "last_strip if config.has_pe_sets else last_block", "last_block", _RS_WORDS),
)  # fmt: skip

_FINISH = "tests/hw/post/test_finish_lane.py"
_JOINED = "tests/integration/test_operators.py"
#: What follows the requantiser: tables and second tensors.
ENDINGS = (
    _m("join, ties", "hw/post/finish_lane.py",
       "fraction[-1] & (fraction[:-1].any() | whole[0])", "fraction[-1]", _FINISH),
    _m("join, product", "hw/post/finish_lane.py",
       "first + Mux(multiplies, 0, second)", "first + second", _FINISH),
    _m("table, index", "hw/post/finish_lane.py",
       "index.eq(word ^ (1 << (TABLE_BITS - 1)))", "index.eq(word)", _FINISH),
    _m("join, residuals that are there", "hw/sequencer/ofmap_room.py",
       "blocks + self.i_residual - (self.i_take & joins)", "blocks + self.i_residual",
       f"{_JOINED} -k shortcut or normalisation"),
    _m("join, room", "hw/sequencer/ofmap_chunks.py",
       "free + self.i_entries - claimed", "free + self.i_entries",
       "tests/hw/sequencer/test_residual_walker.py"),
    _m("join, banks of a beat", "hw/buffer/residual.py",
       "bank < fill_bank if bank < together - 1 else 0", "0", f"{_JOINED} -k odd or rs"),
    _m("join, late entry", "hw/buffer/ofmap.py",
       "Mux(self.i_late, late_entry, entry)", "entry", f"{_JOINED} -k tiny and shortcut"),
    _m("join, cost of fills", "compiler/cost/counters.py",
       "fills += elements * mapping", "fills += 1 + elements * mapping",
       f"{_JOINED} -k shortcut"),
    _m("join, cost of room", "compiler/cost/load.py",
       "freed + ENTRY_DELAY", "freed", f"{_JOINED} -k normalisation"),
    _m("parts, addresses", "compiler/places.py",
       "part.column * layout.pixel * layout.element_bytes", "0", f"{_JOINED} -k averages"),
)  # fmt: skip

_ON_CHIP = "tests/integration/test_on_chip.py -k change_no_bit and ws"
#: In tensors that stay on chip.
LOCAL = (
    _m("on chip, cost of a segment", "compiler/cost/beats.py",
       "local * LOCAL_DELAY", "0", _ON_CHIP),
    _m("on chip, cost of writes", "compiler/cost/replay.py",
       "storer.ended[-1] + 1", "0", _ON_CHIP),
    _m("on chip, counted as DRAM", "compiler/cost/counters.py",
       "moved.of(w.on_chip, on_chip=False)", "moved.of(OnChip(), on_chip=False)", _ON_CHIP),
    _m("on chip, lives", "compiler/liveness.py",
       "lives[other][1] < first or", "lives[other][1] <= first or",
       "tests/compiler/test_on_chip.py"),
)  # fmt: skip

_POOLED = "tests/integration/test_pooling.py -k"
_POOL = "tests/hw/post/test_pool.py"
#: In pooling on the way to the ofmap buffer.
POOLS = (
    _m("pooling, padding", "hw/post/pool.py",
       "row < layer.pool_top", "row <= layer.pool_top", _POOL),
    _m("pooling, rows that do not exist", "hw/post/pool.py",
       "last[Level.E] & (row >= layer.pool_rows)", "0", _POOL),
    _m("pooling, shared rows", "hw/post/pool_column.py",
       "Mux(self.i_row_closes, closed, across)", "across", _POOL),
    _m("pooling, windows that touch", "hw/sequencer/pool_walk.py",
       "closes & (size == stride)", "closes", "tests/hw/sequencer/test_pool_walk.py"),
    _m("pooling, room", "hw/sequencer/ofmap_room.py",
       "closes.eq(windows.o_closes)", "closes.eq(1)", f"{_POOLED} tall"),
    _m("pooling, cost of its latency", "compiler/cost/compute.py",
       "self.finish + POOL_LATENCY", "self.finish", f"{_POOLED} ws"),
    _m("means, cost of their latency", "compiler/cost/compute.py",
       "mean_latency(self.config) if pool.means", "1 if pool.means", f"{_POOLED} ws"),
    _m("means, offset", "hw/post/mean.py",
       ".as_signed() + layer.pool_offset", ".as_signed()", "tests/hw/post/test_mean.py"),
    _m("means, sums", "hw/post/pool_column.py",
       "Mux(self.i_mean, one + other,", "Mux(0, one + other,", _POOL),
    _m("pooling, residuals in turn", "hw/buffer/ofmap.py",
       "Mux(self.i_pools, turn, entry)", "entry", "tests/hw/buffer/test_ofmap.py -k turn"),
    _m("pooling, residuals that count", "hw/post/pool.py",
       "self.i_valid & (~self.o_pools | place.counts)", "self.i_valid", _POOL),
    _m("pooling, cost of residuals' room", "compiler/cost/compute.py",
       "pixel * pace - 1, pace", "pixel * pace, pace", f"{_POOLED} os-largest"),
    _m("pooling, steps of tiles", "hw/tiling.py",
       "rows * down, columns * right", "self.pe, self.pf", f"{_POOLED} nlr"),
)  # fmt: skip

MUTATIONS = (*BLOCKS, *COUNTERS, *FORMULAS, *ROWS, *ENDINGS, *LOCAL, *POOLS)

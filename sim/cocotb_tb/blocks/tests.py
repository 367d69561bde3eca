"""Every cocotb test of a block: the module that the simulation loads."""

from stillflow.sim.cocotb_tb.blocks.buffers import (
    lines_come_back_from_the_ring,
    lines_come_from_successive_banks,
    scratchpad_keeps_its_words,
    strips_come_back_as_rows,
    vectors_come_from_any_element,
)
from stillflow.sim.cocotb_tb.blocks.compute import (
    array_multiplies_by_its_block,
    array_multiplies_what_it_sees,
    array_sums_a_pixel_group,
    pe_keeps_its_psum,
    pe_keeps_its_weight,
    pe_keeps_nothing,
    psums_meet_sums,
    words_are_the_golden_models,
)
from stillflow.sim.cocotb_tb.blocks.finish import (
    finished_words_are_the_golden_models,
    residuals_come_back_by_pixel,
)
from stillflow.sim.cocotb_tb.blocks.movers import (
    every_ofmap_byte_is_stored_once,
    registers_keep_their_bits,
    runs_become_bytes_in_memory,
    segments_become_beats_in_order,
)
from stillflow.sim.cocotb_tb.blocks.pools import windows_are_pooled
from stillflow.sim.cocotb_tb.blocks.rows import (
    array_shares_rows_and_diagonals,
    parameters_come_back_by_filter,
    passes_are_those_of_a_literal_walk,
    pe_keeps_its_rows,
)
from stillflow.sim.cocotb_tb.blocks.walkers import (
    blocks_are_those_of_a_literal_walk,
    chunks_are_those_of_a_literal_walk,
    loads_are_those_of_a_literal_walk,
)

__all__ = [
    "array_multiplies_by_its_block",
    "array_multiplies_what_it_sees",
    "array_shares_rows_and_diagonals",
    "array_sums_a_pixel_group",
    "blocks_are_those_of_a_literal_walk",
    "chunks_are_those_of_a_literal_walk",
    "every_ofmap_byte_is_stored_once",
    "finished_words_are_the_golden_models",
    "lines_come_back_from_the_ring",
    "lines_come_from_successive_banks",
    "loads_are_those_of_a_literal_walk",
    "parameters_come_back_by_filter",
    "passes_are_those_of_a_literal_walk",
    "pe_keeps_its_psum",
    "pe_keeps_its_rows",
    "pe_keeps_its_weight",
    "pe_keeps_nothing",
    "psums_meet_sums",
    "registers_keep_their_bits",
    "residuals_come_back_by_pixel",
    "runs_become_bytes_in_memory",
    "scratchpad_keeps_its_words",
    "segments_become_beats_in_order",
    "strips_come_back_as_rows",
    "vectors_come_from_any_element",
    "windows_are_pooled",
    "words_are_the_golden_models",
]

"""Every cocotb test of the accelerator: the module that the simulation loads."""

from stillflow.sim.cocotb_tb.faults import (
    flipped_descriptor_bit_is_found,
    impossible_fields_are_found,
    impossible_programs_are_refused,
    memory_silent_for_long_is_reported,
    program_outside_the_memory_is_a_read_error,
    read_errors_stop_the_job,
    reset_line_ends_a_job_anywhere,
    silent_memory_wakes_the_watchdog,
    soft_reset_ends_a_job_anywhere,
    soft_reset_leaves_waiting_write_data_alone,
    write_errors_stop_the_job,
)
from stillflow.sim.cocotb_tb.layers import (
    interrupt_is_a_level_that_the_host_enables_and_clears,
    job_without_a_record_address_writes_no_records,
    ofmaps_match_in_any_rhythm,
    ofmaps_match_the_golden_model,
    ofmaps_match_under_random_stalls,
    one_layer_under_stalls,
    start_while_busy_is_ignored,
)
from stillflow.sim.cocotb_tb.registers import (
    offsets_without_a_register_answer_decerr,
    registers_have_their_reset_values,
    registers_keep_their_bits_and_no_others,
    reset_line_gives_every_register_its_reset_value,
)

__all__ = [
    "flipped_descriptor_bit_is_found",
    "impossible_fields_are_found",
    "impossible_programs_are_refused",
    "interrupt_is_a_level_that_the_host_enables_and_clears",
    "job_without_a_record_address_writes_no_records",
    "memory_silent_for_long_is_reported",
    "offsets_without_a_register_answer_decerr",
    "ofmaps_match_in_any_rhythm",
    "ofmaps_match_the_golden_model",
    "ofmaps_match_under_random_stalls",
    "one_layer_under_stalls",
    "program_outside_the_memory_is_a_read_error",
    "read_errors_stop_the_job",
    "registers_have_their_reset_values",
    "registers_keep_their_bits_and_no_others",
    "reset_line_ends_a_job_anywhere",
    "reset_line_gives_every_register_its_reset_value",
    "silent_memory_wakes_the_watchdog",
    "soft_reset_ends_a_job_anywhere",
    "soft_reset_leaves_waiting_write_data_alone",
    "start_while_busy_is_ignored",
    "write_errors_stop_the_job",
]

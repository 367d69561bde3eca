"""Cycle counts and depths of queues that the cost model needs, too. Plain Python: no Amaranth."""

from stillflow.hw.config import AcceleratorConfig, ceil_log2
from stillflow.hw.csr import Counter

DRAIN_FAN_IN = 16  # rows whose psums meet in one level of gates on their way out
COUNTER_ROUND = 2 * len(Counter)  # cycles in which each performance counter is shown
BEATS_AHEAD = 4  # beats and bursts that wait to be written
OUTSTANDING_WRITES = 16
INBOX = 2  # segments that wait in front of the reader's queue
GROUP_BITS = 16  # plane groups are counted modulo 2**GROUP_BITS, in tiles that wait on chip
ENTRY_DELAY = 2  # cycles from an entry's last read until its room may be claimed
REQUANT_STAGES = 10  # of a requantiser lane that takes a psum in every cycle
REQUANT_TAIL = 4  # of a serial one, from the last cycle of a psum to its word
FINISH_STAGES = 7  # of a lane that finishes words
POOL_LATENCY = 2  # from a window's last vector to its largest words, or their sum
FREE_DELAY = 4  # ... from the last address of a tile to the last use of its slot


def slice_delay(config: AcceleratorConfig) -> int:
    """Cycles that register slices add to the way to the memory and back."""
    return 2 if config.axi_slices else 0


def operand_delay(config: AcceleratorConfig) -> int:
    """Cycles that registers add to the way out of a memory, or through a multiplier."""
    return int(config.operand_registers)


def hazard(config: AcceleratorConfig) -> int:
    """Cycles until a pixel's psum may be added to again."""
    return 3 + operand_delay(config)


def ifmap_latency(config: AcceleratorConfig) -> int:
    """Cycles from a vector's address to its activations at the array."""
    return 3 + operand_delay(config)


def step_guard(config: AcceleratorConfig) -> int:
    """Cycles from a step's start until its biases and scales are taken over."""
    return 4 + ceil_log2(config.rows)


def drain_latency(config: AcceleratorConfig) -> int:
    """Levels of gates, each with a register, between the psums of a column and its end."""
    levels, rows = 1, -(-config.rows // DRAIN_FAN_IN)
    while rows > 1:
        levels, rows = levels + 1, -(-rows // DRAIN_FAN_IN)
    return levels


def least_period(config: AcceleratorConfig) -> int:
    """Fewest cycles of a step where psums stay, parameters apart: a vector for each row."""
    return max(config.rows, hazard(config))


def pass_guard(config: AcceleratorConfig) -> int:
    """Cycles from a pass's start until nothing of the one before it is in use."""
    return config.rows + 8


def release_delay(config: AcceleratorConfig) -> int:
    """Cycles from a word's last beat until all rows of a row-stationary array have read it."""
    return max(0, config.rows - 4)


def weight_delay(config: AcceleratorConfig) -> int:
    """Cycles from a weight's last beat until its place in the filter scratchpads is free."""
    return config.rows


def requant_tail(config: AcceleratorConfig) -> int:
    """Cycles from the last one of a psum in a requantiser lane to its word."""
    return REQUANT_TAIL if config.requant_serial else REQUANT_STAGES


def requant_latency(config: AcceleratorConfig) -> int:
    """Cycles from a vector of psums to its words."""
    return config.pace - 1 + requant_tail(config)


def finish_latency(config: AcceleratorConfig) -> int:
    """Cycles from a vector to its ofmap words, in a layer with a table or a join."""
    return FINISH_STAGES + config.requant_groups


def mean_latency(config: AcceleratorConfig) -> int:
    """Cycles from the sum of a window's words to its mean: one lane takes column by column."""
    return 1 + REQUANT_STAGES + config.m_block

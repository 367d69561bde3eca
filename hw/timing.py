"""Cycle counts that blocks and the cost model agree on. Plain Python: no Amaranth."""

from stillflow.hw.config import AcceleratorConfig, ceil_log2

HAZARD = 3  # cycles until a pixel's psum may be added to again
FREE_DELAY = 4  # ... from the last address of a tile to the last use of its slot


def step_guard(config: AcceleratorConfig) -> int:
    """Cycles from a step's start until its biases and scales are taken over."""
    return 4 + ceil_log2(config.rows)

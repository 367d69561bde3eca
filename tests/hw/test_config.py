from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from stillflow.hw.config import CONFIG_KEYS, AcceleratorConfig, Dataflow, ceil_log2
from stillflow.hw.presets import EDGE8, EDGE16, EDGE32, EYERISS, PRESETS, TINY

GOOD: dict[str, Any] = {"rows": 4, "cols": 4, "glb_kib": 8, "axi_data_bits": 32, "requant_lanes": 1}


def make(**changes: Any) -> AcceleratorConfig:
    return AcceleratorConfig(**GOOD | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 4.0}, r"^rows must be an integer, not 4\.0$"),
        ({"requant_lanes": True}, r"^requant_lanes must be an integer, not True$"),
        ({"glb_kib": "8"}, r"^glb_kib must be an integer, not '8'$"),
        ({"outstanding_reads": None}, r"^outstanding_reads must be an integer, not None$"),
        ({"finisher": 1}, r"^finisher must be true or false, not 1$"),
        ({"requant_serial": 0}, r"^requant_serial must be true or false, not 0$"),
    ],
)
def test_numbers_must_be_integers(changes, message):
    with pytest.raises(TypeError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("rows", 1, 128),
        ("cols", 1, 128),
        ("acc_bits", 24, 48),
        ("glb_kib", 1, 65536),
        ("max_burst_beats", 1, 256),
        ("outstanding_reads", 2, 256),
        ("pool_windows", 0, 1024),
        ("address_bits", 16, 32),
        ("counter_bits", 16, 48),
    ],
)
def test_ranges_are_checked(key, low, high):
    for value in (low - 1, high + 1):
        message = rf"^{key} must be in {low}\.\.{high}, not {value}$"
        with pytest.raises(ValueError, match=message):
            make(**{key: value})


@pytest.mark.parametrize(
    ("key", "choices", "wrong"),
    [
        ("act_bits", "8, 16", 12),
        ("weight_bits", "8, 16", 4),
        ("axi_data_bits", "32, 64, 128, 256, 512", 48),
    ],
)
def test_widths_are_among_those_known(key, choices, wrong):
    with pytest.raises(ValueError, match=rf"^{key} must be one of {choices}, not {wrong}$"):
        make(**{key: wrong})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pool_windows": 1}, r"^pool_windows must be 0, or in 2\.\.1024, not 1$"),
        ({"dataflow": "xs"}, r"^dataflow must be one of ws, os, nlr, rs, not 'xs'$"),
        (
            {"requant_lanes": 3},
            r"^requant_lanes must divide the 4 filters of a block, not 3$",
        ),
        (
            {"requant_lanes": 0},
            r"^requant_lanes must divide the 4 filters of a block, not 0$",
        ),
        (
            {"axi_data_bits": 512, "max_burst_beats": 65},
            r"^max_burst_beats must be at most 64 with 512-bit data, not 65$",
        ),
        (
            {"acc_bits": 24, "act_bits": 16, "rows": 8},
            r"^acc_bits must be at least 31 to add 8 products of 16x8 bits, not 24$",
        ),
        (
            {"rows": 128, "cols": 128, "glb_kib": 16},
            r"^glb_kib must be larger for 128x128 PEs, not 16$",
        ),
        (  # half of the ofmap buffer, 16 pixels, takes no beat of 64 pixels
            {
                "rows": 1,
                "cols": 8,
                "glb_kib": 4,
                "requant_lanes": 8,
                "axi_data_bits": 512,
                "max_burst_beats": 1,
            },
            r"^glb_kib must be larger for 1x8 PEs, not 4$",
        ),
    ],
)
def test_keys_that_cannot_work_together_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("max_burst_beats", [1, 16, 64])
def test_the_filter_buffer_holds_a_block_and_a_burst_more(max_burst_beats):
    # A block keeps its lines until it starts; the rest of them may come with a burst.
    for glb_kib in range(1, 40):
        try:
            config = make(glb_kib=glb_kib, axi_data_bits=512, max_burst_beats=max_burst_beats)
        except ValueError:
            continue
        block = config.rows + config.bias_lines + config.scale_lines
        assert config.filter_lines >= block + max_burst_beats - 1
        return
    raise AssertionError


def test_a_dataflow_may_be_given_by_its_name():
    assert make(dataflow="ws").dataflow is Dataflow.WEIGHT_STATIONARY


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        TINY.rows = 5  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("rows", "cols", "block", "m_block"),
    [
        (1, 1, 1, 1),
        (4, 4, 4, 4),
        (4, 16, 4, 16),
        (16, 4, 4, 4),
        (12, 14, 2, 14),
        (32, 32, 16, 32),
        (16, 17, 16, 16),  # one of 17 columns is less than an eighth
        (16, 18, 16, 16),
        (16, 19, 2, 18),
        (6, 10, 2, 10),
        (16, 7, 1, 7),
    ],
)
def test_channel_blocks_waste_few_columns(rows, cols, block, m_block):
    config = make(rows=rows, cols=cols, glb_kib=256)
    assert (config.channel_block, config.m_block) == (block, m_block)
    assert config.block_units * config.channel_block == config.m_block


def test_derived_sizes_of_the_smallest_preset():
    sizes = {
        "pes": 16,
        "act_bytes": 1,
        "axi_bytes": 4,
        "axi_elements": 4,
        "ifmap_banks": 4,
        "ifmap_depth": 1024,
        "ifmap_elements": 4096,
        "filter_line_bytes": 4,
        "filter_lines": 384,
        "psum_depth": 128,
        "psum_bits": 18,
        "pace": 4,
        "bias_lines": 4,
        "scale_lines": 4,
    }
    assert {name: getattr(TINY, name) for name in sizes} == sizes


def test_derived_sizes_of_16_bit_words_on_an_odd_array():
    config = AcceleratorConfig(
        rows=12, cols=14, act_bits=16, weight_bits=16, acc_bits=48, glb_kib=108,
        axi_data_bits=64, requant_lanes=2,
    )  # fmt: skip
    sizes = {
        "axi_elements": 4,
        "ifmap_banks": 16,
        "ifmap_depth": 108 * 1024 // 2 // 32,
        "filter_line_bytes": 32,
        "filter_lines": 108 * 1024 * 3 // 16 // 32,
        "psum_depth": 108 * 1024 // 16 // 28,
        "psum_bits": 36,
        "pace": 7,
        "bias_lines": 3,
        "scale_lines": 2,
    }
    assert {name: getattr(config, name) for name in sizes} == sizes


@pytest.mark.parametrize(("acc_bits", "cycles"), [(24, 34), (32, 42), (48, 58)])
def test_a_serial_requantiser_takes_a_cycle_for_each_bit(acc_bits, cycles):
    config = make(acc_bits=acc_bits, requant_serial=True, cols=6, requant_lanes=2)
    assert (config.requant_cycles, config.requant_groups) == (cycles, 3)
    assert config.pace == 3 * cycles


@pytest.mark.parametrize("config", PRESETS.values(), ids=str)
def test_memories_stay_within_the_budget(config):
    ifmap = config.ifmap_elements * config.act_bytes
    filters = config.filter_lines * config.filter_line_bytes
    psums = config.psum_depth * config.m_block * config.acc_bits // 8
    ofmap = config.ofmap_depth * config.m_block * config.act_bytes
    assert ifmap + filters + psums + ofmap <= config.glb_kib * 1024
    if config.has_pe_sets:
        assert ifmap <= config.glb_kib * 1024 * 5 // 32
        assert filters >= config.filter_spad * config.filter_line_bytes
        assert config.ofmap_depth < config.psum_depth
        return
    assert ifmap <= config.glb_kib * 1024 // 2
    assert filters <= config.glb_kib * 1024 * 3 // 16
    assert psums <= config.glb_kib * 1024 // 4
    assert ofmap <= config.glb_kib * 1024 // 16


def test_presets_are_those_of_the_table():
    assert list(PRESETS)[:5] == ["tiny", "edge8", "edge16", "edge32", "eyeriss"]
    assert all(PRESETS[name].name == name for name in PRESETS)
    table = {TINY: (4, 8, 32), EDGE8: (8, 128, 64), EDGE16: (16, 256, 128), EDGE32: (32, 1024, 256)}
    for config, (side, glb_kib, axi) in table.items():
        assert (config.rows, config.cols) == (side, side)
        assert (config.glb_kib, config.axi_data_bits) == (glb_kib, axi)
        assert (config.act_bits, config.weight_bits, config.acc_bits) == (8, 8, 32)
    assert (EYERISS.rows, EYERISS.cols, EYERISS.glb_kib, EYERISS.axi_data_bits) == (12, 14, 108, 64)
    assert (EYERISS.act_bits, EYERISS.weight_bits, EYERISS.acc_bits) == (16, 16, 48)
    assert (EYERISS.ifmap_spad, EYERISS.filter_spad, EYERISS.psum_spad) == (12, 224, 24)
    assert EYERISS.has_pe_sets


def test_keys_give_the_same_config_back():
    assert tuple(EDGE8.keys()) == CONFIG_KEYS
    assert AcceleratorConfig(**EDGE8.keys()) == EDGE8  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("value", "exponent"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7)])
def test_ceil_log2_rounds_up(value, exponent):
    assert ceil_log2(value) == exponent


def test_counts_reach_the_pixels_of_a_tile():
    assert make().psum_depth == 128
    assert make(count_bits=8).count_bits == 8
    for wrong in (7, 17):
        with pytest.raises(ValueError, match=r"^count_bits must be in 8\.\.16, not"):
            make(count_bits=wrong)
    with pytest.raises(ValueError, match=r"^count_bits must be at least 10 to count 512 pixels"):
        make(glb_kib=32, count_bits=9)


def test_lengths_follow_rows_and_the_ifmap_buffer():
    assert make().length_bits == 16 + 2 + 1
    assert make(count_bits=9).length_bits == make().ifmap_elements.bit_length() == 13
    wide = make(glb_kib=64, count_bits=12, rows=16, cols=16)
    assert wide.length_bits == (wide.ifmap_elements * wide.filter_line_bytes // 4).bit_length()
    large = make(glb_kib=1024, address_bits=16)
    assert large.length_bits == large.ifmap_elements.bit_length() == 20

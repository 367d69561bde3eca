"""Which multipliers find a primitive, and that the primitive is the same to the bit."""

from dataclasses import replace

import pytest

from stillflow.boards.multipliers.catalogue import PRIMITIVES
from stillflow.boards.multipliers.files import paired_multipliers, single_multipliers
from stillflow.boards.multipliers.text import Words
from stillflow.boards.synthesis import targets
from stillflow.boards.synthesis.run import design
from stillflow.boards.synthesis.targets import TARGETS
from stillflow.boards.verilog import CLOCK_GATE, LEAST_GATED, VerilogStyle, emit
from stillflow.hw.array.no_local_reuse import NoLocalReuseArray
from stillflow.hw.array.output_stationary import OutputStationaryArray
from stillflow.hw.array.row_stationary import RowStationaryArray
from stillflow.hw.array.weight_stationary import WeightStationaryArray
from stillflow.hw.config import Dataflow
from stillflow.hw.post.finish_lane import FinishLane
from stillflow.hw.post.requantize import RequantLane
from stillflow.hw.presets import EYERISS, ICEBREAKER, ORANGECRAB, TINY
from tests.boards.multipliers.check import (
    GATE,
    Holder,
    differences,
    generic,
    mapped_differences,
    pair_design,
)

INT8 = Words(8, 8, holds=False)
HELD = replace(INT8, holds=True)
REGISTERED = replace(INT8, registered=True)
HELD_REGISTERED = replace(HELD, registered=True)
CELLS = {"ecp5": "MULT18X18D", "ice40": "SB_MAC16", "xc7": "DSP48E1", "gowin": "MULT9X9"}
FAMILIES = [target for target in PRIMITIVES if target in TARGETS]
LANE_CYCLES = 120_000
ARRAYS = {
    Dataflow.WEIGHT_STATIONARY: WeightStationaryArray,
    Dataflow.OUTPUT_STATIONARY: OutputStationaryArray,
    Dataflow.NO_LOCAL_REUSE: NoLocalReuseArray,
    Dataflow.ROW_STATIONARY: RowStationaryArray,
}

#: Bugs by family; CI plants the first of each.
PLANTED = [
    ("ecp5", HELD, '.REG_INPUTB_CE("CE1")', '.REG_INPUTB_CE("CE0")'),
    ("ecp5", HELD, "{10{i_a[7]}}", "10'd0"),
    ("ecp5", HELD_REGISTERED, '.REG_INPUTA_CLK("CLK0")', '.REG_INPUTA_CLK("NONE")'),
    ("ice40", HELD, ".BHOLD(~i_load)", ".BHOLD(1'b0)"),
    ("ice40", HELD, ".TOP_8x8_MULT_REG(1'b1)", ".TOP_8x8_MULT_REG(1'b0)"),
    ("ice40", REGISTERED, ".A_REG(1'b1)", ".A_REG(1'b0)"),
    ("xc7", HELD, ".C(48'd32768)", ".C(48'd0)"),
    ("xc7", HELD, ".DREG(1)", ".DREG(0)"),
    ("xc7", HELD_REGISTERED, ".BREG(1)", ".BREG(0)"),
    ("gowin", HELD, "if (i_load)", "if (1)"),
    ("gowin", HELD, ".OUT_REG(1'b1)", ".OUT_REG(1'b0)"),
    ("gowin", REGISTERED, ".BREG(1'b1)", ".BREG(1'b0)"),
    ("asic", INT8, "{ row_7, 7'd0 }", "{ row_7, 6'd0 }"),
    ("asic", INT8, "16'd33024", "16'd32768"),
    ("asic", HELD, "if (i_load) ", ""),
    (
        "asic",
        REGISTERED,
        "  reg [7:0] a;\n  always @(posedge clk)\n    a <= i_a;",
        "  wire [7:0] a = i_a;",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        HELD,  # which takes its operand or keeps it: the others always take it
        HELD_REGISTERED,
        pytest.param(INT8, marks=pytest.mark.nightly),
        pytest.param(REGISTERED, marks=pytest.mark.nightly),
    ],
    ids=lambda words: words.name,
)
@pytest.mark.parametrize("target", [*FAMILIES, "asic"])
def test_mapped_multipliers_are_generic_ones_for_all_operands(target, words):
    assert differences(words, target) == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [HELD, HELD_REGISTERED, Words(8, 7, True)], ids=lambda w: w.name)
def test_multipliers_with_clock_gates_are_generic_ones_for_all_operands(words):
    files = emit(Holder(words), "holder", VerilogStyle(gated_clocks=True))
    gate = {f"{CLOCK_GATE}.v": files[f"{CLOCK_GATE}.v"]}
    gated = single_multipliers(generic(words), "asic_gated")[f"{words.name}.v"]
    assert (CLOCK_GATE in gated) == (words.b_bits >= LEAST_GATED)
    assert differences(words, "asic_gated", lambda files: files | gate) == 0


@pytest.mark.slow
@pytest.mark.parametrize("words", [Words(5, 7, False), Words(4, 3, True)], ids=lambda w: w.name)
@pytest.mark.parametrize("target", [*FAMILIES, "asic"])
def test_narrow_words_are_extended(target, words):
    assert differences(words, target) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "words", "old", "new"),
    [
        bug
        if n == 0 or bug[0] != PLANTED[n - 1][0]
        else pytest.param(*bug, marks=pytest.mark.nightly)
        for n, bug in enumerate(PLANTED)
    ],
)
def test_a_planted_bug_is_found(target, words, old, new):
    def plant(files):
        changed = {name: text.replace(old, new, 1) for name, text in files.items()}
        assert changed != files
        return changed

    assert differences(words, target, plant) > 0


@pytest.mark.slow
def test_ice40_dsp_would_spoil_products(monkeypatch):
    """The day that this fails, `Target.products` may go."""
    spoils = replace(TARGETS["ice40"], command="synth_ice40 -dsp -spram", products=())
    monkeypatch.setitem(targets.TARGETS, "ice40", spoils)
    assert differences(INT8, "ice40") > 0  # primitives that it sees
    lane = RequantLane(TINY)
    assert mapped_differences(lane, "ice40", inputs=_near_activations(TINY), cycles=LANE_CYCLES) > 0


def _near_activations(config):
    """Psums of all sizes, with extremes and powers of two, and scales that make words of them."""
    acc, act = config.acc_bits, config.act_bits
    return {
        "i_psum": "$signed(&dice[7:5] ? {dice[31], {63{dice[30]}}} : {$random, $random}) >>> "
        f"({64 - acc} + dice[4:0])",
        "i_significand": "24'h800000 | (&dice[15:13] ? {24{dice[16]}} : $random)",
        "i_shift": f"{acc + 21 - act} - dice[4:0] + dice[12:8] % {act + 5}",
        "i_min": f"&dice[19:17] ? $random : {-(1 << act - 1)}",
        "i_max": f"&dice[22:20] ? $random : {(1 << act - 1) - 1}",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [TINY, pytest.param(EYERISS, marks=pytest.mark.nightly)],
    ids=lambda config: config.name,
)
@pytest.mark.parametrize("target", FAMILIES)
def test_mapped_requantisers_are_the_requantisers(target, config):
    """Their products are left to inference, and so are those of finishers and of wide words."""
    inputs = _near_activations(config)
    assert mapped_differences(RequantLane(config), target, inputs=inputs, cycles=LANE_CYCLES) == 0


@pytest.mark.slow
@pytest.mark.parametrize("target", FAMILIES)
def test_mapped_finishers_are_the_finishers(target):
    # EYERISS: words without a table, which would be a block RAM
    assert mapped_differences(FinishLane(EYERISS), target, cycles=LANE_CYCLES) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "flow",
    [
        Dataflow.WEIGHT_STATIONARY,
        pytest.param(Dataflow.OUTPUT_STATIONARY, marks=pytest.mark.nightly),
    ],
)
def test_inferred_products_of_wide_words_are_right_on_ice40(flow):
    config = replace(TINY, dataflow=flow, act_bits=16, weight_bits=16, acc_bits=48)
    assert mapped_differences(ARRAYS[flow](config), "ice40") == 0


def test_ice40_has_a_primitive_for_each_product_of_a_requantiser():
    top = "a_lane"
    with design(emit(RequantLane(TINY), top), top) as made:
        assert made.mapped(TARGETS["ice40"]).cells(top)["SB_MAC16"] == 4  # ice40_dsp left three


@pytest.mark.parametrize(
    ("flow", "target", "primitives"),
    [
        (Dataflow.WEIGHT_STATIONARY, "ice40", 8),
        (Dataflow.WEIGHT_STATIONARY, "ecp5", 16),
        (Dataflow.WEIGHT_STATIONARY, "gowin", 16),
        (Dataflow.WEIGHT_STATIONARY, "xc7", 8),
        (Dataflow.ROW_STATIONARY, "xc7", 16),  # operands come from scratchpads of their own
        *(
            pytest.param(flow, target, primitives, marks=pytest.mark.nightly)
            for target, primitives in (("ice40", 8), ("ecp5", 16), ("gowin", 16), ("xc7", 8))
            for flow in ARRAYS
            if flow != Dataflow.WEIGHT_STATIONARY
            and (flow, target) != (Dataflow.ROW_STATIONARY, "xc7")
        ),
    ],
)
@pytest.mark.parametrize(
    "registers",
    [False, pytest.param(True, marks=pytest.mark.nightly)],
    ids=["", "registers"],
)
def test_products_share_primitives_in_an_array(flow, target, primitives, registers):
    config = replace(ICEBREAKER, dataflow=flow, operand_registers=registers)
    top = "the_array"
    with design(emit(ARRAYS[flow](config), top), top) as made:
        cells = made.mapped(TARGETS[target], flatten=True).cells(top)
    assert cells[CELLS[target]] == primitives
    assert not cells.keys() & ({*CELLS.values()} - {CELLS[target]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flow", "config"),
    [
        (Dataflow.WEIGHT_STATIONARY, ICEBREAKER),
        pytest.param(Dataflow.WEIGHT_STATIONARY, ORANGECRAB, marks=pytest.mark.nightly),
        pytest.param(Dataflow.NO_LOCAL_REUSE, TINY, marks=pytest.mark.nightly),
        pytest.param(Dataflow.WEIGHT_STATIONARY, TINY, marks=pytest.mark.nightly),
        pytest.param(Dataflow.NO_LOCAL_REUSE, ICEBREAKER, marks=pytest.mark.nightly),
        pytest.param(Dataflow.NO_LOCAL_REUSE, ORANGECRAB, marks=pytest.mark.nightly),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
@pytest.mark.parametrize("target", FAMILIES)
def test_mapped_arrays_are_the_arrays(target, flow, config):
    """Synthesis may move registers into primitives, and adders: not so that a sum changes."""
    assert mapped_differences(ARRAYS[flow](replace(config, dataflow=flow)), target) == 0


@pytest.mark.slow
def test_7_series_synthesis_would_spoil_a_primitive_that_it_sees(monkeypatch):
    monkeypatch.setitem(targets.TARGETS, "xc7", replace(TARGETS["xc7"], hidden=""))
    assert mapped_differences(WeightStationaryArray(ICEBREAKER), "xc7") > 0


def test_depthwise_chains_leave_no_operand_in_common():
    files = emit(WeightStationaryArray(TINY), "the_array")
    names = paired_multipliers(files, "xc7", "the_array").keys()
    assert "multiplier_8x8_held.v" in names
    assert not any(name.endswith("_pair.v") for name in names)


def test_an_odd_multiplier_stays_single():
    config = replace(ICEBREAKER, rows=3, cols=3, dataflow=Dataflow.OUTPUT_STATIONARY)
    files = paired_multipliers(emit(OutputStationaryArray(config), "an_array"), "ice40", "an_array")
    assert {"an_array.v", "multiplier_8x8.v", "multiplier_8x8_pair.v"} == files.keys()
    assert files["an_array.v"].count("multiplier_8x8_pair ") == 4
    assert files["an_array.v"].count("multiplier_8x8 ") == 1


@pytest.mark.parametrize(
    ("target", "words", "fits"),
    [
        ("ecp5", Words(18, 18, False), True),
        ("ecp5", Words(18, 19, False), False),
        ("ice40", Words(8, 9, True), False),
        ("xc7", INT8, False),  # only pairs
        ("gowin", Words(9, 10, False), True),
        ("gowin", Words(19, 9, False), False),
        ("none", INT8, False),
    ],
)
def test_what_does_not_fit_stays_generic(target, words, fits):
    files = generic(words)
    assert (single_multipliers(files, target) != files) == fits


def test_wide_words_are_not_paired():
    words = Words(9, 8, holds=False)
    files = pair_design(words, "xc7", GATE)
    assert paired_multipliers(files, "xc7", GATE).keys() == files.keys()


@pytest.mark.parametrize(
    "name", ["multiplier_8x8", "multiplier_16x8_held", "multiplier_8x8_held_registered"]
)
def test_names_come_back(name):
    words = Words.read(name)
    assert words is not None
    assert words.name == name


@pytest.mark.parametrize("name", ["multiplier_8x0", "multiplier_8x8_pair", "pe_ws_8x8"])
def test_other_names_are_no_multipliers(name):
    assert Words.read(name) is None

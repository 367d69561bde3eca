import importlib

import pytest

from stillflow.boards.fpga.board import BAUD, BOARDS, find_board
from stillflow.compiler.frontend import load_network
from stillflow.compiler.models import DIGITS, DIGITS_SEPARABLE
from stillflow.compiler.program import compile_network
from stillflow.hw.presets import PRESETS
from stillflow.hw.system.sdram_timing import SdramTiming


@pytest.mark.parametrize("name", BOARDS)
def test_boards_have_a_preset_and_a_platform(name):
    board = BOARDS[name]
    assert PRESETS[name].name == name
    module, platform = board.platform.split(":")
    assert hasattr(importlib.import_module(f"amaranth_boards.{module}"), platform)


@pytest.mark.parametrize("name", [name for name in BOARDS if BOARDS[name].memory is not None])
def test_boards_have_room_for_digits(name):
    board = BOARDS[name]
    system = board.system()
    assert system.accelerator == PRESETS[name]
    assert abs(board.clock / system.bit_cycles / BAUD - 1) < 0.02
    network = load_network(DIGITS_SEPARABLE if name == "tangnano9k" else DIGITS)
    program = compile_network(network, system.accelerator, alignment=board.alignment)
    assert program.size <= system.memory_bytes


def test_a_core_has_no_system():
    with pytest.raises(ValueError, match="arty_z7 is a core beside a processor"):
        BOARDS["arty_z7"].system()


def test_unknown_boards_are_refused():
    with pytest.raises(ValueError, match=r"BOARD must be one of .*, not 'ulx3'; did you mean 'ulx"):
        find_board("ulx3")


def test_a_clock_must_make_the_baud_rate():
    with pytest.raises(ValueError, match="clock must make 1000000 baud within 2%, not 3 MHz"):
        BOARDS["orangecrab"].at(3e6).system()
    assert BOARDS["ulx3s"].at(50e6).system().bit_cycles == 50


def test_another_clock_moves_the_sdrams():
    slow, fast = (BOARDS["ulx3s"].at(clock).memory for clock in (25e6, 100e6))
    assert isinstance(slow, SdramTiming)
    assert isinstance(fast, SdramTiming)
    assert slow.clock == 25e6
    assert (slow.lag, slow.capture) != (fast.lag, fast.capture)

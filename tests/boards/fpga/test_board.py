import importlib

import pytest

from stillflow.boards.fpga.board import BAUD, BOARDS, find_board
from stillflow.compiler.frontend import load_network
from stillflow.compiler.models import DIGITS
from stillflow.compiler.program import compile_network
from stillflow.hw.presets import PRESETS
from stillflow.hw.system.sdram_timing import SdramTiming


@pytest.mark.parametrize("board", BOARDS.values(), ids=str)
def test_boards_have_a_preset_a_platform_and_room_for_digits(board):
    system = board.system()
    assert system.accelerator == PRESETS[board.name]
    assert abs(board.clock / system.bit_cycles / BAUD - 1) < 0.02
    module, name = board.platform.split(":")
    assert hasattr(importlib.import_module(f"amaranth_boards.{module}"), name)
    network = load_network(DIGITS)
    program = compile_network(network, system.accelerator, alignment=board.alignment)
    assert program.size <= system.memory_bytes


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

from collections.abc import Callable
from pathlib import Path

import pytest

from stillflow.hw.csr import OFFSETS
from stillflow.sim.engine.base import Engine, SimulationError

BITS = 64


def test_a_stop_in_the_verilog_ends_the_call_and_not_the_process(
    launch: Callable[..., Engine], run_copy: Callable[..., int]
) -> None:
    engine = launch("verilator", BITS)
    message = r"^cycle 0: the design stopped the simulation in line \d+ of .*stillflow\.v$"
    with pytest.raises(SimulationError, match=message):
        engine.write_csr(OFFSETS["WATCHDOG"], 1)
    with pytest.raises(SimulationError, match=message):
        engine.step(1)


def test_two_engines_do_not_share_anything(
    launch: Callable[..., Engine], run_copy: Callable[..., int]
) -> None:
    one, other = launch("verilator", BITS), launch("verilator", BITS)
    run_copy(one, 16)
    assert other.cycles == 0
    assert not other.memory.any()
    assert run_copy(other, 16) == 2 * 40 + 31


def test_fst_waveform_names_every_port(
    launch: Callable[..., Engine], run_copy: Callable[..., int], tmp_path: Path
) -> None:
    wave = tmp_path / "run.fst"
    engine = launch("verilator", BITS, wave=wave)
    run_copy(engine, 40)
    half_cycles = 2 * (4 + engine.cycles)
    engine.close()
    blocks = _fst_blocks(wave.read_bytes())
    header = blocks[0]
    assert int.from_bytes(header[8:16], "big") == 5000 * (half_cycles - 1)  # end time in ps
    hierarchy = blocks[6]
    names = _lz4(hierarchy[8:], int.from_bytes(hierarchy[:8], "big"))
    assert b"m_axi_araddr" in names
    assert b"irq" in names


def _fst_blocks(content: bytes) -> dict[int, bytes]:
    """Give the last block of each type."""
    blocks, position = {}, 0
    while position < len(content):
        length = int.from_bytes(content[position + 1 : position + 9], "big")
        blocks[content[position]] = content[position + 9 : position + 1 + length]
        position += 1 + length
    return blocks


def _lz4(block: bytes, size: int) -> bytes:
    """Decode a block as its specification says."""
    out, position = bytearray(), 0

    def length(nibble: int) -> int:
        nonlocal position
        total = nibble
        while nibble == 15:
            total += block[position]
            position += 1
            if block[position - 1] != 255:
                break
        return total

    while position < len(block):
        token = block[position]
        position += 1
        literals = length(token >> 4)
        out += block[position : position + literals]
        position += literals
        if position == len(block):
            break
        distance = int.from_bytes(block[position : position + 2], "little")
        position += 2
        assert 0 < distance <= len(out)
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])
    assert len(out) == size
    return bytes(out)

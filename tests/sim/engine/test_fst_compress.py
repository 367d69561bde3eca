import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillflow.sim.engine import library
from stillflow.sim.engine.base import Engine
from stillflow.sim.engine.toolchain import find_toolchain

BITS = 64

# Runs of few symbols, long ones among them: something to match, near and far.
blocks = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([1, 2, 3, 20, 700, 4000])),
    max_size=12,
).map(lambda runs: b"".join(part * times for part, times in runs))


@pytest.fixture(scope="module")
def compress(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], bytes]:
    folder = tmp_path_factory.mktemp("lz4")
    header = Path(library.__file__).parent / "fst_compress.hpp"
    source, target = folder / "lz4.cpp", folder / "lz4.so"
    source.write_text(
        f'#include "{header}"\n'
        'extern "C" int bound(int size) { return LZ4_compressBound(size); }\n'
        'extern "C" int run(const char* from, char* to, int size, int room) {\n'
        "    return LZ4_compress_default(from, to, size, room);\n}\n"
    )
    compiler = find_toolchain().compiler
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", target], check=True)
    loaded = ctypes.CDLL(str(target))

    def run(content: bytes) -> bytes:
        room = loaded.bound(len(content))
        out = ctypes.create_string_buffer(room)
        size = loaded.run(content, out, len(content), room)
        assert size <= room
        return out.raw[:size]

    return run


@settings(max_examples=150, deadline=None)
@given(content=blocks)
def test_blocks_decode_to_what_was_compressed(
    compress: Callable[[bytes], bytes], content: bytes
) -> None:
    assert _lz4(compress(content), len(content)) == content


def test_matches_further_than_the_format_reaches_are_not_used(
    compress: Callable[[bytes], bytes],
) -> None:
    content = b"once upon a time" + bytes(70_000) + b"once upon a time" + bytes(20)
    assert _lz4(compress(content), len(content)) == content


def test_repetition_becomes_small(compress: Callable[[bytes], bytes]) -> None:
    assert len(compress(b"0123456789" * 1000)) < 100


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

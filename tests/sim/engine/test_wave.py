"""Waveforms that cannot be written."""

import errno
from pathlib import Path

import pytest

from stillflow.sim.engine.wave import WaveFile, check_whole, refuse_wave, wave_format

FULL = Path("/dev/full")


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + (8 + len(content)).to_bytes(8, "big") + content


def test_the_suffix_is_the_format() -> None:
    assert [wave_format(wave) for wave in (None, "a.fst", Path("b/c.vcd"))] == ["", "fst", "vcd"]
    with pytest.raises(ValueError, match=r"^wave must end in \.fst or \.vcd, not 'a\.txt'$"):
        wave_format("a.txt")


def test_a_refused_file_is_removed_and_named(tmp_path: Path) -> None:
    wave = tmp_path / "half.fst"
    wave.write_bytes(b"half")
    with pytest.raises(OSError, match="No space left") as refused:
        refuse_wave(wave, errno.ENOSPC)
    assert refused.value.filename == str(wave)
    assert not wave.exists()


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    with WaveFile(tmp_path / "wave.vcd") as file:
        file.write("#0\n")
    file.check()
    assert (tmp_path / "wave.vcd").read_text() == "#0\n"


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_full_disk_is_noticed_when_the_file_is_closed_at_the_latest(
    tmp_path: Path, size: int
) -> None:
    wave = tmp_path / "wave.vcd"
    wave.symlink_to(FULL)
    with WaveFile(wave) as file:
        file.write("x" * size)
        file.write("more")
    with pytest.raises(OSError, match="No space left"):
        file.check()
    file.check()  # once is enough
    assert FULL.exists()


def test_whole_files_pass_and_are_not_touched(tmp_path: Path) -> None:
    contents = {"a.vcd": b"#0\n", "b.fst": section(0, bytes(321)) + section(8, b"values")}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        check_whole(tmp_path / name)
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", section(0, bytes(321))[:-1], section(0, b"") + section(8, b"values")[:5]]
)
def test_an_fst_file_that_ends_within_a_section_is_refused(tmp_path: Path, content: bytes) -> None:
    wave = tmp_path / "cut.fst"
    wave.write_bytes(content)
    with pytest.raises(OSError, match="No space left"):
        check_whole(wave)
    assert not wave.exists()


def test_a_file_that_cannot_grow_is_refused(tmp_path: Path) -> None:
    wave = tmp_path / "wave.vcd"
    wave.symlink_to(FULL)
    with pytest.raises(OSError, match="No space left"):
        check_whole(wave)

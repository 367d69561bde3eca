"""Waveform files: which format, and what is left when one cannot be written."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Self


def wave_format(wave: str | Path | None, formats: Sequence[str] = ("fst", "vcd")) -> str:
    """Give the ``trace`` of `build` that writes this file.

    Parameters
    ----------
    wave : path, optional
        Its suffix is the format.
    formats : Sequence[str]
        What the engine writes; ``saif`` is how often each signal changes, not when.

    Raises
    ------
    ValueError
        If the engine does not write such a file.
    """
    if wave is None:
        return ""
    suffix = Path(wave).suffix
    if suffix[1:] not in formats:
        *others, last = (f".{name}" for name in formats)
        known = f"{', '.join(others)} or {last}"
        raise ValueError(f"wave must end in {known}, not {str(wave)!r}")
    return suffix[1:]


def refuse_wave(wave: str | Path, code: int) -> NoReturn:
    """Remove a waveform that could not be written to its end.

    Raises
    ------
    OSError
        Always: with the file's name and the reason of this errno.
    """
    if Path(wave).is_file():  # no device, for one
        with suppress(OSError):
            Path(wave).resolve().unlink()
    raise OSError(code, os.strerror(code), str(wave))


def check_whole(wave: str | Path) -> None:
    """Refuse a waveform on a full disk, for a simulator that does not say so itself.

    Raises
    ------
    OSError
        If the file cannot grow by a page, is an FST file that ends within a section, or a SAIF file
        without its last bracket.
    """
    if Path(wave).suffix == ".fst" and not _ends_with_section(wave):
        refuse_wave(wave, errno.ENOSPC)
    if Path(wave).suffix == ".saif" and not _ends_with_bracket(wave):
        refuse_wave(wave, errno.ENOSPC)
    try:
        with open(wave, "ab", buffering=0) as file:
            end = file.tell()
            file.write(bytes(4096))
            if Path(wave).is_file():
                file.truncate(end)
    except OSError as error:
        refuse_wave(wave, error.errno or errno.EIO)


def _ends_with_section(wave: str | Path) -> bool:
    """Whether an FST file is whole sections: a byte for the kind, then the length of the rest."""
    with open(wave, "rb") as file:
        size, place = os.fstat(file.fileno()).st_size, 0
        while place < size:
            file.seek(place + 1)
            place += 1 + max(8, int.from_bytes(file.read(8), "big"))
    return place == size > 0


def _ends_with_bracket(wave: str | Path) -> bool:
    """Whether a SAIF file is closed; a device has no end."""
    if not Path(wave).is_file():
        return True
    with open(wave, "rb") as file:
        file.seek(-min(8, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return file.read().rstrip().endswith(b")")


class WaveFile:
    """A text file that takes all text, and says afterwards whether it could be written.

    A simulator that fails in the midst of writing would leave a trail of further errors.

    Parameters
    ----------
    path : path
        Written from its beginning.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._file = open(path, "w")  # noqa: SIM115
        self._code = 0

    def write(self, text: str) -> None:
        """Write, unless that failed before."""
        self._attempt(lambda: self._file.write(text))

    def flush(self) -> None:
        """Hand over to the system what was written."""
        self._attempt(self._file.flush)

    def check(self) -> None:
        """Raise, once, if the file could not be written.

        Raises
        ------
        OSError
            See `refuse_wave`.
        """
        code, self._code = self._code, 0
        if code:
            refuse_wave(self.path, code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        with suppress(OSError):  # what could not be flushed is known
            self._file.close()

    def _attempt(self, action: Callable[[], object]) -> None:
        if not self._code:
            try:
                action()
            except OSError as error:
                self._code = error.errno or errno.EIO

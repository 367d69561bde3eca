"""Files that are written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Write a text file beside its place, then move it there.

    Raises
    ------
    OSError
        With the file's name, also where the disk is full. What was there before remains.
    """
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", text=True)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(part, 0o666 & ~_umask())
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: Path | None, report: Mapping[str, Any]) -> None:
    """Write the report of ``--json FILE``; nothing without one.

    Raises
    ------
    OSError
        See `write_whole`.
    """
    if path is not None:
        write_whole(path, json.dumps(report, indent=2) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

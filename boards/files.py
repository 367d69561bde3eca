"""Files that are written whole or not at all."""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_whole(path: Path, text: str) -> None:
    """Write a text file whole; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name as an npz file, whole; see `write_bytes`."""
    content = io.BytesIO()
    np.savez(content, **dict(arrays))  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())


def check_folder(path: Path | None) -> None:
    """Refuse a file for which there is no folder, before the work for its content is done.

    Raises
    ------
    ValueError
        Naming the file and the folder.
    """
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"{path}: there must be a folder {path.parent}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there.

    Raises
    ------
    OSError
        With the file's name, also where the disk is full. What was there before remains.
    """
    try:
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "wb") as file:
                file.write(content)
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

"""Verilator's own library as objects that every build of a testbench can use.

To compile it takes half of a build's time.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

_NAMES = tuple(f"{name}.o" for name in (
    "verilated", "verilated_dpi", "verilated_threads", "verilated_vpi",
))  # fmt: skip

_DAY = 86_400.0  # seconds


def shared_folder(build_dir: Path, parts: Iterable[str]) -> Path:
    """Folder of the objects that tools and flags make.

    Parameters
    ----------
    build_dir : Path
        Where simulators are built.
    parts : iterable of str
        Whatever the objects depend on: versions, paths and flags.
    """
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return build_dir / f"objects-{digest[:16]}"


def lend(shared: Path, folder: Path) -> None:
    """Put what is there into a folder, newer than anything that a build writes before make runs."""
    later = time.time() + _DAY
    for name in _NAMES:
        if (shared / name).exists():
            shutil.copyfile(shared / name, folder / name)
            os.utime(folder / name, (later, later))


def keep(folder: Path, shared: Path) -> None:
    """Keep what a build made, unless another one was quicker."""
    shared.mkdir(exist_ok=True)
    for name in _NAMES:
        if (folder / name).exists() and not (shared / name).exists():
            with tempfile.TemporaryDirectory(dir=shared) as scratch:
                Path(shutil.copy(folder / name, scratch)).rename(shared / name)

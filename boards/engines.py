"""Simulation engines by name, for a configuration; what is built is kept."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from stillflow import hw
from stillflow.hw.config import AcceleratorConfig
from stillflow.sim.engine.base import DramTiming, Engine, EngineUnavailable

ENGINES = ("verilator", "icarus", "pysim")
MEMORY_GRANULE = 1 << 20
Progress = Callable[[str], None]


def cache_folder() -> Path:
    """Folder for what can be made again: ``$STILLFLOW_CACHE`` or below ``~/.cache``."""
    chosen = os.environ.get("STILLFLOW_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "stillflow"


def _source_key(config: AcceleratorConfig) -> str:
    """Hash the configuration and every source file that makes Verilog."""
    digest = hashlib.sha256(json.dumps(config.keys(), sort_keys=True).encode())
    folders = [Path(next(iter(hw.__path__))), Path(__file__).parent]
    for folder in folders:
        for source in sorted(folder.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:24]


def verilog_files(config: AcceleratorConfig, progress: Progress | None = None) -> list[Path]:
    """Verilog of an accelerator in the cache, made where it is not there yet."""
    folder = cache_folder() / "verilog" / _source_key(config)
    if not folder.is_dir():
        from stillflow.boards.verilog import emit
        from stillflow.hw.top import Accelerator

        if progress is not None:
            progress("generating Verilog")
        files = emit(Accelerator(config))
        try:
            _place_folder(folder, files)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
    return sorted(folder.glob("*.v"))


def _place_folder(folder: Path, files: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch, "made")
        made.mkdir()
        for name, text in files.items():
            (made / name).write_text(text)
        try:
            made.rename(folder)
        except OSError:  # another process was quicker
            if not folder.is_dir():
                raise


def open_engine(
    config: AcceleratorConfig,
    *,
    engine: str | None = None,
    timing: DramTiming | None = None,
    memory_bytes: int,
    wave: Path | None = None,
    progress: Progress | None = None,
) -> tuple[str, Engine]:
    """Start the accelerator in an engine.

    Parameters
    ----------
    config : AcceleratorConfig
        The accelerator.
    engine : str, optional
        One of `ENGINES`; by default the fastest that this machine has. Icarus, the only one with
        four states, is never the default.
    timing : DramTiming, optional
        Of the DRAM.
    memory_bytes : int
        Bytes of DRAM in use.
    wave : Path, optional
        Waveform to write.
    progress : callable, optional
        Called with what is being done.

    Returns
    -------
    str, Engine
        The engine's name, and the engine.

    Raises
    ------
    ValueError
        If there is no such engine.
    EngineUnavailable
        If the named engine lacks something on this machine.
    """
    if engine is not None and engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    size = -(-memory_bytes // MEMORY_GRANULE) * MEMORY_GRANULE
    # An engine is imported when it is used: the cost model needs none, and no Amaranth.
    if engine == "icarus":
        from stillflow.sim.engine.icarus import IcarusEngine

        return engine, IcarusEngine.from_verilog(
            verilog_files(config, progress),
            axi_data_bits=config.axi_data_bits,
            cache_dir=cache_folder(),
            timing=timing,
            memory_bytes=size,
            wave=wave,
            progress=progress,
        )
    if engine != "pysim":
        from stillflow.sim.engine.verilator import VerilatorEngine

        try:
            return "verilator", VerilatorEngine.from_verilog(
                verilog_files(config, progress),
                axi_data_bits=config.axi_data_bits,
                cache_dir=cache_folder(),
                timing=timing,
                memory_bytes=size,
                wave=wave,
                progress=progress,
            )
        except EngineUnavailable as error:
            if engine is not None:
                raise
            if progress is not None:
                progress(f"{error}; falling back to pysim")
    from stillflow.hw.top import Accelerator
    from stillflow.sim.engine.pysim import PysimEngine

    return "pysim", PysimEngine(Accelerator(config), timing=timing, memory_bytes=size, wave=wave)


def device_opener(
    config: AcceleratorConfig,
    engine: str | None,
    timing: DramTiming,
    memory_bytes: int,
    wave: Path | None,
    progress: Progress | None,
) -> Callable[[], tuple[str, Engine]]:
    """Bind the arguments of `open_engine`; only the first device that is opened writes a wave."""
    waves = [wave] if wave is not None else []

    def open_device() -> tuple[str, Engine]:
        return open_engine(
            config,
            engine=engine,
            timing=timing,
            memory_bytes=memory_bytes,
            wave=waves.pop() if waves else None,
            progress=progress,
        )

    return open_device
